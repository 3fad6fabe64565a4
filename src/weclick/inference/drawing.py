"""Labels, clicks and titles drawn onto pictures; pictures are uint8 (H, W, 3), RGB."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import cv2
import numpy as np

from weclick.classes import ClassSet, SemanticClass
from weclick.conventions import IGNORE_INDEX, Size
from weclick.errors import ConfigError, ShapeError

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_INK = (32, 36, 42)
_PAPER = (255, 255, 255)
_RING = (255, 255, 255)
# Least height of a line of text on a sheet of pictures.
_LINE = 28
_GAP = 6
# Fractional bits of cv2.circle: clicks are drawn where they are, not at the nearest pixel.
_SHIFT = 4
# Share of a picture that makes a class worth a line in the legend: a few wrong pixels do not.
_WORTH_NAMING = 0.001
_WIDEST = 640


def colorize(labels: np.ndarray, classes: ClassSet) -> np.ndarray:
    """Return the labels (H, W) in their classes' colours; ignored pixels are black."""
    if labels.ndim != 2:
        raise ShapeError(f"labels must be (H, W), found {labels.shape}")
    # one call of OpenCV: a tenth of the time that indexing the palette takes
    return np.asarray(cv2.applyColorMap(labels.astype(np.uint8, copy=False), classes.palette[:, None]))


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
    return np.asarray(cv2.copyTo(image, (labels == IGNORE_INDEX).view(np.uint8), blended))


def draw_clicks(image: np.ndarray, clicks: Iterable[tuple[float, float, int]], classes: ClassSet) -> np.ndarray:
    """Return a copy of the picture with a ringed disc in the class's colour at every click (x, y, class id)."""
    canvas = np.ascontiguousarray(image).copy()
    radius = max(4, round(min(canvas.shape[:2]) / 90))
    for x, y, class_id in clicks:
        # Dark, light, colour: the rings stand out on any ground and keep the disc apart from a like-coloured overlay.
        for grown, color in ((radius + 4, _INK), (radius + 2, _RING), (radius, classes[class_id].color)):
            _disc(canvas, x, y, grown, color)
    return canvas


def cross_out(image: np.ndarray, places: Iterable[tuple[float, float]]) -> np.ndarray:
    """Return a copy of the picture with a cross at every place (x, y), wider than the clicks of :func:`draw_clicks`."""
    canvas = np.ascontiguousarray(image).copy()
    side = 2 * (max(4, round(min(canvas.shape[:2]) / 90)) + 8)
    for x, y in places:
        for width, color in ((6, _RING), (2, _INK)):
            cv2.drawMarker(canvas, (round(x), round(y)), color, cv2.MARKER_TILTED_CROSS, side, width, cv2.LINE_AA)
    return canvas


def _disc(canvas: np.ndarray, x: float, y: float, radius: int, color: tuple[int, int, int]) -> None:
    center = (round(x * 2**_SHIFT), round(y * 2**_SHIFT))
    cv2.circle(canvas, center, radius << _SHIFT, color, cv2.FILLED, cv2.LINE_AA, _SHIFT)


