"""A random walker with priors: probabilities spread within surfaces of one colour, and stop at edges and clicks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, diags_array
from scipy.sparse.linalg import LinearOperator, cg

from weclick.conventions import Place, Size

BETA: Final = 0.1
"""An edge between cells weighs ``exp(-BETA * d^2)``, d their distance in CIE Lab: half at 2.6, a tenth at 4.8."""
GAMMA: Final = 0.03
"""Weight of the prior, beside at most 4 of a cell's neighbours."""
CLICKED: Final = 1e3
"""Weight that holds a clicked cell at its class."""
LEAST: Final = 1e-6
"""Weight of an edge across any colours, and lower bound of divisors."""
_TOLERANCE: Final = 3e-3
_ITERATIONS: Final = 200


class RandomWalker:
    """Smooths class probabilities of one frame; see :meth:`walk`.

    Args:
        image: The frame, RGB (H, W, 3), of any size.
        size: (h, w) of the grid of cells that covers it.

    References:
        Grady, Multilabel Random Walker Image Segmentation Using Prior Models, CVPR 2005.
    """

    def __init__(self, image: NDArray[np.uint8], size: Size) -> None:
        self.size = size
        self._laplacian = grid_laplacian(image, size).astype(np.float32)

    def walk(
        self, prior: NDArray[np.float32], clicks: Sequence[Place], start: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """Return for each cell the mean of what walkers from there read.

        A walker steps to a neighbouring cell with a probability that falls with the difference of their colours, and stops at a
        click, or at any cell with a probability proportional to ``GAMMA``; there it reads the prior. This solves
        ``(L + GAMMA I) x = GAMMA p``, with L the Laplacian of the grid and clicked cells held at their class, by conjugate
        gradients.

        Args:
            prior: Class probabilities (C, h, w).
            clicks: On the grid.
            start: An earlier result, from which fewer iterations are needed.
        """
        seeds = np.zeros_like(prior)
        for row, column, class_id in clicks:
            seeds[class_id, row, column] = 1
        count = seeds.sum(0)
        held = (CLICKED * (count > 0)).ravel()
        # scaled by its diagonal, so that held cells do not slow the iterations down
        scale = 1 / np.sqrt(self._laplacian.diagonal() + GAMMA + held).astype(np.float32)[:, None]
        cells = scale.size

        def product(flat: NDArray[np.float32]) -> NDArray[np.float32]:
            x = scale * flat.reshape(cells, -1)
            return np.asarray(scale * (self._laplacian @ x + (GAMMA + held)[:, None].astype(np.float32) * x)).ravel()

        columns = len(prior) * cells
        operator = LinearOperator((columns, columns), matvec=product, dtype=np.float32)
        right = scale * _as_columns(GAMMA * prior + CLICKED * seeds / count.clip(min=1))
        first = np.where(count > 0, seeds / count.clip(min=1), prior if start is None else start)
        precision = _TOLERANCE * float(np.linalg.norm(scale * _as_columns(GAMMA * prior)))
        x, _ = cg(
            operator, right.ravel(), (_as_columns(first) / scale).ravel(), rtol=0, atol=precision, maxiter=_ITERATIONS
        )
        walked = (scale * x.reshape(cells, -1)).T.reshape(prior.shape).clip(0)
        return np.asarray(walked / walked.sum(0).clip(min=LEAST), np.float32)


def grid_laplacian(image: NDArray[np.uint8], size: Size) -> csr_array:
    """Return the Laplacian of a grid of cells, each joined with its four neighbours by similarity of colour."""
    small = cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    lab, index = cv2.cvtColor(small, cv2.COLOR_RGB2Lab), np.arange(size[0] * size[1]).reshape(size)
    pairs, weights = [], []
    for one, two in ((np.s_[:, :-1], np.s_[:, 1:]), (np.s_[:-1], np.s_[1:])):
        pairs.append(np.stack([index[one].ravel(), index[two].ravel()]))
        weights.append(np.exp(-BETA * np.square(lab[one] - lab[two]).sum(-1)).ravel() + LEAST)
    (first, second), weight = np.concatenate(pairs, 1), np.concatenate(weights)
    joined = csr_array((weight, (first, second)), shape=(index.size, index.size))
    joined = joined + joined.T
    return csr_array(diags_array(joined.sum(0)) - joined)


def _as_columns(maps: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return maps (C, h, w) as one row per cell (h * w, C)."""
    return np.ascontiguousarray(maps.reshape(len(maps), -1).T, np.float32)
