"""Reading samples: training draws, evaluation frames, and the clips the memory is built from."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from weclick.clicks import Click, Size
from weclick.conventions import IGNORE_INDEX
from weclick.data.carry import ClickCarrier
from weclick.data.damage import refuse_other_picture
from weclick.data.draws import Draw, GeometricDraw, draw_discs
from weclick.data.index import Clip, Frame, FrameKey
from weclick.data.sampler import SampleKey
from weclick.errors import DataError
from weclick.images import check_same_size, read_image, read_label, resize_image

Sample = dict[str, Any]
Supervision = Literal["clicks", "masks"]
_Supervised = tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.float32]]

_NO_CLICKS: Final = np.zeros((0, 3), np.float32)

TRIES: Final = 3
"""How many other samples stand in for a damaged one before giving up."""

cv2.setNumThreads(0)  # workers are the parallelism; OpenCV's own threads in each of them only get in the way


@dataclass(frozen=True)
class FrameReader:
    """Reads frames at the working size and labels at their own.

    Args:
        size: Working size (H, W).
        table: From stored label values to class ids, see ``Layout.label_ids``.
    """

    size: tuple[int, int]
    table: NDArray[np.int16] | None = None

    def image(self, frame: Frame) -> NDArray[np.uint8]:
        """Return the frame as RGB uint8 (H, W, 3) at the working size."""
        return resize_image(read_image(frame.image), self.size)

    def label(self, frame: Frame) -> NDArray[np.uint8]:
        """Return the frame's label at its own size."""
        if frame.label is None:
            raise DataError(f"frame {frame.key} has no mask")
        return read_label(frame.label, self.table)

    def labelled(self, frame: Frame) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Return image at the working size and label at its own, refusing a pair of different sizes."""
        image, label = read_image(frame.image), self.label(frame)
        check_same_size(image, label, frame.image, frame.label or frame.image)
        return resize_image(image, self.size), label


class TrainingSamples(Dataset[Sample]):
    """One drawn sample per target frame.

    A sample holds ``image`` uint8 (3, h, w), ``labels`` uint8 (h, w), ``present`` bool (C,): the classes the whole frame
    holds as far as its labels tell, ``grid`` float (h/4, w/4, 2), ``damaged`` (what is wrong with images that could not be
    read, a line for each: another sample stands in for a target, a neighbour is left out), what ``extra`` adds for the
    target, and where ``neighbour`` is given, the frame it reads under the target's draw as ``neighbour`` uint8 (3, h, w),
    and ``paired``, which is False where the target itself stands in.

    Args:
        clips: Targets with neighbours; neighbours are read only by ``extra`` and ``neighbour``.
        clicks: Clicks of every target, in source pixels. Not used with masks.
        num_classes: C.
        sizes: (H, W) of the frames as they were clicked, where known; a frame of another size is damaged, and so is one with a
            click outside of it.
        supervision: ``masks`` reads dense labels (the fully supervised ceiling), ``clicks`` never opens a mask.
        radius: Of a click's disc, in pixels of the drawn image.
        incomplete: Targets on which an object may lack its click, so that no class is known to be absent: ``present`` is
            all False there, which means that nothing is known.
        unlabelled: Share of the draws that come from one of the clips listed for the target instead, which have neither
            clicks nor masks.
        extra: Reads what the recall needs for a target (see :mod:`weclick.data.recall`), or None.
        neighbour: Reads the neighbour a target is paired with (see :mod:`weclick.data.pairs`), or None.
        carrier: Carries the target's clicks to the unlabelled frame drawn in its place, or None.
    """

    def __init__(
        self,
        clips: Sequence[Clip],
        clicks: Mapping[FrameKey, Sequence[Click]],
        reader: FrameReader,
        draw: GeometricDraw,
        *,
        num_classes: int,
        sizes: Mapping[FrameKey, Size] | None = None,
        supervision: Supervision = "clicks",
        radius: float = 2.0,
        incomplete: Container[FrameKey] = frozenset(),
        extra: Callable[[Clip], Sample] | None = None,
        unlabelled: tuple[float, Mapping[FrameKey, Sequence[Clip]]] | None = None,
        neighbour: Callable[[Clip], NDArray[np.uint8] | None] | None = None,
        carrier: ClickCarrier | None = None,
    ) -> None:
        self.clips = clips
        self.clicks = clicks
        self.sizes = sizes or {}
        self.reader = reader
        self.draw = draw
        self.num_classes = num_classes
        self.supervision = supervision
        self.radius = radius
        self.incomplete = incomplete
        self.extra = extra
        self.unlabelled_share, self.unlabelled = unlabelled or (0.0, {})
        self.neighbour = neighbour
        self.carrier = carrier

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, key: SampleKey) -> Sample:
        damaged: list[str] = []
        for attempt in range(TRIES + 1):
            clip = self.clips[(key.position + attempt) % len(self)]
            try:
                sample = self._sample(clip, self._or_unlabelled(clip, key.seed), key.seed)
            except DataError as error:
                damaged.append(str(error))
            else:
                return sample | {"damaged": _lines(*damaged, sample["damaged"])}
        raise DataError(f"{TRIES + 1} damaged frames in a row; the first: {damaged[0]}")

    def _or_unlabelled(self, clip: Clip, seed: int) -> Clip:
        """Return the clip, or by chance that of an unlabelled neighbour."""
        others, rng = self.unlabelled.get(clip.target.key, ()), np.random.default_rng((seed, 1))
        if not others or rng.random() >= self.unlabelled_share:
            return clip
        return others[int(rng.integers(len(others)))]

    def _sample(self, origin: Clip, clip: Clip, seed: int) -> Sample:
        """Draw a clip: that of a target, ``origin``, or of an unlabelled neighbour of it."""
        own, masks = clip is origin, self.supervision == "masks"
        known = own and clip.target.key not in self.incomplete
        source, label, clicks = self._supervised(clip.target) if own else self._carried(origin.target, clip.target)
        neighbour, damaged = self._neighbour_of(clip)
        drawn = self.draw(source, label, clicks, neighbour, seed=seed)
        labels = drawn.label if masks else draw_discs(drawn.clicks, drawn.label.shape, self.radius)
        found = label if masks else clicks[:, 2]
        sample = {
            "image": to_tensor(drawn.image),
            "labels": torch.from_numpy(labels),
            "present": torch.from_numpy(_present(found, self.num_classes) & known),
            "grid": torch.from_numpy(drawn.grid),
        }
        if self.neighbour is not None:
            sample |= _paired(drawn)
        more = {} if self.extra is None else self.extra(clip)
        return sample | more | {"damaged": _lines(damaged, more.get("damaged", ""))}

    def _supervised(self, frame: Frame) -> _Supervised:
        """Return image and label at the working size, and clicks in its pixels."""
        if self.supervision == "masks":
            image, label = self.reader.labelled(frame)
            resized = cv2.resize(label, self.reader.size[::-1], interpolation=cv2.INTER_NEAREST)
            return image, resized.astype(np.uint8, copy=False), _NO_CLICKS
        source = read_image(frame.image)
        clicks = self.clicks.get(frame.key, ())
        refuse_other_picture(frame.image, (source.shape[0], source.shape[1]), clicks, self.sizes.get(frame.key))
        scale = np.divide(self.reader.size, source.shape[:2])
        return resize_image(source, self.reader.size), self._no_label(), scaled_clicks(clicks, scale[1], scale[0])

    def _carried(self, target: Frame, neighbour: Frame) -> _Supervised:
        """Return the same of an unlabelled neighbour, whose mask is never read; with clicks if they are carried there."""
        image = self.reader.image(neighbour)
        if self.carrier is None:
            return image, self._no_label(), _NO_CLICKS
        source, _, clicks = self._supervised(target)
        return image, self._no_label(), self.carrier(clicks, source, image)

    def _no_label(self) -> NDArray[np.uint8]:
        return np.full(self.reader.size, IGNORE_INDEX, np.uint8)

    def _neighbour_of(self, clip: Clip) -> tuple[NDArray[np.uint8] | None, str]:
        """Return the neighbour a target is paired with, or None and why it cannot be read."""
        try:
            return (self.neighbour(clip) if self.neighbour else None), ""
        except DataError as error:
            return None, str(error)


def _present(ids: NDArray[Any], num_classes: int) -> NDArray[np.bool_]:
    """Tell of each class whether it is among class ids, 255 for none."""
    return np.bincount(ids.ravel().astype(np.intp), minlength=num_classes)[:num_classes] > 0


def _lines(*texts: str) -> str:
    return "\n".join(filter(None, texts))


def _paired(drawn: Draw) -> Sample:
    image = drawn.image if drawn.neighbour is None else drawn.neighbour
    return {"neighbour": to_tensor(image), "paired": torch.tensor(drawn.neighbour is not None)}


def scaled_clicks(clicks: Sequence[Click], scale_x: float, scale_y: float) -> NDArray[np.float32]:
    """Return clicks as (K, 3) of x, y, class after resizing the frame; pixel centres are at integers."""
    return np.array(
        [((c.x + 0.5) * scale_x - 0.5, (c.y + 0.5) * scale_y - 0.5, c.class_id) for c in clicks], np.float32
    ).reshape(-1, 3)


@dataclass(frozen=True)
class RawClip:
    """Adds what a memory is computed from: ``target`` (3, H, W), ``neighbours`` (N, 3, H, W) uint8, ``offsets`` (N,).

    Missing and damaged neighbours are padding: black, with offset 0; ``damaged`` says what is wrong with them, a line each.
    """

    reader: FrameReader
    count: int

    def __call__(self, clip: Clip) -> Sample:
        """Read the clip's frames at the working size."""
        target = self.reader.image(clip.target)
        neighbours = np.zeros((self.count, *target.shape), np.uint8)
        offsets, damaged = np.zeros(self.count, np.int64), []
        for position, (frame, offset) in enumerate(zip(clip.neighbours, clip.offsets, strict=True)):
            try:
                neighbours[position], offsets[position] = self.reader.image(frame), offset
            except DataError as error:
                damaged.append(str(error))
        return {
            "target": to_tensor(target),
            "neighbours": torch.from_numpy(neighbours.transpose(0, 3, 1, 2).copy()),
            "offsets": torch.from_numpy(offsets),
            "damaged": _lines(*damaged),
        }


