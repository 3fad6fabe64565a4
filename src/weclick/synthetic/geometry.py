"""Flat surfaces in a street, and the camera that drives past them.

Convention: metres; world X right, Y up, Z along the street; pixel centres at integers (:mod:`weclick.conventions`).
Every surface is flat, so at any time one 3x3 matrix per surface maps it to pixels, and its inverse maps back: depth,
occlusion and optical flow are computed exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from weclick.conventions import Size

Float = NDArray[np.float32]
Double = NDArray[np.float64]
Vec = tuple[float, float, float]
Tone = tuple[float, float, float, float]
"""Red, green, blue in 0..255, and the amplitude of the texture."""

PARTS = 8
"""A shape has up to 7 parts; number 0 is a hole."""

NEAR = 0.3
"""Nearest visible depth, in metres."""
FRAME_RATE = 17.0
"""That of Cityscapes, in frames per second."""


class Label(IntEnum):
    """Cityscapes labelIds of the classes in the street."""

    ROAD = 7
    SIDEWALK = 8
    BUILDING = 11
    FENCE = 13
    POLE = 17
    TRAFFIC_SIGN = 20
    VEGETATION = 21
    TERRAIN = 22
    SKY = 23
    PERSON = 24
    CAR = 26


class Material(IntEnum):
    """The pattern painted over a surface's tones."""

    PLAIN = 0
    GROUND = 1
    FACADE = 2
    FENCE = 3
    SKY = 4


@dataclass(frozen=True)
class Surface:
    """A flat surface with the points ``origin + u * along + v * up`` for u, v in 0..1.

    ``tones[part - 1]`` is the colour of a part of the shape. ``pattern`` holds three parameters of the material;
    ``detail`` is the number of texels per metre. A one-sided surface is visible if cross(along, up) points away from the
    camera.
    """

    origin: Vec
    along: Vec
    up: Vec
    labels: tuple[int, ...]
    tones: tuple[Tone, ...]
    shape: int = 0
    instance: int = 0
    velocity: Vec = (0.0, 0.0, 0.0)
    material: Material = Material.PLAIN
    detail: float = 30.0
    pattern: Vec = (0.0, 0.0, 0.0)
    one_sided: bool = False


@dataclass(frozen=True)
class Camera:
    """A pinhole camera: pixel = matrix @ rotation @ (point - position)."""

    matrix: Double
    rotation: Double
    position: Double


@dataclass(frozen=True)
class CameraPath:
    """Forward drive with slow sine motions, given by amplitude, period and phase: lateral, yaw, pitch, roll, speed."""

    speed: float
    lane: float
    height: float
    focal: float
    horizon: float
    amplitudes: Sequence[float]
    periods: Sequence[float]
    phases: Sequence[float]

    def travelled(self, time: float) -> float:
        """Return the metres along the street since frame 0."""
        return self.speed * time + float(self._oscillations(time)[4] - self._oscillations(0.0)[4])

    def at(self, time: float, size: Size) -> Camera:
        """Return the camera at ``time`` seconds for images of ``size`` (H, W)."""
        lateral, yaw, pitch, roll, _ = self._oscillations(time)
        height, width = size
        focal = self.focal * width
        matrix = np.array([[focal, 0, (width - 1) / 2], [0, focal, self.horizon * height], [0, 0, 1.0]])
        flip = np.diag([1.0, -1.0, 1.0])  # world Y points up, image y down
        rotation = _rotation(2, roll) @ _rotation(0, pitch) @ _rotation(1, yaw) @ flip
        return Camera(matrix, rotation, np.array([self.lane + lateral, self.height, self.travelled(time)]))

    def _oscillations(self, time: float) -> Double:
        angle = 2 * np.pi * time / np.asarray(self.periods) + np.asarray(self.phases)
        return np.asarray(np.asarray(self.amplitudes) * np.sin(angle), np.float64)


