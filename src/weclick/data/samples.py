"""Samples: training draws, evaluation frames, and the frames the memory is built from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from weclick.clicks import Click
from weclick.conventions import FrameKey
from weclick.data.carry import ClickCarrier
from weclick.data.damage import refuse_other_picture
from weclick.data.draws import GeometricDraw, Window, draw_discs
from weclick.data.index import Clip, Frame
from weclick.data.reader import FrameReader, OpenFrame
from weclick.data.sampler import SampleKey
from weclick.data.supply import Sample, Supply, join_lines, to_tensor
from weclick.data.targets import TargetClicks
from weclick.errors import DataError

_NO_CLICKS: Final = np.zeros((0, 3), np.float32)

TRIES: Final = 3
"""Number of other samples that are tried in place of a damaged one."""


@dataclass(frozen=True)
class Unlabelled:
    """Samples drawn from frames without clicks.

    Args:
        share: Share of the samples that are drawn from an unlabelled neighbour instead of the target.
        clips: Clips of these neighbours, by target.
        carrier: Carries the target's clicks to the neighbour; None for no clicks there.
    """

    share: float = 0.0
    clips: Mapping[FrameKey, Sequence[Clip]] = field(default_factory=dict)
    carrier: ClickCarrier | None = None


class TrainingSamples(Dataset[Sample]):
    """One drawn sample per target frame.

    A sample holds:
        - ``image`` uint8 (3, h, w), ``labels`` uint8 (h, w) and the sampling ``grid`` float (h/4, w/4, 2) of the draw;
        - ``frame``: its name;
        - ``present`` bool (C,): classes clicked (or masked) anywhere in the undrawn frame; all False if one may be missing;
        - ``damaged``: a line for each unreadable image. A damaged target is replaced by another sample, a neighbour is left out;
        - what the supplies read;
        - with a supply that ``pairs``: ``neighbour`` uint8 (3, h, w), drawn like the target, and ``paired``, which is False
          where the target's own image replaces a missing neighbour.

    Args:
        clips: Targets with neighbours; only supplies read neighbours.
        clicks: Clicks to train from; None for dense masks (the fully supervised ceiling). With clicks, no mask is opened.
        reader: Reads frames at the working size.
        draw: The geometric draw.
        num_classes: C.
        radius: Of a click's disc, in pixels of the drawn image.
        unlabelled: Samples drawn from frames without clicks.
        supplies: What loss terms need besides image and labels.
    """

    def __init__(
        self,
        clips: Sequence[Clip],
        clicks: TargetClicks | None,
        reader: FrameReader,
        draw: GeometricDraw,
        *,
        num_classes: int,
        radius: float = 2.0,
        unlabelled: Unlabelled | None = None,
        supplies: Sequence[Supply] = (),
    ) -> None:
        self.clips, self.clicks, self.reader, self.draw = clips, clicks, reader, draw
        self.num_classes, self.radius = num_classes, radius
        self.unlabelled = unlabelled or Unlabelled()
        self.supplies = supplies
        self.pairing = next((supply for supply in supplies if supply.pairs), None)

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
                return sample | {"damaged": join_lines(*damaged, sample["damaged"])}
        raise DataError(f"{TRIES + 1} damaged frames in a row; the first: {damaged[0]}")

    def _or_unlabelled(self, clip: Clip, seed: int) -> Clip:
        """Return this clip or, at random, that of an unlabelled neighbour."""
        others, rng = self.unlabelled.clips.get(clip.target.key, ()), np.random.default_rng((seed, 1))
        if not others or rng.random() >= self.unlabelled.share:
            return clip
        return others[int(rng.integers(len(others)))]

    def _sample(self, origin: Clip, clip: Clip, seed: int) -> Sample:
        """Draw a sample from a clip: ``origin`` itself, or that of an unlabelled neighbour of its target."""
        own, frame = clip is origin, self.reader.open(clip.target)
        window = self.draw.window(seed, frame.size)
        label, clicks = self._supervision(clip.target, frame) if own else (None, self._carried(origin.target, frame))
        image, (neighbour, damaged) = window.image(frame.image(window.rows)), self._neighbour(clip, window)
        labels = (
            window.label(label) if label is not None else draw_discs(window.clicks(clicks), window.crop, self.radius)
        )
        sample = {
            "frame": str(clip.target.key),
            "image": to_tensor(image),
            "labels": torch.from_numpy(labels),
            "present": torch.from_numpy(self._present(clip.target.key, label, own)),
            "grid": torch.from_numpy(window.grid()),
            "seed": torch.tensor(seed),
        }
        if self.pairing is not None:
            other = image if neighbour is None else window.image(neighbour)
            sample |= {"neighbour": to_tensor(other), "paired": torch.tensor(neighbour is not None)}
        for supply in self.supplies:
            added = supply.read(clip, frame.size)
            damaged = join_lines(damaged, added.get("damaged", ""))
            sample |= added
        return sample | {"damaged": damaged}

    def _present(self, key: FrameKey, label: NDArray[np.uint8] | None, own: bool) -> NDArray[np.bool_]:
        """Return the classes that may be in a frame, bool (C,); all False where nothing is known, as with carried clicks."""
        if not own:
            return np.zeros(self.num_classes, bool)
        if self.clicks is not None:
            return self.clicks.present(key, self.num_classes)
        assert label is not None
        # an eighteenth of the time of bincount
        return cv2.calcHist([label], [0], None, [256], [0, 256]).ravel()[: self.num_classes] > 0

    def _supervision(self, target: Frame, frame: OpenFrame) -> tuple[NDArray[np.uint8] | None, NDArray[np.float32]]:
        """Return a target's label at its working size, or its clicks in pixels of that size."""
        if self.clicks is None:
            label = self.reader.label(target, frame.source)
            if label.shape != frame.size:
                resized = cv2.resize(label, frame.size[::-1], interpolation=cv2.INTER_NEAREST_EXACT)
                label = resized.astype(np.uint8, copy=False)
            return label, _NO_CLICKS
        clicks = self.clicks.clicks.get(target.key, ())
        refuse_other_picture(target.image, frame.source, clicks, self.clicks.sizes.get(target.key))
        scale = np.divide(frame.size, frame.source)
        return None, scaled_clicks(clicks, scale[1], scale[0])

    def _carried(self, target: Frame, neighbour: OpenFrame) -> NDArray[np.float32]:
        """Return the target's clicks, carried to an unlabelled neighbour, whose mask is never read."""
        if self.unlabelled.carrier is None:
            return _NO_CLICKS
        frame = self.reader.open(target)
        if frame.size != neighbour.size:
            return _NO_CLICKS
        return self.unlabelled.carrier(self._supervision(target, frame)[1], frame.image(), neighbour.image())

    def _neighbour(self, clip: Clip, window: Window) -> tuple[NDArray[np.uint8] | None, str]:
        """Return rows of the neighbour to draw like the target, or None; and the error message if it cannot be read."""
        try:
            return (self.pairing.neighbour(clip, window.frame, window.rows) if self.pairing else None), ""
        except DataError as error:
            return None, str(error)


def scaled_clicks(clicks: Sequence[Click], scale_x: float, scale_y: float) -> NDArray[np.float32]:
    """Return clicks as (K, 3), columns x, y, class, in pixels of the resized frame; pixel centres are at integers."""
    return np.array(
        [((c.x + 0.5) * scale_x - 0.5, (c.y + 0.5) * scale_y - 0.5, c.class_id) for c in clicks], np.float32
    ).reshape(-1, 3)


class ClipFrames(Dataset[Sample]):
    """All frames of some clips, undrawn, each once, in order of first use. The memory is built from them.

    A sample holds ``key``, and either ``image`` uint8 (3, H, W) or ``damaged``, the message why it cannot be read.
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
    """Frames with masks, undrawn: ``image`` uint8 (3, H, W), ``label`` uint8 (H, W) at its own size, and ``key``."""

    def __init__(self, frames: Sequence[Frame], reader: FrameReader) -> None:
        self.frames = frames
        self.reader = reader

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, index: int) -> Sample:
        frame = self.frames[index]
        image, label = self.reader.labelled(frame)
        return {"image": to_tensor(image), "label": torch.from_numpy(label), "key": frame.key}
