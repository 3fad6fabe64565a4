"""Growing clicks: labels for the pixels around a click, from colours alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

from weclick.clicks.records import Click
from weclick.conventions import IGNORE_INDEX, Size, places_on_grid

COLOUR: Final = 5.0
"""How many pixels of a path a colour step of 1 in CIE Lab costs."""
REDUCTION: Final = 2
"""By which images are reduced: labels are used at stride 4 only, and distances take a quarter of the time."""
LONGEST: Final = 512
"""Images that are larger after that are reduced further, until their longer side has so many pixels."""

_NEIGHBOURS: Final = ((0, 1), (1, 0), (1, 1), (1, -1))


def grow(image: NDArray[np.uint8], clicks: Sequence[Click], source: Size, share: float) -> NDArray[np.uint8]:
    """Return labels (h, w) of the pixels that are much nearer to the clicks of one class than to those of any other.

    The distance to a class is the length of the shortest path from one of its clicks. A path is as long as its number of pixels
    plus ``COLOUR`` times the colour steps along it, so that it is short within a surface and long across an edge. A pixel is
    labelled if the nearest class is at most ``share`` times as far as the second; all others are ``IGNORE_INDEX``. This assumes
    that every region was clicked.

    Args:
        image: RGB (H, W, 3); the labels have the :func:`grown_size` of its size.
        clicks: In pixels of the source frame.
        source: Size (H, W) of that frame.
        share: 0 to 1; the larger, the more pixels are labelled, and the more of them wrongly.
    """
    size = grown_size((image.shape[0], image.shape[1]))
    reduced = np.asarray(cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA), np.uint8)
    graph, classes = _grid_graph(reduced), sorted({click.class_id for click in clicks})
    if len(classes) < 2:
        return np.full(size, IGNORE_INDEX, np.uint8)
    rows, columns, ids = np.array(places_on_grid(clicks, source, size)).T
    pixels = rows * size[1] + columns
    distances = np.stack(
        [dijkstra(graph, directed=False, indices=np.unique(pixels[ids == c]), min_only=True) for c in classes]
    )
    nearest, second = np.partition(distances, 1, axis=0)[:2]
    # where several classes were clicked in one pixel of the reduced image, it is nobody's
    labels = np.where((second > 0) & (nearest <= share * second), np.array(classes)[distances.argmin(0)], IGNORE_INDEX)
    return labels.reshape(size).astype(np.uint8)


def grown_size(size: Size) -> Size:
    """Return the size (h, w) of the labels of images of a size."""
    reduction = max(REDUCTION, max(size) / LONGEST)
    return (max(1, round(size[0] / reduction)), max(1, round(size[1] / reduction)))


def _grid_graph(image: NDArray[np.uint8]) -> csr_array:
    """Return the graph of an image's pixels, each joined with its eight neighbours; edges weigh what a step costs."""
    height, width = image.shape[:2]
    # a little blur: noise would make every path long
    lab = cv2.cvtColor(cv2.GaussianBlur(image, (0, 0), 0.7).astype(np.float32) / 255, cv2.COLOR_RGB2Lab)
    index, edges, lengths = np.arange(height * width, dtype=np.int32).reshape(height, width), [], []
    for down, right in _NEIGHBOURS:
        one = np.s_[: height - down, max(0, -right) : width - max(0, right)]
        two = np.s_[down:, max(0, right) : width + min(0, right)]
        edges.append(np.stack([index[one].ravel(), index[two].ravel()]))
        colour = np.linalg.norm(lab[one] - lab[two], axis=-1)
        lengths.append(np.hypot(down, right) + COLOUR * colour.ravel())
    rows, columns = np.concatenate(edges, 1)
    return csr_array((np.concatenate(lengths), (rows, columns)), shape=(index.size, index.size))
