"""The index of 150,000 frames stays fast and small: a video data set is listed before every command."""

import json
import os
import subprocess
import sys

import pytest

from weclick.data.layouts import LAYOUTS

SNIPPETS, LENGTH = 5000, 30
MOST_SECONDS, MOST_BYTES = 10, 500e6

LIST_ALL = """
import json, resource, sys
from pathlib import Path
from weclick.data.index import clips, segments
from weclick.data.layouts import open_layout

layout = open_layout(sys.argv[1], Path(sys.argv[2]))
counts = {"frames": 0, "clips": 0, "neighbours": 0}
for split in layout.splits():
    others = [frame.key for other in layout.splits() if other != split for frame in layout.frames(other)]
    targets = [frame.key for frame in layout.frames(split) if frame.label is not None]
    made = clips(segments(layout.frames(split), others), targets, neighbours=3)
    counts["frames"] += len(layout.frames(split))
    counts["clips"] += len(made)
    counts["neighbours"] += sum(len(clip.neighbours) for clip in made)
used = resource.getrusage(resource.RUSAGE_SELF)
# Not ru_maxrss: on Linux it starts with the peak of the process that started this one.
peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:"))
print(json.dumps({"seconds": used.ru_utime + used.ru_stime, "bytes": int(peak.split()[1]) * 1024, **counts}))
"""


def touch(folder, names):
    """Make empty files: hard links to one of them, as 150,000 new inodes take a disk up to two minutes."""
    folder.mkdir(parents=True, exist_ok=True)
    first, *others = names
    (folder / first).touch()
    for name in others:
        os.link(folder / first, f"{folder}/{name}")


def cityscapes(root):
    for index in range(50):
        split, city = ("train", "val", "test")[index % 3], f"city{index:02d}"
        videos = [f"{city}_{number:06d}" for number in range(SNIPPETS // 50)]
        images = (f"{video}_{number:06d}_leftImg8bit.png" for video in videos for number in range(LENGTH))
        touch(root / "leftImg8bit_sequence" / split / city, images)
        kinds = ("labelIds", "instanceIds")
        touch(
            root / "gtFine" / split / city, (f"{video}_000019_gtFine_{kind}.png" for video in videos for kind in kinds)
        )


def camvid(root):
    for index in range(50):
        split, video = ("train", "val", "test")[index % 3], f"v{index:02d}"
        stills = range(19, 100 * LENGTH, LENGTH)
        for folder in (split, f"{split}annot"):
            touch(root / folder, (f"{video}_{number:06d}.png" for number in stills))
        touch(root / "frames" / video, (f"{n:06d}.jpg" for n in range(100 * LENGTH) if n not in stills))


def folder(root):
    for index in range(50):
        video = f"v{index:02d}"
        touch(root / "frames" / video, (f"{number:06d}.jpg" for number in range(100 * LENGTH)))
        touch(root / "masks" / video, (f"{number:06d}.png" for number in range(19, 100 * LENGTH, LENGTH)))
    (root / "classes.yaml").write_text("[road, car]", encoding="utf-8")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the peak of memory is read from /proc")
@pytest.mark.parametrize("write", [cityscapes, camvid, folder], ids=lambda write: write.__name__)
def test_the_index_of_150000_frames_is_fast_and_small(write, tmp_path):
    write(tmp_path)
    command = [sys.executable, "-c", LIST_ALL, write.__name__, str(tmp_path)]
    result = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert {name: result[name] for name in ("frames", "clips", "neighbours")} == {
        "frames": SNIPPETS * LENGTH,
        "clips": SNIPPETS,
        "neighbours": 3 * SNIPPETS,
    }
    assert result["seconds"] < MOST_SECONDS
    assert result["bytes"] < MOST_BYTES


def test_every_layout_is_measured():
    assert set(LAYOUTS) == {write.__name__ for write in (cityscapes, camvid, folder)}
