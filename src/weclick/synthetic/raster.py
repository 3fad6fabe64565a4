"""Rasterisation: ray casting of flat surfaces with a depth buffer, and the optical flow between two rasters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from weclick.conventions import Size
from weclick.synthetic.geometry import NEAR, Camera, Double, Float, SurfaceTable, pixel_boxes
from weclick.synthetic.scene import GROUND, SKY, World
from weclick.synthetic.shapes import RESOLUTION, bank


@dataclass(frozen=True)
class Raster:
    """Per pixel (H, W): row of the surface, part of its shape, position (u, v) on it, 1 / depth, and metres per pixel.

    u and v are double: on the ground, which is 1.5 km long, single precision would cause errors of 0.02 pixels.
    """

    ids: NDArray[np.intp]
    parts: NDArray[np.uint8]
    u: Double
    v: Double
    inverse_depth: Float
    footprint: Float


def rasterise(world: World, time: float, size: Size) -> Raster:
    """Cast one ray per pixel at ``time`` seconds, and return the nearest surface at each."""
    table = world.surfaces
    camera = world.path.at(time, size)
    inverses, drawable = _inverses(table, camera, time)
    ids = np.full(size, SKY, np.intp)
    parts = np.ones(size, np.uint8)
    inverse_depth = np.zeros(size, np.float32)
    boxes = pixel_boxes(table.to_pixels(camera, time), size)
    drawable &= (boxes[:, 0] < boxes[:, 2]) & (boxes[:, 1] < boxes[:, 3])
    for row in np.flatnonzero(drawable):
        x0, y0, x1, y1 = boxes[row]
        window = np.s_[y0:y1, x0:x1]
        _draw(row, inverses[row], table.shape[row], (x0, y0), (ids[window], parts[window], inverse_depth[window]))
    u, v, scale = _positions(inverses, ids)
    # the ground has no shape bitmap: its parts, the strips, follow from the position in metres
    where = np.nonzero(ids == GROUND)
    parts[where] = world.ground.part_at(*ground_point(table, u[where], v[where]))
    spread = np.sqrt(np.abs(np.linalg.det(inverses)) * table.lengths.prod(axis=1)).astype(np.float32)
    return Raster(ids, parts, u, v, inverse_depth, spread[ids] / (scale * np.sqrt(scale)))


def _inverses(table: SurfaceTable, camera: Camera, time: float) -> tuple[Double, NDArray[np.bool_]]:
    """Return matrices from pixels to (u, v, 1) / depth, and which surfaces are visible: not edge-on, not from behind."""
    matrices = table.to_pixels(camera, time)
    drawable = (np.abs(np.linalg.det(matrices)) > 1e-6) & table.faces(camera, time)
    drawable[SKY] = False
    matrices[~drawable & (np.arange(len(matrices)) != SKY)] = np.eye(3)
    return np.asarray(np.linalg.inv(matrices), np.float64), drawable


def _draw(
    row: np.intp,
    inverse: Double,
    shape: int,
    corner: tuple[int, int],
    buffers: tuple[NDArray[np.intp], NDArray[np.uint8], Float],
) -> None:
    """Draw one surface into the window of the buffers that starts at ``corner``."""
    ids, parts, inverse_depth = buffers
    xs = np.arange(corner[0], corner[0] + ids.shape[1])
    ys = np.arange(corner[1], corner[1] + ids.shape[0])
    u, v, w = (
        (line[0] * xs + line[2]).astype(np.float32) + (line[1] * ys).astype(np.float32)[:, None] for line in inverse
    )
    mask = w > inverse_depth
    mask &= w < 1 / NEAR
    # u, v are divided by depth here, as w = 1 / depth is; the division is only made for the pixels that pass
    for coordinate in (u, v):
        mask &= coordinate >= 0
        mask &= coordinate <= w
    if shape == 0:
        ids[mask], parts[mask], inverse_depth[mask] = row, 1, w[mask]
        return
    where = np.nonzero(mask)
    depth = w[where]
    column = np.minimum(u[where] / depth * RESOLUTION, RESOLUTION - 1).astype(np.intp)
    line = np.maximum((1 - v[where] / depth) * RESOLUTION - 1e-3, 0).astype(np.intp)
    part = bank()[1][shape, line, column]
    solid = part > 0
    where = (where[0][solid], where[1][solid])
    ids[where], parts[where], inverse_depth[where] = row, part[solid], depth[solid]


def _positions(inverses: Double, ids: NDArray[np.intp]) -> tuple[Double, Double, Float]:
    """Return u, v and 1 / depth per pixel; the sky's depth is that of the unit plane."""
    lines = np.take(inverses.reshape(-1, 9).T, ids, axis=1)
    ys, xs = np.ogrid[: ids.shape[0], : ids.shape[1]]
    u, v, scale = (lines[i] * xs + lines[i + 1] * ys + lines[i + 2] for i in (0, 3, 6))
    scale = np.maximum(scale, 1e-6)
    return u / scale, v / scale, scale.astype(np.float32)


def ground_point(table: SurfaceTable, u: Double, v: Double) -> tuple[Float, Float]:
    """Return the metres across and along the street for positions (u, v) on the ground."""
    across, along = table.lengths[GROUND]
    x, z = u * across + table.origin[GROUND, 0], v * along + table.origin[GROUND, 2]
    return x.astype(np.float32), z.astype(np.float32)


def flow_between(world: World, raster: Raster, other: Raster, time: float) -> tuple[Float, NDArray[np.bool_]]:
    """Return the flow (2, H, W) from ``raster`` to ``other``, rendered at ``time``, and which points are visible there."""
    height, width = raster.ids.shape
    matrices = world.surfaces.to_pixels(world.path.at(time, (height, width)), time)
    lines = np.take(matrices.reshape(-1, 9).T, raster.ids, axis=1)
    x, y, depth = (lines[i] * raster.u + lines[i + 1] * raster.v + lines[i + 2] for i in (0, 3, 6))
    ahead = depth > NEAR
    x, y = (coordinate / np.where(ahead, depth, 1.0) for coordinate in (x, y))
    ys, xs = np.ogrid[:height, :width]
    slack = 1e-3  # rounding must not push the image's border pixels outside
    inside = ahead & (x > -slack) & (x < width - 1 + slack) & (y > -slack) & (y < height - 1 + slack)
    column, line = (np.where(inside, np.rint(coordinate), 0).astype(np.intp) for coordinate in (x, y))
    # a point is hidden where the other frame shows another surface at its pixel
    visible = inside & (other.ids[line, column] == raster.ids)
    return np.stack([x - xs, y - ys]).astype(np.float32), visible
