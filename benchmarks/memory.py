"""Measure what a memory costs: seconds per target of the build, against the teacher and the flows of one target alone.

Interleaves rounds of the build, of teacher and flows on frames that are read already, and of the memory clip by clip as in
online mode; prints the medians, their ratios and the bytes of an item. Takes the options of ``weclick fit``; without any,
it measures on a synthetic set. The teacher has random weights unless one is named:

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

from weclick.cli.fit import make_parser
from weclick.cli.options import parse, resolve_configs, to_settings
from weclick.data.index import Clip
from weclick.data.supplies import OnlineMemory
from weclick.flow import make_flow
from weclick.inference.speed import device_name
from weclick.memory.item import quantise
from weclick.memory.online import online_memory
from weclick.memory.store import MemoryStore
from weclick.modules.base import SegmentationModule
from weclick.modules.checkpoint import load_checkpoint
from weclick.modules.teacher import TeacherModule
from weclick.pipeline.inputs import run_data
from weclick.pipeline.memory import stream_soft_labels
from weclick.pipeline.run import Run
from weclick.pipeline.settings import FitSettings
from weclick.pipeline.training import frozen
from weclick.synthetic import write_synthetic

ROUNDS, TARGETS = 5, 8


class Bench:
    """The computations to compare, over the same targets."""

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
        """Continue the build of ``weclick fit --stage memory`` by as many targets as there are ``clips``."""
        for _ in clips:
            key, soft = next(self.soft_labels)
            self.store.write(key, quantise(soft)[0])

    @torch.no_grad()
    def alone(self, clips: list[Clip]) -> float:
        """Run for each target one teacher forward and its flows; return the seconds, without the reading of frames."""
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
        """Return target (1, 3, H, W) and neighbours (N, 3, H, W), floats on the device, and the neighbours' offsets (N,)."""
        supply = OnlineMemory(self.teacher, self.flow, self.data.dataset.reader, len(clip.neighbours))
        sample = supply.read(clip, self.data.dataset.size)
        target, neighbours = (sample[name].to(self.device) / 255 for name in ("target", "neighbours"))
        return target[None], neighbours, sample["offsets"].to(self.device)


def main(arguments: list[str]) -> None:
    """Parse options as ``weclick fit`` does, measure and print."""
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        if not arguments:
            write_synthetic(folder / "data", train=40, val=1, frames=3, target=2, size=(256, 512))
            arguments = ["--config", "demo.yaml", "--data.root", str(folder / "data"), "--data.size", "[256,512]"]
        parser = make_parser()
        settings = to_settings(parser, parse(parser, resolve_configs(["--arm", "weclick", *arguments])))
        bench = Bench(settings, folder)
        seconds: dict[str, list[float]] = {"alone": [], "build": [], "online": []}
        targets = min(TARGETS, len(bench.clips) // ROUNDS)
        for start in range(0, ROUNDS * targets, targets):
            for name, measured in seconds.items():
                begin = perf_counter()
                own_time = getattr(bench, name)(bench.clips[start : start + targets])  # alone leaves out the reading
                measured.append((own_time or perf_counter() - begin) / targets)
        show(bench, seconds)


def show(bench: Bench, seconds: dict[str, list[float]]) -> None:
    """Print medians and ratios."""
    size, options = bench.data.dataset.size, bench.data.options.clips
    sizes = [path.stat().st_size for path in bench.store.folder.glob("*/*.npz")]
    frames = {frame.key for clip in bench.clips for frame in (clip.target, *clip.neighbours)}
    medians = {name: median(measured) for name, measured in seconds.items()}
    print(
        f"{device_name(bench.device)}, {size[1]}x{size[0]}, "
        f"{options.neighbours} neighbours ({options.sides}), flow {bench.flow.name}, {bench.data.workers} workers, "
        f"{len(frames) / len(bench.clips):.2f} frames per target"
    )
    for name, title in {
        "alone": "one teacher forward and the flows",
        "build": "build of the memory",
        "online": "clip by clip",
    }.items():
        rounds = " ".join(f"{value:.3f}" for value in sorted(seconds[name]))
        print(f"{title:34} {medians[name]:.3f} s per target   ({rounds})")
    print(f"build / alone                      {medians['build'] / medians['alone']:.2f}")
    print(f"clip by clip / build               {medians['online'] / medians['build']:.2f}")
    print(f"bytes of an item                   {sum(sizes) / len(sizes):.0f} on average, {max(sizes)} at most")
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB (process {os.getpid()})")


if __name__ == "__main__":
    main(sys.argv[1:])