class ClipFrames(Dataset[Sample]):
    """Every frame that clips need, undrawn and once, in the order in which they need it; what the memory is built from.

    A sample holds ``key``, and ``image`` uint8 (3, H, W) or, where that cannot be read, ``damaged``, which says why.
    """

    def __init__(self, clips: Sequence[Clip], reader: FrameReader) -> None:
        needed = [frame for clip in clips for frame in clip.frames]
        self.frames = list({frame.key: frame for frame in needed}.values())
        self.reader = reader

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, index: int) -> Sample:
        frame = self.frames[index]
        try:
            return {"key": frame.key, "image": to_tensor(self.reader.image(frame))}
        except DataError as error:
            return {"key": frame.key, "damaged": str(error)}


class EvaluationFrames(Dataset[Sample]):
    """Frames with masks, undrawn: ``image`` uint8 (3, H, W), ``label`` uint8 at its own size, ``key``."""

    def __init__(self, frames: Sequence[Frame], reader: FrameReader) -> None:
        self.frames = frames
        self.reader = reader

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, index: int) -> Sample:
        frame = self.frames[index]
        image, label = self.reader.labelled(frame)
        return {"image": to_tensor(image), "label": torch.from_numpy(label), "key": frame.key}


def to_tensor(image: NDArray[np.uint8]) -> torch.Tensor:
    """Return uint8 (3, H, W) from (H, W, 3)."""
    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))
