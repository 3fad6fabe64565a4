"""Labels, clicks and titles drawn onto pictures; pictures are uint8 (H, W, 3), RGB."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import cv2
import numpy as np

from weclick.classes import ClassSet
from weclick.conventions import IGNORE_INDEX
from weclick.errors import ShapeError

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_INK = (32, 36, 42)
_PAPER = (255, 255, 255)
_RING = (255, 255, 255)
_TITLE_HEIGHT = 28
_GAP = 6
# Fractional bits of cv2.circle: clicks are drawn where they are, not at the nearest pixel.
_SHIFT = 4


def colorize(labels: np.ndarray, classes: ClassSet) -> np.ndarray:
    """Return the labels (H, W) in their classes' colours; ignored pixels are black."""
    if labels.ndim != 2:
        raise ShapeError(f"labels must be (H, W), found {labels.shape}")
    return classes.palette[labels.astype(np.uint8)]


def overlay(image: np.ndarray, labels: np.ndarray, classes: ClassSet, alpha: float = 0.5) -> np.ndarray:
    """Blend the labels' colours over the picture; ignored pixels show the picture as it is.

    Args:
        image: Picture, uint8 (H, W, 3).
        labels: Class ids (H, W) of the same size.
        classes: Whose colours to use.
        alpha: Share of the colour, 0..1.
    """
    if image.shape[:2] != labels.shape:
        raise ShapeError(f"picture {image.shape[:2]} and labels {labels.shape} differ; resize one of them first")
    blended = cv2.addWeighted(image, 1 - alpha, colorize(labels, classes), alpha, 0)
    return np.where((labels == IGNORE_INDEX)[..., None], image, blended)


def draw_clicks(image: np.ndarray, clicks: Iterable[tuple[float, float, int]], classes: ClassSet) -> np.ndarray:
    """Return a copy of the picture with a ringed disc in the class's colour at every click (x, y, class id)."""
    canvas = np.ascontiguousarray(image).copy()
    radius = max(4, round(min(canvas.shape[:2]) / 90))
    for x, y, class_id in clicks:
        # Dark, light, colour: the rings stand out on any ground and keep the disc apart from a like-coloured overlay.
        for grown, color in ((radius + 4, _INK), (radius + 2, _RING), (radius, classes[class_id].color)):
            _disc(canvas, x, y, grown, color)
    return canvas


def _disc(canvas: np.ndarray, x: float, y: float, radius: int, color: tuple[int, int, int]) -> None:
    center = (round(x * 2**_SHIFT), round(y * 2**_SHIFT))
    cv2.circle(canvas, center, radius << _SHIFT, color, cv2.FILLED, cv2.LINE_AA, _SHIFT)


def legend(classes: ClassSet, width: int) -> np.ndarray:
    """Return a strip of colour swatches and class names, ``width`` pixels wide and as high as needed."""
    swatch, row, text_scale = 16, 26, 0.45
    cells = [3 * _GAP + swatch + _text_width(name, text_scale) for name in classes.names]
    cell = min(max(cells), width)
    columns = max(1, width // cell)
    strip = np.full((-(-len(classes) // columns) * row + _GAP, width, 3), _PAPER, np.uint8)
    for index, entry in enumerate(classes):
        x, y = index % columns * cell + _GAP, index // columns * row + _GAP
        cv2.rectangle(strip, (x, y), (x + swatch - 1, y + swatch - 1), entry.color, cv2.FILLED)
        cv2.rectangle(strip, (x, y), (x + swatch - 1, y + swatch - 1), _INK, 1)
        _write(strip, entry.name, (x + swatch + _GAP, y + swatch - 3), text_scale)
    return strip


def panel(pictures: Sequence[tuple[str, np.ndarray]]) -> np.ndarray:
    """Return titled pictures (title, picture) side by side; later ones are resized to the height of the first."""
    height = pictures[0][1].shape[0]
    titled = [_titled(title, _at_height(picture, height)) for title, picture in pictures]
    gap = np.full((height + _TITLE_HEIGHT, _GAP, 3), _PAPER, np.uint8)
    columns = [column for picture in titled for column in (gap, picture)]
    return np.concatenate(columns[1:], axis=1)


def _at_height(picture: np.ndarray, height: int) -> np.ndarray:
    if picture.shape[0] == height:
        return picture
    width = max(1, round(picture.shape[1] * height / picture.shape[0]))
    method = cv2.INTER_AREA if height < picture.shape[0] else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(picture, (width, height), interpolation=method))


def _titled(title: str, picture: np.ndarray) -> np.ndarray:
    bar = np.full((_TITLE_HEIGHT, picture.shape[1], 3), _PAPER, np.uint8)
    _write(bar, title, (2, _TITLE_HEIGHT - 9), 0.55)
    return np.concatenate([bar, picture])


def _write(canvas: np.ndarray, text: str, origin: tuple[int, int], scale: float) -> None:
    cv2.putText(canvas, text, origin, _FONT, scale, _INK, 1, cv2.LINE_AA)


def _text_width(text: str, scale: float) -> int:
    return int(cv2.getTextSize(text, _FONT, scale, 1)[0][0])