def _rotation(axis: int, angle: float) -> Double:
    matrix = np.eye(3)
    a, b = (axis + 1) % 3, (axis + 2) % 3
    matrix[a, a] = matrix[b, b] = np.cos(angle)
    matrix[a, b], matrix[b, a] = -np.sin(angle), np.sin(angle)
    return matrix


class SurfaceTable:
    """Attributes of all surfaces as arrays, a row per surface; row 0 is the sky, at infinite distance."""

    def __init__(self, surfaces: Sequence[Surface]) -> None:
        self.origin = np.array([s.origin for s in surfaces])
        self.along = np.array([s.along for s in surfaces])
        self.up = np.array([s.up for s in surfaces])
        self.velocity = np.array([s.velocity for s in surfaces])
        self.shape = np.array([s.shape for s in surfaces])
        self.one_sided = np.array([s.one_sided for s in surfaces])
        self.material = np.array([s.material for s in surfaces], np.uint8)
        self.pattern = np.array([s.pattern for s in surfaces], np.float32)
        self.lengths = np.stack([np.linalg.norm(self.along, axis=1), np.linalg.norm(self.up, axis=1)], axis=1)
        self.detail = np.array([s.detail for s in surfaces])
        self.labels = np.zeros((len(surfaces), PARTS), np.uint8)
        self.tones = np.zeros((len(surfaces), PARTS, 4), np.float32)
        self.instances = np.zeros((len(surfaces), PARTS), np.uint16)
        for row, surface in enumerate(surfaces):
            count = len(surface.tones)
            self.labels[row, 1 : count + 1] = surface.labels if len(surface.labels) > 1 else surface.labels[0]
            self.tones[row, 1 : count + 1] = surface.tones
            self.instances[row] = surface.instance or self.labels[row]

    def to_pixels(self, camera: Camera, time: float) -> Double:
        """Return matrices (S, 3, 3) from (u, v, 1) to (x, y, 1) times depth."""
        offset = self.origin + self.velocity * time - camera.position
        offset[0] = self.origin[0]  # at infinite distance, the camera's position does not matter
        columns = np.stack([self.along, self.up, offset], axis=2)
        return np.asarray(camera.matrix @ camera.rotation @ columns, np.float64)

    def faces(self, camera: Camera, time: float) -> NDArray[np.bool_]:
        """Return the surfaces whose visible side faces the camera, bool (S,)."""
        offset = self.origin + self.velocity * time - camera.position
        front = np.einsum("si,si->s", np.cross(self.along, self.up), offset) > 0
        return np.asarray(front | ~self.one_sided)


def pixel_boxes(matrices: Double, size: Size) -> NDArray[np.int64]:
    """Return the bounding box of each surface in pixels, (x0, y0, x1, y1), half-open, clipped to the image."""
    # A surface that passes the camera is cut at the plane z = NEAR: its corners and the cuts of its edges count.
    corners = matrices @ np.array([[0.0, 1, 1, 0], [0, 0, 1, 1], [1, 1, 1, 1]])
    following = np.roll(corners, -1, axis=2)
    z, z_next = corners[:, 2], following[:, 2]
    cut = (z > NEAR) != (z_next > NEAR)
    share = np.where(cut, (NEAR - z) / np.where(cut, z_next - z, 1.0), 0.0)[:, None]
    points = np.concatenate([corners, corners + share * (following - corners)], axis=2)
    visible = np.concatenate([z > NEAR, cut], axis=1)
    depth = np.where(visible, points[:, 2], 1.0)
    low, high = [], []
    for axis, limit in ((0, size[1]), (1, size[0])):
        pixel = points[:, axis] / depth
        low.append(np.clip(np.ceil(np.where(visible, pixel, np.inf).min(axis=1)), 0, limit))
        high.append(np.clip(np.floor(np.where(visible, pixel, -np.inf).max(axis=1)) + 1, 0, limit))
    return np.stack([*low, *high], axis=1).astype(np.int64)
