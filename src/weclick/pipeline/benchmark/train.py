"""Images per second of student training: stored memory, online memory, plain supervision, the network alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from itertools import cycle
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any, Final, cast

import torch
from lightning.fabric import Fabric

from weclick.clicks import ClickStore
from weclick.data.datamodule import ClipDataModule
from weclick.data.masks import find_click_store, simulate_split
from weclick.data.supplies import OnlineMemory, StoredMemory
from weclick.data.supply import Batch
from weclick.data.targets import TargetClicks
from weclick.losses import Terms
from weclick.memory.item import quantise
from weclick.memory.store import MemoryStore
from weclick.modules.base import SegmentationModule
from weclick.modules.student import StudentModule
from weclick.modules.teacher import TeacherModule
from weclick.pipeline.memory import stream_soft_labels
from weclick.pipeline.settings import FitSettings, trainer_refusals
from weclick.pipeline.training import frozen
from weclick.reporting.benchmark import BenchmarkTable

ONLINE_NEIGHBOURS: Final = 4
TARGETS: Final = 3
"""Batches' worth of targets that get a memory; they are trained on again and again."""


@dataclass
class Mode:
    """One way to train, with all it needs to make a step; ``autocast`` gives the precision its losses are computed in."""

    module: SegmentationModule
    optimizer: torch.optim.Optimizer
    batches: Iterator[Batch]
    autocast: Callable[[], AbstractContextManager[None]]

    def step(self) -> int:
        """Train on the next batch and return its number of images."""
        batch = next(self.batches)
        with self.autocast():
            step = self.module.step(batch, progress=0.0)
            loss = torch.stack([term(step) for term in self.module.terms]).sum()  # weights would not change the time
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.module.parameters(), 5.0)
        self.optimizer.step()
        self.optimizer.zero_grad()
        return len(batch["image"])


def benchmark_train(
    settings: FitSettings,
    scratch: Path,
    *,
    rounds: int = 5,
    steps: int = 4,
    progress: Callable[[int, int], None] | None = None,
) -> BenchmarkTable:
    """Time the student's training steps in every mode, in turns.

    The teacher is untrained: it takes as long as a trained one. Of every block of steps, as many as loader processes may
    have ready beforehand are not timed.

    Args:
        settings: Parsed settings of a fit.
        scratch: Folder for clicks and memory of the benchmark.
        rounds: Blocks of each mode.
        steps: Timed steps of a block.
        progress: Called with (blocks done, blocks in all).
    """
    torch.manual_seed(settings.seed)
    modes = make_modes(settings, scratch)
    data = settings.make_data()
    ahead = max(2 * data.workers, 1)  # torch's loaders prefetch two batches per process
    rates = _rates(modes, settings.device, ahead, rounds, steps, progress)
    plain = median(rates["plain supervision"])
    rows = [
        {
            "training": name,
            "images/s": median(values),
            "slowest": min(values),
            "fastest": max(values),
            "of plain": median(values) / plain,
        }
        for name, values in rates.items()
    ]
    facts = {
        "crop": f"{data.crop[1]}x{data.crop[0]}",
        "batch": data.options.batch_size,
        "precision": settings.trainer.get("precision") or "32-true",
        "loader processes": data.workers,
        "rounds": rounds,
        "steps": steps,
    }
    return BenchmarkTable("train", settings.device, facts, rows, ("training",), "images/s")


def _rates(
    modes: Mapping[str, Mode],
    device: torch.device,
    ahead: int,
    rounds: int,
    steps: int,
    progress: Callable[[int, int], None] | None,
) -> dict[str, list[float]]:
    """Return images per second of each mode, by round; the first ``ahead`` steps of a block are not timed."""
    rates: dict[str, list[float]] = {name: [] for name in modes}
    for number in range(rounds):
        for position, (name, mode) in enumerate(modes.items()):
            for _ in range(ahead):
                mode.step()
            wait(device)
            begin, images = perf_counter(), sum(mode.step() for _ in range(steps))
            wait(device)
            rates[name].append(images / (perf_counter() - begin))
            if progress is not None:
                progress(number * len(modes) + position + 1, rounds * len(modes))
    return rates


