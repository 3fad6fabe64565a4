"""The LightningDataModule: batches of clicked targets and their unlabelled neighbours."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import lightning.pytorch as pl
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from weclick.clicks.budget import spread_frames
from weclick.conventions import FrameKey, Size
from weclick.data.carry import ClickCarrier
from weclick.data.damage import DamageCount
from weclick.data.dataset import DataSet
from weclick.data.draws import GeometricDraw
from weclick.data.finish import finish
from weclick.data.grown import GrowingClicks
from weclick.data.index import Clip, Split, unlabelled_clips
from weclick.data.loader import ResumableLoader, collate, collate_frames
from weclick.data.masks import find_click_store
from weclick.data.options import CROP_MULTIPLE, DataOptions
from weclick.data.photometric import make_augmentation
from weclick.data.sampler import SeededSampler, own_batch, own_share, sample_seed
from weclick.data.samples import ClipFrames, EvaluationFrames, TrainingSamples, Unlabelled
from weclick.data.supply import Batch, Sample, Supply
from weclick.data.targets import TargetClicks
from weclick.data.unused import unused_clicks
from weclick.errors import ConfigError, DataError
from weclick.machine import default_workers

MAX_DAMAGED: Final = 0.05
"""A run stops when more than this share of its frames, neighbours included, is unreadable. One frame alone never stops it."""


class ClipDataModule(pl.LightningDataModule):
    """Clicked target frames, their unlabelled neighbours, and labelled frames to evaluate on.

    Nothing is filled in later: what the loss terms need is passed as ``supplies``.

    Args:
        options: Data set, clicks, clips and draws; also as a plain mapping.
        seed: Seed of the samples' order and draws.
        dataset: The data set of ``options``, if it is already open.
        clicks: Click store to train from; by default the one of the options, else the one in the root.
        supplies: What loss terms need besides image and labels.

    Raises:
        ConfigError: An option is impossible, or two supplies add the same to a batch.
        DataError: The data set cannot be opened.
    """

    def __init__(
        self,
        options: DataOptions | Mapping[str, Any],
        *,
        seed: int = 0,
        dataset: DataSet | None = None,
        clicks: Path | None = None,
        supplies: Sequence[Supply] = (),
    ) -> None:
        super().__init__()
        self.options = DataOptions.of(options, "data")
        self.seed, self.supplies = seed, tuple(supplies)
        added = [supply.adds for supply in self.supplies]
        if len(set(added)) < len(added):  # the second would silently replace the first
            raise ConfigError(f"two supplies of a data module add the same, of {', '.join(added)}; keep one")
        self.dataset = dataset or DataSet.open(self.options.root, self.options.layout)
        self.dataset = self.dataset.at(self.options.size)
        self._augmentation = make_augmentation(self.options.draws.colour)
        self._store = clicks
        self._damage = DamageCount(MAX_DAMAGED)

    @property
    def crop(self) -> Size:
        """Size (h, w) of training crops.

        Raises:
            ConfigError: Frames are too small for any crop.
        """
        height, width = self.dataset.size
        if min(height, width) < CROP_MULTIPLE:
            raise ConfigError(
                f"data.size {height} x {width} is smaller than {CROP_MULTIPLE}, the smallest crop; set a larger one"
            )
        largest = (height // CROP_MULTIPLE * CROP_MULTIPLE, width // CROP_MULTIPLE * CROP_MULTIPLE)
        return self.options.draws.crop or largest

    # Clicks and clips

    @cached_property
    def clicks(self) -> TargetClicks | None:
        """Clicks to train from; None for dense masks."""
        if self.options.supervision == "masks":
            return None
        chosen = self.options.clicks
        given = Path(chosen.store) if chosen.store else None
        store = self._store or find_click_store(self.dataset.layout, given)
        if store is None:
            raise DataError(f"no clicks in {self.dataset.root}; weclick clicks simulate makes some from its masks")
        return TargetClicks.read(store, self.dataset, chosen, seed=self.seed)

    @cached_property
    def clips(self) -> list[Clip]:
        """Training clips: one per target, or per masked frame under full supervision.

        Raises:
            DataError: There is nothing to train on.
        """
        if self.clicks is None:
            masked = (frame.key for frame in self.dataset.labelled("train"))
            clips = self._clips(spread_frames(masked, self.options.clicks.frame_share))
            if not clips:
                raise DataError(
                    f"no training frame of {self.dataset.root} has masks, which data.supervision masks (--arm full) trains "
                    "from; add some (data/README.md shows where), or choose another arm"
                )
            return clips
        clips = self._clips(self.clicks.clicks)
        if not clips:
            hint = unused_clicks(self.dataset.layout, self.clicks.stored) or "click some, or check data.root"
            raise DataError(f"no training frame of {self.dataset.root} has clicks ({self.clicks.store}); {hint}")
        return clips

    @cached_property
    def memory_clips(self) -> list[Clip]:
        """Clips that a memory is built for: those of all targets and, if samples are drawn from them, of their neighbours."""
        if not self.options.draws.unlabelled:
            return self.clips
        return self._clips({frame.key for clip in self.clips for frame in clip.frames})

    def _clips(self, targets: Iterable[FrameKey]) -> list[Clip]:
        without = self.clicks.held_out if self.clicks is not None else ()
        return self.dataset.clips("train", targets, self.options.clips, without)

    @property
    def _drawn_clips(self) -> list[Clip]:
        """Clips that samples are drawn from; unlabelled frames are among them if a loss term can learn from them."""
        carried = self.options.draws.carried and self.clicks is not None
        labelled = carried or any(supply.labels_unlabelled for supply in self.supplies)
        return self.memory_clips if labelled else self.clips

    # Loaders

    def train_dataloader(self) -> DataLoader[Sample]:
        """Return the training samples, in an order that follows from the seed."""
        draws = self.options.draws
        carrier = ClickCarrier() if draws.carried and self.clicks is not None else None
        samples = TrainingSamples(
            self.clips,
            self.clicks,
            self.dataset.reader,
            GeometricDraw(self.crop, draws.scale, draws.flip),
            num_classes=len(self.dataset.classes),
            radius=self.options.clicks.radius,
            unlabelled=Unlabelled(draws.unlabelled, unlabelled_clips(self.clips, self._drawn_clips), carrier),
            supplies=self.supplies,
        )
        (replicas, rank), batch_size = self._share, self.options.batch_size
        sampler = SeededSampler(samples, seed=self.seed, batch_size=batch_size, replicas=replicas, rank=rank)
        return ResumableLoader(
            samples, sampler, batch_size=self.own_batch, collate_fn=collate, **self._loader_options()
        )

    def val_dataloader(self) -> DataLoader[Sample]:
        """Return the labelled frames of the validation split."""
        return self.evaluation_loader("val")

    def evaluation_loader(self, split: Split) -> DataLoader[Sample]:
        """Return the labelled frames of a split, each once over all processes.

        Raises:
            DataError: It has none.
        """
        frames, where = self.dataset.labelled(split), f"the {split} split of {self.dataset.root}"
        if not frames:
            raise DataError(f"{where} has no masks to evaluate with; see data/README.md")
        own = EvaluationFrames(own_share(frames, *self._share, where), self.dataset.reader)
        batch_size = max(1, self.options.batch_size // self._share[0])
        return DataLoader(own, batch_size=batch_size, collate_fn=collate_frames, **self._loader_options())

    def frame_loader(self, clips: Sequence[Clip], batch_size: int = 1) -> DataLoader[Sample]:
        """Return the frames of clips, each once, as lists of samples (:class:`ClipFrames`), for building the memory."""
        frames = ClipFrames(clips, self.dataset.reader)
        return DataLoader(frames, batch_size=batch_size, collate_fn=list, **self._loader_options())

    def growing_loader(self, clips: list[Clip]) -> DataLoader[Sample]:
        """Return the clicks of targets grown to label maps, each once, as lists of one sample (:class:`GrowingClicks`)."""
        assert self.clicks is not None
        growing = GrowingClicks(clips, self.clicks, self.dataset.reader, self.options.clicks.grow)
        return DataLoader(growing, collate_fn=list, **self._loader_options())

    @property
    def workers(self) -> int:
        """Loader processes of this process."""
        processes = self.trainer.num_devices if self.trainer is not None else 1  # on this machine: they share its cores
        return default_workers(processes) if self.options.workers is None else self.options.workers

    def _loader_options(self) -> dict[str, Any]:
        pinned = self.trainer is not None and self.trainer.strategy.root_device.type == "cuda"
        return {"num_workers": self.workers, "persistent_workers": self.workers > 0, "pin_memory": pinned}

    @property
    def own_batch(self) -> int:
        """Samples that this process takes in one step.

        Raises:
            ConfigError: ``data.batch_size`` cannot be divided.
        """
        accumulated = self.trainer.accumulate_grad_batches if self.trainer is not None else 1
        return own_batch(self.options.batch_size, self._share[0], accumulated)

    @property
    def _share(self) -> tuple[int, int]:
        """Number of processes that share the samples, and the rank of this one."""
        return (self.trainer.world_size, self.trainer.global_rank) if self.trainer is not None else (1, 0)

    # Batches

    def on_after_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        """Scale images to 0..1 on the device, and complete training batches; see :func:`weclick.data.finish.finish`."""
        images = batch["image"]
        batch["image"] = images.float() / 255 if isinstance(images, Tensor) else [each.float() / 255 for each in images]
        if "damaged" in batch:
            self._damage.add(batch.pop("damaged"), self._count_frames)
            finish(batch, supplies=self.supplies, augmentation=self._augmentation)
            self._seed_step()
        return batch

    def _seed_step(self) -> None:
        """Seed the network's random operations (dropout) by seed, step and process.

        A resumed training then draws the same numbers as an uninterrupted one.
        """
        if self.trainer is not None:
            torch.manual_seed(sample_seed(self.seed, self.trainer.fit_loop.total_batch_idx + 1, self._share[1]))

    def count_damaged(self, messages: Sequence[str]) -> None:
        """Count damaged frames of a memory, with a warning for each; see :class:`~weclick.data.damage.DamageCount`."""
        self._damage.add(messages, lambda: len(ClipFrames(self.memory_clips, self.dataset.reader)))

    def _count_frames(self) -> int:
        """Return how many frames a training reads: targets and, if a supply reads them, their neighbours."""
        neighbours = any(supply.reads_neighbours for supply in self.supplies)
        clips = self._drawn_clips
        return len(ClipFrames(clips, self.dataset.reader)) if neighbours else len(clips)