def legend(entries: Sequence[SemanticClass], size: tuple[int, int]) -> np.ndarray:
    """Return a dark box of colour swatches and class names, to be laid onto a picture of ``size`` (H, W).

    The box covers at most half the picture's width and two thirds of its height: names share columns as long as that
    leaves them readable, and the box shrinks after that.
    """
    row = min(max(round(size[0] / 30), 14), 60)
    swatch, scale, strength = row * 2 // 3, row / 40, max(1, row // 24)
    gap = (row - swatch) // 2
    rows = min(len(entries), max(1, size[0] * 2 // 3 // row))
    column = 3 * gap + swatch + max(_text_width(entry.name, scale) for entry in entries)
    box = np.full((rows * row, -(-len(entries) // rows) * column, 3), _INK, np.uint8)
    for index, entry in enumerate(entries):
        x, y = index // rows * column + gap, index % rows * row + gap
        cv2.rectangle(box, (x, y), (x + swatch - 1, y + swatch - 1), entry.color, cv2.FILLED)
        _write(box, entry.name, (x + swatch + gap, y + swatch - strength), scale, _PAPER, strength)
    shrink = min(1.0, size[1] / 2 / box.shape[1], size[0] * 2 / 3 / box.shape[0])
    sides = max(1, int(box.shape[1] * shrink)), max(1, int(box.shape[0] * shrink))
    return box if shrink == 1.0 else np.asarray(cv2.resize(box, sides, interpolation=cv2.INTER_AREA))


def lay_over(picture: np.ndarray, box: np.ndarray, strength: float = 0.7) -> None:
    """Blend a box into the upper left corner of the picture, in place: that corner of a street scene matters least."""
    corner = picture[: box.shape[0], : box.shape[1]]
    corner[:] = cv2.addWeighted(corner, 1 - strength, box, strength, 0)


def sheet(rows: Sequence[Mapping[str, np.ndarray]], entries: Sequence[SemanticClass]) -> np.ndarray:
    """Return pictures in rows and titled columns, below one legend.

    Args:
        rows: Pictures by title, all of one size; a title that a row lacks leaves its place empty.
        entries: Classes to name in the legend.
    """
    titles = list(dict.fromkeys(title for row in sorted(rows, key=len, reverse=True) for title in row))
    height, width = next(iter(rows[0].values())).shape[:2]
    total = len(titles) * (width + _GAP) - _GAP
    line = max(_LINE, total // 60)  # a wide sheet is shown smaller
    top = _legend_strip(entries, total, line)
    canvas = np.full((len(top) + line + len(rows) * (height + _GAP) - _GAP, total, 3), _PAPER, np.uint8)
    canvas[: len(top)] = top
    for column, title in enumerate(titles):
        left = column * (width + _GAP)
        _write(canvas, title, (left, len(top) + line * 3 // 4), line / 45, strength=max(1, line // 24))
        for number, row in enumerate(rows):
            upper = len(top) + line + number * (height + _GAP)
            if title in row:
                canvas[upper : upper + height, left : left + width] = row[title]
    return canvas


def _legend_strip(entries: Sequence[SemanticClass], width: int, line: int) -> np.ndarray:
    """Return colour swatches and class names on white, a width (W) wide, in as many lines (H) as they need."""
    scale, strength, swatch = line / 45, max(1, line // 24), line // 2
    left, upper, places = 0, 0, []
    for entry in entries:
        needed = 2 * swatch + _text_width(entry.name, scale)
        if left and left + needed > width:
            left, upper = 0, upper + line
        places.append((left, upper + line // 4))
        left += needed + swatch
    strip = np.full((upper + line, width, 3), _PAPER, np.uint8)
    for entry, (x, y) in zip(entries, places, strict=True):
        cv2.rectangle(strip, (x, y), (x + swatch - 1, y + swatch - 1), entry.color, cv2.FILLED)
        cv2.rectangle(strip, (x, y), (x + swatch - 1, y + swatch - 1), _INK)  # a class may be white
        _write(strip, entry.name, (x + swatch * 4 // 3, y + swatch - strength), scale, strength=strength)
    return strip


def _write(
    canvas: np.ndarray,
    text: str,
    origin: tuple[int, int],
    scale: float,
    color: tuple[int, int, int] = _INK,
    strength: int = 1,
) -> None:
    cv2.putText(canvas, text, origin, _FONT, scale, color, strength, cv2.LINE_AA)


def _text_width(text: str, scale: float) -> int:
    return int(cv2.getTextSize(text, _FONT, scale, 1)[0][0])


class Painter:
    """Draws labels onto frames, and in a corner the names of the classes seen so far.

    Args:
        classes: Names and colours.
        alpha: Strength of the colours, 0..1.
        legends: Draw the names.

    Raises:
        ConfigError: ``alpha`` is out of its range.
    """

    def __init__(self, classes: ClassSet, alpha: float, *, legends: bool = True) -> None:
        if not 0 <= alpha <= 1:
            raise ConfigError(f"alpha must be 0 to 1, found {alpha:g}")
        self._classes, self._alpha, self._legends = classes, alpha, legends
        self._seen: frozenset[int] = frozenset()
        self._drawn: tuple[frozenset[int], Size] | None = None
        self._box: np.ndarray

    def __call__(self, image: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """Return the frame with its classes' colours over it."""
        drawn = overlay(image, labels, self._classes, self._alpha)
        if not self._legends:
            return drawn
        sample = labels[::4, ::4].ravel()  # every fourth row and column is enough
        shares = np.bincount(sample, minlength=len(self._classes))[: len(self._classes)] / sample.size
        self._seen |= set(np.flatnonzero(shares >= _WORTH_NAMING).tolist())
        size = (drawn.shape[0], drawn.shape[1])
        if self._seen and self._drawn != (self._seen, size):
            self._box = legend([self._classes[index] for index in sorted(self._seen)], size)
            self._drawn = (self._seen, size)
        if self._seen:
            lay_over(drawn, self._box)
        return drawn


class BesideOriginal:
    """Draws frames with the original to the left of the overlay, both at most 640 pixels wide.

    Args:
        painter: Draws the overlay.
    """

    def __init__(self, painter: Painter) -> None:
        self._painter = painter

    def __call__(self, image: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """Return both side by side; their width is even, so that each half has whole pixels in any video format."""
        pair = [image, self._painter(image, labels)]
        share = min(1.0, _WIDEST / image.shape[1])
        size = (max(2, round(image.shape[1] * share / 2) * 2), max(2, round(image.shape[0] * share / 2) * 2))
        return np.concatenate([cv2.resize(half, size, interpolation=cv2.INTER_AREA) for half in pair], axis=1)