def wait(device: torch.device) -> None:
    """Wait for what a GPU has been given to do; the CPU has done it."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def make_modes(settings: FitSettings, scratch: Path) -> dict[str, Mode]:
    """Return every mode by its name in the table."""
    clicks = few_clicks(settings, scratch)
    device, dataset, flow = settings.device, settings.dataset, settings.make_flow(settings.device)
    network = replace(settings.teacher.network, weights="none")
    module = TeacherModule(dataset.classes.to_list(), dataset.size, replace(settings.teacher, network=network))
    teacher = frozen(module, device)

    plain = settings.make_data(clicks=clicks)
    if dataset.labelled("train"):
        plain = replace(settings, data=replace(settings.data, supervision="masks")).make_data()
    store = MemoryStore(scratch / "memory", {})
    source = settings.make_data(clicks=clicks)
    for key, soft in stream_soft_labels(source, source.clips, teacher, flow, device):
        store.write(key, quantise(soft)[0])
    stored = settings.make_data(clicks=clicks, supplies=(StoredMemory(store),))
    clips = replace(settings.data.clips, neighbours=ONLINE_NEIGHBOURS)
    supply = OnlineMemory(teacher, flow, dataset.reader, ONLINE_NEIGHBOURS)
    online = replace(settings, data=replace(settings.data, clips=clips)).make_data(clicks=clicks, supplies=(supply,))

    ready = [batch for batch, _ in zip(finished(plain, device), range(2), strict=False)]
    distil = {"supervised": {"weight": 1.0}, "kd": {"weight": 1.0}, "mfd": {"weight": 1.0}}
    return {
        "network alone, ready tensors": make_mode(StudentModule, settings, cycle(ready)),
        "plain supervision": make_mode(StudentModule, settings, finished(plain, device)),
        "stored memory": make_mode(StudentModule, settings, finished(stored, device), distil),
        f"online memory, {ONLINE_NEIGHBOURS} neighbours": make_mode(
            StudentModule, settings, finished(online, device), distil
        ),
    }


def make_mode(
    module_class: type[SegmentationModule],
    settings: FitSettings,
    batches: Iterator[Batch],
    terms: Mapping[str, Any] | None = None,
) -> Mode:
    """Return the training of teacher or student, untrained, with its auxiliary head if it has one.

    Args:
        module_class: Teacher or student.
        settings: Parsed settings of a fit.
        batches: What it trains on.
        terms: Loss terms beside the auxiliary one; by default the cross-entropy.
    """
    device, dataset = settings.device, settings.dataset
    own = settings.teacher if module_class.stage == "teacher" else settings.student
    network, chosen = replace(own.network, weights="none"), cast("Any", own.terms)
    auxiliary = {"weight": chosen.auxiliary.weight}
    options = replace(own, network=network, terms=Terms.of({"auxiliary": auxiliary, **(terms or {})}))
    module = module_class(dataset.classes.to_list(), dataset.size, options).to(device)
    with trainer_refusals():
        autocast = Fabric(accelerator=device.type, devices=1, precision=settings.trainer.get("precision")).autocast
    return Mode(module, torch.optim.AdamW(module.parameters(), lr=1e-4), batches, autocast)


def finished(data: ClipDataModule, device: torch.device) -> Iterator[Batch]:
    """Yield training batches for ever, as the student gets them."""
    loader = data.train_dataloader()
    while True:
        for batch in loader:
            yield data.on_after_batch_transfer(_to(batch, device), 0)


def _to(batch: Batch, device: torch.device) -> Batch:
    def moved(value: Any) -> Any:  # noqa: ANN401
        return value.to(device) if isinstance(value, torch.Tensor) else value

    return {name: moved(value) for name, value in batch.items()}


def few_clicks(settings: FitSettings, scratch: Path) -> Path:
    """Write a click store with only as many targets as the benchmark needs."""
    chosen, layout = settings.data.clicks, settings.dataset.layout
    store = find_click_store(layout, Path(chosen.store) if chosen.store else None)
    if store is None:
        store = scratch / "all.sqlite"
        simulate_split(layout, "train", store, rule=chosen.rule, min_area=chosen.min_area, seed=settings.seed)
    clicks = TargetClicks.read(store, settings.dataset, chosen, seed=settings.seed).clicks
    few = scratch / "few.sqlite"
    with ClickStore.create(few, settings.dataset.classes) as written:
        for key in list(clicks)[: TARGETS * settings.data.batch_size]:
            written.replace(key, clicks[key])
    return few
