"""Images per second of student training: stored memory, online memory, plain supervision, the network alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from itertools import cycle
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any, Final

import torch
from lightning.fabric import Fabric

from weclick.clicks import ClickStore
from weclick.data.datamodule import ClipDataModule
from weclick.data.recall import Batch, OnlineMemory, StoredMemory
from weclick.data.samples import RawClip
from weclick.flow.estimators import make_flow
from weclick.memory import MemoryStore, items
from weclick.modules import StudentModule, TeacherModule
from weclick.pipeline.benchmark.table import BenchmarkTable
from weclick.pipeline.memory import recalls
from weclick.pipeline.settings import FitSettings, refusing_options
from weclick.pipeline.training import frozen

ONLINE_NEIGHBOURS: Final = 4
TARGETS: Final = 3
"""Batches' worth of targets that get a memory; they are trained on again and again."""


@dataclass
class Mode:
    """One way to train, with all it needs to make a step; ``autocast`` gives the precision its losses are computed in."""

    module: StudentModule
    optimizer: torch.optim.Optimizer
    batches: Iterator[Batch]
    autocast: Callable[[], AbstractContextManager[None]]

    def step(self) -> int:
        """Train on the next batch and return its number of images."""
        batch = next(self.batches)
        with self.autocast():
            terms = self.module.loss_terms(self.module(batch["image"]), batch)
            loss = torch.stack(list(terms.values())).sum()  # weights would change nothing about the time
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
        progress: Told (blocks done, blocks in all).
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
            "images/s": median(found),
            "slowest": min(found),
            "fastest": max(found),
            "of plain": median(found) / plain,
        }
        for name, found in rates.items()
    ]
    facts = {
        "crop": f"{data.crop[1]}x{data.crop[0]}",
        "batch": data.batch_size,
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
            _wait(device)
            begin, images = perf_counter(), sum(mode.step() for _ in range(steps))
            _wait(device)
            rates[name].append(images / (perf_counter() - begin))
            if progress is not None:
                progress(number * len(modes) + position + 1, rounds * len(modes))
    return rates


def _wait(device: torch.device) -> None:
    """Wait for what a GPU has been given to do; the CPU has done it."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def make_modes(settings: FitSettings, scratch: Path) -> dict[str, Mode]:
    """Return every mode by its name in the table."""
    full = settings.make_data()
    full.open_clicks(scratch / "all.sqlite")
    few = _few_clicks(full, scratch / "few.sqlite")
    few_settings = replace(settings, data={**settings.data, "clicks": str(few)})
    device = settings.device
    with refusing_options():
        autocast = Fabric(accelerator=device.type, devices=1, precision=settings.trainer.get("precision")).autocast
    classes = full.classes.to_list()
    teacher = frozen(TeacherModule(classes, full.size, **{**settings.teacher, "pretrained": False}), device)
    flow = make_flow(settings.memory.flow, device)

    stored = few_settings.make_data()
    store = MemoryStore(scratch / "memory", {"version": 0})
    for key, recall in recalls(stored, stored.clips(), teacher, flow, device):
        store.write(key, items(recall)[0])
    stored.recall = StoredMemory(store)
    online = replace(few_settings, data={**few_settings.data, "neighbours": ONLINE_NEIGHBOURS}).make_data()
    online.recall = OnlineMemory(teacher, flow, RawClip(online.reader, online.neighbours))
    plain = few_settings.make_data()
    if full.labelled("train"):
        plain.supervision = "masks"

    ready = [batch for batch, _ in zip(finished(plain, device), range(2), strict=False)]

    def mode(batches: Iterator[Batch], weight: float = 0.0) -> Mode:
        options = {
            **settings.student,
            "pretrained": False,
            "kd_weight": weight,
            "mfd_weight": weight,
            "etc_weight": 0.0,
        }
        module = StudentModule(classes, full.size, **options).to(device)
        return Mode(module, torch.optim.AdamW(module.parameters(), lr=1e-4), batches, autocast)

    return {
        "network alone, ready tensors": mode(cycle(ready)),
        "plain supervision": mode(finished(plain, device)),
        "stored memory": mode(finished(stored, device), weight=1.0),
        f"online memory, {ONLINE_NEIGHBOURS} neighbours": mode(finished(online, device), weight=1.0),
    }


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


def _few_clicks(data: ClipDataModule, path: Path) -> Path:
    """Write a click store with only as many targets as the benchmark needs."""
    chosen = [clip.target.key for clip in data.clips()][: TARGETS * data.batch_size]
    with ClickStore.create(path, data.classes) as store:
        for key in chosen:
            store.replace(key, data.clicks[key])
    return path
