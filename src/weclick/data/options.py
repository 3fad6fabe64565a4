"""Options of the data: clicks, clips, and how samples are drawn."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from weclick.conventions import MAX_PIXELS
from weclick.data.index import Sides
from weclick.extensions import Part
from weclick.options import (
    NonNegativeFloat,
    NonNegativeInt,
    OptionError,
    Options,
    PositiveFloat,
    PositiveInt,
    PositiveShare,
    Share,
)

Supervision = Literal["clicks", "masks"]

CROP_MULTIPLE = 32
"""Coarsest stride of the networks. The sides of a crop are multiples of it; other crops would be padded in every step."""


@dataclass(frozen=True)
class ClickOptions(Options):
    """Clicks to train from.

    Args:
        store: Click store; by default ``clicks.sqlite`` in the root, else simulated from the masks. A run trains from a copy.
        rule: How simulated clicks are placed: ``center``, ``uniform`` or ``human``.
        min_area: Smallest region that gets a simulated click, in source pixels. Objects with an instance id and the largest
            region of a class get one at any size.
        radius: Radius of the disc that a click is drawn as, in pixels of the network input.
        held_out: Where no split has masks, hold this share of the clicked frames out from training, for ``weclick test`` to
            measure with; whole videos where there are several, else the end of one. Of fewer than 8 frames none is held out.
        frame_share: Train from this share of the clicked (or masked) frames, evenly spread over all videos.
        per_frame: Train from at most this number of clicks per frame, classes in turn; no class then counts as absent.
        grow: How far clicks grow for the loss term ``grown``: to pixels at most this share as far from a click as from any
            click of another class, along paths that cross edges of colour at a cost. Clicks of a frame
            without a click on every region do not grow.
        sure: Pixels of an accepted label are learned from by the loss term ``accepted`` if they have at least this confidence.
    """

    store: str | None = None
    rule: Literal["center", "uniform", "human"] = "center"
    min_area: PositiveInt = 100
    radius: NonNegativeFloat = 2.0
    held_out: Share = 0.1
    frame_share: PositiveShare = 1.0
    per_frame: PositiveInt | None = None
    grow: PositiveShare = 0.15
    sure: Share = 0.5


@dataclass(frozen=True)
class ClipOptions(Options):
    """Clips: a target and its unlabelled neighbours.

    Args:
        neighbours: Number of neighbour frames of a clip.
        stride: Distance between neighbours, in steps of the video.
        sides: ``past`` takes earlier frames only (the paper's), ``both`` also later ones.
    """

    neighbours: NonNegativeInt = 2
    stride: PositiveInt = 1
    sides: Sides = "past"


@dataclass(frozen=True)
class DrawOptions(Options):
    """Random draws of training samples.

    Args:
        crop: Size [h, w] of training crops, multiples of 32; by default the working size rounded down.
        scale: Smallest and largest random scale before cropping.
        flip: Probability of a horizontal flip.
        colour: Strength of the colour augmentation, 0 (off) to 1; or an augmentation from outside
            (:mod:`weclick.extensions`).
        unlabelled: Share of the samples that are drawn from an unlabelled neighbour instead of the target, if there is a
            memory to learn from.
        carried: Give these samples the target's clicks, carried along reliable optical flow; they are then drawn without a
            memory too.
    """

    crop: tuple[int, int] | None = None
    scale: tuple[PositiveFloat, PositiveFloat] = (0.5, 2.0)
    flip: Share = 0.5
    colour: Share | Part = 0.3
    unlabelled: Share = 0.0
    carried: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.crop is not None and any(side % CROP_MULTIPLE or side <= 0 for side in self.crop):
            raise OptionError("crop", f"must be positive multiples of {CROP_MULTIPLE}, found {list(self.crop)}")
        if self.scale[0] > self.scale[1]:
            raise OptionError("scale", f"must be smallest and largest, found {list(self.scale)}")
        if self.carried and not self.unlabelled:
            raise OptionError(
                "carried", "has an effect only on unlabelled frames; set data.draws.unlabelled above 0 too"
            )


@dataclass(frozen=True)
class DataOptions(Options):
    """A data set, and how training samples are made from it.

    Args:
        root: Folder of the data set; data/README.md shows the layouts.
        layout: ``cityscapes``, ``camvid``, ``folder``, ``auto`` to recognise one of them, or a layout from outside
            (:mod:`weclick.extensions`).
        size: Working size [H, W]; by default that of the first readable one of the first ten frames. Frames of another shape
            keep it, and get as many pixels.
        supervision: ``clicks``, or ``masks`` for the fully supervised ceiling.
        batch_size: Training samples per optimiser step, over all processes and accumulated steps.
        workers: Loader processes; by default half the CPU cores of this process, at most 8. 0 loads in the training process.
        clicks: Clicks to train from.
        clips: Neighbours of a target.
        draws: How samples are drawn.
    """

    root: str
    layout: Part = "auto"
    size: tuple[PositiveInt, PositiveInt] | None = None
    supervision: Supervision = "clicks"
    batch_size: PositiveInt = 8
    workers: NonNegativeInt | None = None
    clicks: ClickOptions = field(default_factory=ClickOptions)
    clips: ClipOptions = field(default_factory=ClipOptions)
    draws: DrawOptions = field(default_factory=DrawOptions)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.size is not None and self.size[0] * self.size[1] > MAX_PIXELS:
            raise OptionError("size", f"must have at most {MAX_PIXELS} pixels, found {list(self.size)}")
