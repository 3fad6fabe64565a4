"""A frame with what is known and predicted of it, and how it is drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from weclick.classes import ClassSet
from weclick.conventions import IGNORE_INDEX
from weclick.inference.drawing import cross_out, draw_clicks, overlay, sheet

Ids = NDArray[np.uint8]
Points = Sequence[tuple[float, float, int]]
"""Clicks as (x, y, class id), in pixels."""

_LEAST_WIDTH: Final = 320
_MOST_WIDTH: Final = 640


@dataclass(frozen=True)
class Sample:
    """A frame to show, 320 to 640 pixels wide; :meth:`of` makes one of a frame of any size.

    Args:
        name: Which frame it is; may be empty.
        image: RGB, uint8 (H, W, 3).
        layers: Class ids, uint8 (H, W), by name and in the order they are shown, such as ``truth`` and ``prediction``.
        clicks: Clicks on the image.
        wrong: Those of them, without the class, where the prediction is wrong.
        miou: Of the prediction in this frame, 0..1; None if it was not measured.
    """

    name: str
    image: NDArray[np.uint8]
    layers: Mapping[str, Ids]
    clicks: Points = ()
    miou: float | None = None
    wrong: Sequence[tuple[float, float]] = ()

    @classmethod
    def of(
        cls, name: str, image: Tensor, layers: Mapping[str, Tensor], clicks: Points = (), miou: float | None = None
    ) -> Sample:
        """Make a sample of tensors.

        Shape:
            image: float (3, H, W) in 0..1. layers: class ids (h, w), each of its own size. clicks: in pixels of the image.
        """
        height, width = image.shape[1:]
        scale = min(max(width, _LEAST_WIDTH), _MOST_WIDTH) / width
        size = (round(scale * width), max(1, round(scale * height)))

        def resized(array: NDArray[np.uint8], method: int) -> NDArray[np.uint8]:
            return cv2.resize(array, size, interpolation=method).astype(np.uint8, copy=False)

        return cls(
            name,
            resized(picture(image), cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC),
            # nearest, as a mean of two class ids would be a third class
            {key: resized(ids(layer), cv2.INTER_NEAREST_EXACT) for key, layer in layers.items()},
            [((x + 0.5) * scale - 0.5, (y + 0.5) * scale - 0.5, class_id) for x, y, class_id in clicks],
            miou,
        )

    @classmethod
    def of_clicks(cls, name: str, image: Tensor, truth: Tensor, prediction: Tensor) -> Sample:
        """Make a sample of a prediction and of clicks that it is measured with.

        Shape:
            image: float (3, H, W) in 0..1. truth: class ids (h, w), ignored but for the clicked pixels. prediction: as truth.
        """
        rows, columns = (truth != IGNORE_INDEX).nonzero(as_tuple=True)
        scale_y, scale_x = image.shape[1] / truth.shape[0], image.shape[2] / truth.shape[1]
        places = zip(((columns + 0.5) * scale_x - 0.5).tolist(), ((rows + 0.5) * scale_y - 0.5).tolist(), strict=True)
        classes, right = truth[rows, columns].tolist(), (prediction == truth)[rows, columns].tolist()
        clicks = [(x, y, class_id) for (x, y), class_id in zip(places, classes, strict=True)]
        title = f"{name}: {sum(right)} of {len(right)} clicks right"
        sample = cls.of(title, image, {"prediction": prediction}, clicks)
        wrong = [(x, y) for (x, y, _), is_right in zip(sample.clicks, right, strict=True) if not is_right]
        return replace(sample, wrong=wrong)

    @property
    def shown(self) -> dict[str, Ids]:
        """The layers that label any pixel."""
        return {name: layer for name, layer in self.layers.items() if (layer != IGNORE_INDEX).any()}

    def frame(self, classes: ClassSet) -> NDArray[np.uint8]:
        """Return the image with its clicks as rings, the wrong ones on a cross."""
        return draw_clicks(cross_out(self.image, self.wrong), self.clicks, classes) if self.clicks else self.image

    def panels(self, classes: ClassSet) -> dict[str, NDArray[np.uint8]]:
        """Return the frame with its clicks, and the frame below each layer that labels any pixel, by title."""
        layers = {name: overlay(self.image, layer, classes, alpha=0.65) for name, layer in self.shown.items()}
        return {"frame": self.frame(classes), **layers}


def sheet_of(samples: Sequence[Sample], classes: ClassSet) -> NDArray[np.uint8]:
    """Return samples of one size below each other, their panels in columns, with one legend on top."""
    return sheet([sample.panels(classes) for sample in samples], [classes[index] for index in classes_in(samples)])


def classes_in(samples: Sequence[Sample]) -> list[int]:
    """Return the ids of the classes that samples show."""
    found = {class_id for sample in samples for _, _, class_id in sample.clicks}
    for sample in samples:
        found |= {int(class_id) for layer in sample.layers.values() for class_id in np.unique(layer)}
    return sorted(found - {IGNORE_INDEX})


def disc_centres(labels: Tensor) -> Points:
    """Return the centre of each disc that clicks were drawn as, in labels (H, W)."""
    drawn, clicks = ids(labels), []
    for class_id in np.setdiff1d(drawn, IGNORE_INDEX):
        _, _, _, centres = cv2.connectedComponentsWithStats((drawn == class_id).astype(np.uint8))
        clicks += [(float(x), float(y), int(class_id)) for x, y in centres[1:]]  # the first is all around them
    return clicks


def picture(image: Tensor) -> NDArray[np.uint8]:
    """Return uint8 (H, W, 3) from float (3, H, W) in 0..1."""
    array: NDArray[np.uint8] = (image.detach().float().cpu() * 255).round().byte().permute(1, 2, 0).numpy()
    return np.ascontiguousarray(array)


def ids(labels: Tensor) -> Ids:
    """Return labels as uint8."""
    array: Ids = labels.detach().cpu().numpy().astype(np.uint8)
    return array
