"""What does a memory cost? Seconds per target of the build against the teacher and the flows of one target alone.

Interleaves stretches of the build, teacher and flows on frames ready in memory, and the memory clip by clip as in online
mode; prints the medians, their ratios and the bytes of an item. The teacher is random unless one is given:

    python benchmarks/memory.py --config camvid.yaml --data.root /data/camvid [--teacher_checkpoint last.ckpt]
"""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

import torch

from weclick.cli.fit import parser
from weclick.cli.options import resolve_configs, to_settings
from weclick.data.index import Clip
from weclick.data.supplies import OnlineMemory
from weclick.flow import make_flow
from weclick.inference.speed import device_name
from weclick.memory import MemoryStore, online_memory, quantise
from weclick.modules import SegmentationModule, TeacherModule, load_checkpoint
from weclick.pipeline.inputs import run_data
from weclick.pipeline.memory import stream_soft_labels
from weclick.pipeline.run import Run
from weclick.pipeline.settings import FitSettings
from weclick.pipeline.training import frozen
from weclick.synthetic import write_synthetic

ROUNDS, TARGETS = 5, 8


class Bench:
    """The ways to be compared, over the same targets."""

    def __init__(self, settings: FitSettings, folder: Path) -> None:
        self.device, dataset = settings.device, settings.dataset
        self.data = run_data(settings, Run(folder))
        module: SegmentationModule = TeacherModule(dataset.classes.to_list(), dataset.size, settings.teacher)
        if settings.teacher_checkpoint is not None:
            module = load_checkpoint(settings.teacher_checkpoint, stage="teacher", classes=dataset.classes)
        self.teacher, self.flow = frozen(module, self.device), make_flow(settings.memory.flow, self.device)
        self.store, self.clips = MemoryStore(folder / "store", {}), self.data.clips
        self.soft_labels = stream_soft_labels(self.data, self.clips, self.teacher, self.flow, self.device)

    def build(self, clips: list[Clip]) -> None:
        """Go on with what ``weclick fit --stage memory`` does, by so many targets."""
        for _ in clips:
            key, soft = next(self.soft_labels)
            self.store.write(key, quantise(soft)[0])

    @torch.no_grad()
    def alone(self, clips: list[Clip]) -> float:
        """Run the teacher once, and the flows of one target, for each target; return the seconds without reading."""
        seconds = 0.0
        for target, neighbours, _ in map(self.raw, clips):
            begin = perf_counter()
            self.teacher(target)
            if len(neighbours):
                self.flow(target.expand_as(neighbours), neighbours)
                self.flow(neighbours, target.expand_as(neighbours)).cpu()
            seconds += perf_counter() - begin
        return seconds

    def online(self, clips: list[Clip]) -> None:
        """Compute the memory clip by clip."""
        for target, neighbours, offsets in map(self.raw, clips):
            quantise(online_memory(self.teacher, self.flow, target, neighbours[None], offsets[None]))

    def raw(self, clip: Clip) -> tuple[torch.Tensor, ...]:
        """Read target and neighbours, floats on the device, and the offsets."""
        sample = OnlineMemory(self.teacher, self.flow, self.data.dataset.reader, len(clip.neighbours)).read(clip)
        target, neighbours = (sample[name].to(self.device) / 255 for name in ("target", "neighbours"))
        return target[None], neighbours, sample["offsets"].to(self.device)


def main(arguments: list[str]) -> None:
    """Parse a config as ``weclick fit`` does, measure, print."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        if not arguments:
            write_synthetic(folder / "data", train=40, val=1, frames=3, target=2, size=(256, 512))
            arguments = ["--config", "demo.yaml", "--data.root", str(folder / "data"), "--data.size", "[256,512]"]
        made = parser()
        settings = to_settings(made, made.parse_args(resolve_configs(["--arm", "weclick", *arguments])))
        bench = Bench(settings, folder)
        seconds: dict[str, list[float]] = {"alone": [], "build": [], "online": []}
        targets = min(TARGETS, len(bench.clips) // ROUNDS)
        for start in range(0, ROUNDS * targets, targets):
            for way, taken in seconds.items():
                begin = perf_counter()
                ready = getattr(bench, way)(bench.clips[start : start + targets])
                taken.append((ready or perf_counter() - begin) / targets)
        show(bench, seconds)


def show(bench: Bench, seconds: dict[str, list[float]]) -> None:
    """Print medians and ratios."""
    size, options = bench.data.dataset.size, bench.data.options.clips
    sizes = [path.stat().st_size for path in bench.store.folder.glob("*/*.npz")]
    frames = {frame.key for clip in bench.clips for frame in (clip.target, *clip.neighbours)}
    middle = {way: median(taken) for way, taken in seconds.items()}
    print(
        f"{device_name(bench.device)}, {size[1]}x{size[0]}, "
        f"{options.neighbours} neighbours ({options.sides}), flow {bench.flow.name}, {bench.data.workers} workers, "
        f"{len(frames) / len(bench.clips):.2f} frames per target"
    )
    for way, title in {
        "alone": "one teacher forward and the flows",
        "build": "build of the memory",
        "online": "clip by clip",
    }.items():
        rounds = " ".join(f"{value:.3f}" for value in sorted(seconds[way]))
        print(f"{title:34} {middle[way]:.3f} s per target   ({rounds})")
    print(f"build / alone                      {middle['build'] / middle['alone']:.2f}")
    print(f"clip by clip / build               {middle['online'] / middle['build']:.2f}")
    print(f"bytes of an item                   {sum(sizes) / len(sizes):.0f} on average, {max(sizes)} at most")
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB (process {os.getpid()})")


if __name__ == "__main__":
    main(sys.argv[1:])
