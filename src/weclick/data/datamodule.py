"""The LightningDataModule: clicked targets with unlabelled neighbours in, batches out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import lightning.pytorch as pl
import numpy as np
import torch
from torch.utils.data import DataLoader

from weclick.classes import ClassSet
from weclick.clicks import Click, ClickStore, FrameRecord, Size
from weclick.clicks.budget import spread_frames, within_budget
from weclick.data.carry import ClickCarrier
from weclick.data.damage import DamageCount
from weclick.data.draws import CROP_MULTIPLE, GeometricDraw, check_draw
from weclick.data.finish import finish
from weclick.data.index import Clip, Frame, FrameKey, Layout, Segment, Sides, Split, clips, segments, unlabelled_clips
from weclick.data.layouts import LayoutName, open_layout
from weclick.data.loader import ResumableLoader, collate_frames, default_workers
from weclick.data.masks import found_or_simulated
from weclick.data.pairs import PairSource
from weclick.data.photometric import Photometric
from weclick.data.recall import Batch, MemorySource, reads_neighbours
from weclick.data.sampler import SeededSampler, own_share, sample_seed
from weclick.data.samples import ClipFrames, EvaluationFrames, FrameReader, Sample, Supervision, TrainingSamples
from weclick.data.unused import clicks_elsewhere
from weclick.errors import ConfigError, DataError
from weclick.images import first_size
from weclick.ranges import (
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    PositiveShare,
    Seed,
    Share,
    check_ranges,
)


class ClipDataModule(pl.LightningDataModule):
    """Clicked target frames, their unlabelled neighbours, and labelled frames to evaluate on.

    Args:
        root: Folder of the data set; data/README.md shows the layouts.
        layout: ``cityscapes``, ``camvid``, ``folder``, or ``auto`` to recognise it.
        clicks: Click store; by default ``clicks.sqlite`` in the root, else simulated from the masks. A run learns from a copy.
        click_rule: How simulated clicks are placed: ``center``, ``uniform`` or ``human``.
        click_min_area: Smallest region that gets a simulated click, in source pixels. Objects with an instance id always do,
            however small, and so does the largest region of a class.
        click_radius: Radius of the disc a click is drawn as, in pixels of the network input.
        frame_share: Train from this share of the clicked (or masked) frames, evenly spread over all videos in a row.
        clicks_per_frame: Train from at most so many clicks per frame, classes in turn; no class is then known to be absent.
        size: Working size [H, W] of all frames; by default that of the first readable one of the first ten.
        crop: Size [h, w] of training crops, multiples of 32; by default the working size rounded down.
        scale: Smallest and largest random scale before cropping.
        flip: Probability of a horizontal flip.
        photometric: Strength of colour augmentation, 0 (off) to 1.
        neighbours: How many neighbour frames a clip has.
        stride: Distance between neighbours, in steps of the video.
        sides: ``past`` takes earlier frames only (the paper's), ``both`` also later ones.
        batch_size: Training samples per batch and process.
        workers: Loader processes; by default half the CPU cores, at most 8. 0 loads in the training process.
        unlabelled: Share of the draws, where there is a memory, that come from an unlabelled neighbour of the target
            instead: the network learns them from the memory alone.
        carried: On these draws the target's clicks count too, carried along reliable optical flow; so there are such draws
            without a memory as well, for teachers and arms without one.
        supervision: ``clicks``, or ``masks`` for the fully supervised ceiling.
        max_damaged: Largest share of the frames that are read, neighbours included, that may be unreadable before the run
            stops; 0 stops at the first one, any other share forgives at least one.
        seed: Of order and draws.

    Raises:
        ConfigError: A number is outside of the range its type states, or options do not go together.
    """

    def __init__(
        self,
        root: str,
        layout: LayoutName = "auto",
        clicks: str | None = None,
        click_rule: Literal["center", "uniform", "human"] = "center",
        click_min_area: PositiveInt = 100,
        click_radius: NonNegativeFloat = 2.0,
        frame_share: PositiveShare = 1.0,
        clicks_per_frame: PositiveInt | None = None,
        size: tuple[PositiveInt, PositiveInt] | None = None,
        crop: tuple[int, int] | None = None,
        scale: tuple[PositiveFloat, PositiveFloat] = (0.75, 1.5),
        flip: Share = 0.5,
        photometric: Share = 0.3,
        neighbours: NonNegativeInt = 2,
        stride: PositiveInt = 1,
        sides: Sides = "past",
        batch_size: PositiveInt = 8,
        workers: NonNegativeInt | None = None,
        unlabelled: Share = 0.0,
        carried: bool = False,
        supervision: Supervision = "clicks",
        max_damaged: Share = 0.05,
        seed: Seed = 0,
    ) -> None:
        check_ranges(ClipDataModule, locals(), "data")
        check_draw(crop, scale)
        if carried and not unlabelled:
            raise ConfigError("data.carried is for draws from unlabelled frames; set data.unlabelled above 0 too")
        super().__init__()
        self.root = Path(root)
        self.layout_name, self.clicks_path = layout, Path(clicks) if clicks else None
        self.click_rule, self.click_min_area, self.click_radius = click_rule, click_min_area, click_radius
        self.frame_share, self.clicks_per_frame = frame_share, clicks_per_frame
        self._size, self._crop, self.scale, self.flip = size, crop, scale, flip
        self.photometric = Photometric(photometric) if photometric else None
        self.neighbours, self.stride, self.sides = neighbours, stride, sides
        self.batch_size, self.seed = batch_size, seed
        self.workers = default_workers() if workers is None else workers
        self.unlabelled, self.carried, self.supervision = unlabelled, carried, supervision
        self.recall: MemorySource | None = None
        self.pair: PairSource | None = None
        self.chosen_split: Split | None = None
        self._damage = DamageCount(max_damaged)

    # What there is

    @cached_property
    def layout(self) -> Layout:
        """The data set's layout."""
        return open_layout(self.layout_name, self.root)

    @property
    def classes(self) -> ClassSet:
        """The data set's classes."""
        return self.layout.classes

    @cached_property
    def reader(self) -> FrameReader:
        """Reads frames at the working size."""
        table = self.layout.label_ids()
        return FrameReader(self.size, None if table is None else np.asarray(table, np.int16))

    @cached_property
    def size(self) -> tuple[int, int]:
        """Working size (H, W)."""
        if self._size is not None:
            return (self._size[0], self._size[1])
        images = (frame.image for split in self.layout.splits() for frame in self.layout.frames(split))
        return first_size(islice(images, 10))

    @property
    def crop(self) -> tuple[int, int]:
        """Size (h, w) of training crops."""
        sides = self._crop or tuple(side // CROP_MULTIPLE * CROP_MULTIPLE for side in self.size)
        return (sides[0], sides[1])

    def segments(self, split: Split) -> list[Segment]:
        """Return the split's runs of frames without gaps and without frames of other splits in between."""
        others = (other for other in self.layout.splits() if other != split)
        borders = (frame.key for other in others for frame in self.layout.frames(other))
        return segments(self.layout.frames(split), borders)

    def labelled(self, split: Split) -> list[Frame]:
        """Return the split's frames that have a mask."""
        return [frame for segment in self.segments(split) for frame in segment.frames if frame.label is not None]

    @property
    def evaluation_split(self) -> Split:
        """``test`` when it has labels, else ``val``."""
        return "test" if self.labelled("test") else "val"

    # Clicks

    def open_clicks(self, simulated: Path) -> Path:
        """Find the click store, or simulate one; see :func:`~weclick.data.masks.found_or_simulated`."""
        self.clicks_path = found_or_simulated(
            self.layout, self.clicks_path, simulated, rule=self.click_rule, min_area=self.click_min_area, seed=self.seed
        )
        return self.clicks_path

    @cached_property
    def clicks(self) -> Mapping[FrameKey, Sequence[Click]]:
        """Clicks to learn from, of every target, in source pixels: those of training frames, within the budget."""
        train = {frame.key for frame in self.layout.frames("train")}
        found = {key: clicks for key, clicks in self._stored[1].items() if key in train}
        return within_budget(found, share=self.frame_share, count=self.clicks_per_frame, seed=self.seed)

    @cached_property
    def unfinished(self) -> frozenset[FrameKey]:
        """Targets that are clicked but not done: what has no click there is not known to be absent."""
        targets = () if self.supervision == "masks" else self.clicks
        return frozenset(key for key in targets if self._stored[0].get(key, FrameRecord()).status != "done")

    @cached_property
    def clicked_sizes(self) -> Mapping[FrameKey, Size]:
        """Size (H, W) every frame was clicked at, where the store knows it."""
        return {key: frame.size for key, frame in self._stored[0].items() if frame.size is not None}

    @cached_property
    def _stored(self) -> tuple[Mapping[FrameKey, FrameRecord], Mapping[FrameKey, Sequence[Click]]]:
        if self.clicks_path is None:
            raise DataError("no click store is open; call open_clicks first")
        with ClickStore(self.clicks_path, self.classes, readonly=True) as store:
            # frames first: one that somebody finishes in between then counts as unfinished
            return store.frames(), store.all_clicks()

    def clips_of(self, split: Split, targets: Iterable[FrameKey]) -> list[Clip]:
        """Return the clips of some frames of a split, with as many neighbours as the settings ask for."""
        found = self.segments(split)
        return clips(found, targets, neighbours=self.neighbours, stride=self.stride, sides=self.sides)

    def clips(self) -> list[Clip]:
        """Return the training clips: one per target, or per masked frame under full supervision.

        Raises:
            DataError: There is nothing to train on.
        """
        if self.supervision == "masks":
            targets = spread_frames((frame.key for frame in self.labelled("train")), self.frame_share)
        else:
            targets = list(self.clicks)
        found = self.clips_of("train", targets)
        if not found:
            if self.supervision == "masks":
                raise DataError(
                    f"no training frame of {self.root} has masks, which data.supervision masks (--arm full) learns from; "
                    "add some (data/README.md shows where), or choose another arm"
                )
            told = clicks_elsewhere(self.layout, self._stored[1]) or "click some, or check data.root"
            raise DataError(f"no training frame of {self.root} has clicks ({self.clicks_path}); {told}")
        return found

    def remembered(self) -> list[Clip]:
        """Return the clips a memory is made of: those of all targets and, if the draws need them, of their neighbours."""
        found = self.clips()
        if not self.unlabelled:
            return found
        return self.clips_of("train", {frame.key for clip in found for frame in clip.frames})

    # Batches

    def _drawn(self) -> list[Clip]:
        """Return the clips that draws come from: also those of unlabelled frames, where something can teach them."""
        taught = self.recall is not None or (self.carried and self.supervision == "clicks")
        return self.remembered() if taught else self.clips()

    def train_dataloader(self) -> DataLoader[Sample]:
        """Return drawn training samples in seeded order."""
        found, masks = self.clips(), self.supervision == "masks"
        carrier = ClickCarrier() if self.carried and not masks else None
        dataset = TrainingSamples(
            found,
            {} if masks else self.clicks,
            self.reader,
            GeometricDraw(self.size, self.crop, self.scale, self.flip),
            num_classes=len(self.classes),
            sizes={} if masks else self.clicked_sizes,
            supervision=self.supervision,
            radius=self.click_radius,
            incomplete=self.unfinished if masks or self.clicks_per_frame is None else self.clicks,
            extra=self.recall.read if self.recall else None,
            unlabelled=(self.unlabelled, unlabelled_clips(found, self._drawn())),
            neighbour=self.pair.read if self.pair else None,
            carrier=carrier,
        )
        replicas, rank = self._share()
        sampler = SeededSampler(dataset, seed=self.seed, replicas=replicas, rank=rank)
        drop_last = len(sampler) >= self.batch_size  # BatchNorm cannot train on a last batch of one
        return ResumableLoader(
            dataset, sampler, batch_size=self.batch_size, drop_last=drop_last, **self._loader_options()
        )

    def val_dataloader(self) -> DataLoader[Sample]:
        """Return the labelled frames of the validation split."""
        return self._evaluation_loader("val")

    def test_dataloader(self) -> DataLoader[Sample]:
        """Return the labelled frames of the chosen split, by default the evaluation split."""
        return self._evaluation_loader(self.chosen_split or self.evaluation_split)

    def clip_loader(self, found: Sequence[Clip], batch_size: int = 1) -> DataLoader[Sample]:
        """Return the frames of clips, each once, as lists of samples (:class:`ClipFrames`), for building the memory."""
        frames = ClipFrames(found, self.reader)
        return DataLoader(frames, batch_size=batch_size, collate_fn=list, **self._loader_options())

    def _evaluation_loader(self, split: Split) -> DataLoader[Sample]:
        frames, where = self.labelled(split), f"the {split} split of {self.root}"
        if not frames:
            raise DataError(f"{where} has no masks to evaluate with; see data/README.md")
        own = EvaluationFrames(own_share(frames, *self._share(), where), self.reader)
        return DataLoader(own, batch_size=self.batch_size, collate_fn=collate_frames, **self._loader_options())

    def _loader_options(self) -> dict[str, Any]:
        pinned = self.trainer is not None and self.trainer.strategy.root_device.type == "cuda"
        return {"num_workers": self.workers, "persistent_workers": self.workers > 0, "pin_memory": pinned}

    def _share(self) -> tuple[int, int]:
        return (self.trainer.world_size, self.trainer.global_rank) if self.trainer is not None else (1, 0)

    def on_after_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        """Bring images to 0..1 on the device; a training batch is :func:`~weclick.data.finish.finish`-ed too."""
        batch["image"] = batch["image"].float() / 255
        if "damaged" in batch:
            self._damage.add(batch.pop("damaged"), self._frames_read)
            self._seed_step()
            finish(batch, pair=self.pair, photometric=self.photometric, recall=self.recall)
        return batch

    def _seed_step(self) -> None:
        """Let all that is random on the device (colour, dropout) follow from seed, step and process.

        A resumed training then draws what the uninterrupted one would have drawn.
        """
        if self.trainer is not None:
            torch.manual_seed(sample_seed(self.seed, self.trainer.fit_loop.total_batch_idx + 1, self._share()[1]))

    def count_damaged(self, messages: Sequence[str]) -> None:
        """Warn of damaged ones among the frames a memory is made of; see :class:`~weclick.data.damage.DamageCount`."""
        self._damage.add(messages, lambda: len(ClipFrames(self.remembered(), self.reader)))

    def _frames_read(self) -> int:
        """Tell how many frames training reads: the drawn ones and, for a pair or an online memory, their neighbours."""
        neighbours = self.pair is not None or reads_neighbours(self.recall)
        return len(ClipFrames(self._drawn(), self.reader) if neighbours else self._drawn())
