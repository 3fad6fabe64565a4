"""Shapes: small bitmaps of part numbers on surfaces. Label and colour come from the same bitmap, so they always agree."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

RESOLUTION = 256

Bitmap = NDArray[np.uint8]
Points = list[tuple[float, float]]

CAR_STYLES = {"sedan": (0.08, 0.24, 0.58, 0.76), "hatch": (0.0, 0.1, 0.56, 0.76), "van": (0.0, 0.03, 0.76, 0.9)}
"""Lower and upper end of the rear window, then upper and lower end of the windscreen, as shares of the car's length."""

DECK = {"sedan": 0.6, "hatch": 0.6, "van": 0.52}
"""Height of the bonnet, as a share of the car's height."""

PERSONS, TREES, HEDGES, ROOFS = 6, 5, 3, 3


@cache
def bank() -> tuple[dict[str, int], NDArray[np.uint8]]:
    """Return shape numbers by name, and all bitmaps (N, R, R); row 0 is the top, number 0 is the full rectangle."""
    rng = np.random.default_rng(20210708)  # fixed: all data sets share the shapes
    shapes: dict[str, Bitmap] = {"full": np.ones((RESOLUTION, RESOLUTION), np.uint8)}
    for style in CAR_STYLES:
        side = _car_side(style)
        shapes |= {f"{style}_right": side, f"{style}_left": side[:, ::-1]}
    shapes |= {"car_end": _car_end(), "car_glass": _car_glass()}
    shapes |= {f"person_{i}": _person(rng) for i in range(PERSONS)}
    shapes |= {f"tree_{i}": _tree(rng) for i in range(TREES)}
    shapes |= {f"hedge_{i}": _hedge(rng) for i in range(HEDGES)}
    shapes |= {f"roof_{i}": _roof(i) for i in range(ROOFS)}
    shapes |= {"sign_disc": _sign_disc(), "sign_triangle": _sign_triangle(), "sign_plate": _sign_plate()}
    return {name: number for number, name in enumerate(shapes)}, np.ascontiguousarray(np.stack(list(shapes.values())))


def shape(name: str) -> int:
    """Return the number of the shape called ``name``."""
    return bank()[0][name]


def _blank() -> Bitmap:
    return np.zeros((RESOLUTION, RESOLUTION), np.uint8)


def _polygon(image: Bitmap, points: Points, part: int) -> None:
    """Fill a polygon given in u, v (v = 0 is the lower edge)."""
    pixels = [(u * RESOLUTION - 0.5, (1 - v) * RESOLUTION - 0.5) for u, v in points]
    cv2.fillPoly(image, [np.round(np.array(pixels) * 16).astype(np.int32)], part, shift=4)


def _ellipse(image: Bitmap, center: tuple[float, float], radii: tuple[float, float], part: int) -> None:
    angles = np.linspace(0, 2 * np.pi, 32, endpoint=False)
    points = [(center[0] + radii[0] * np.cos(a), center[1] + radii[1] * np.sin(a)) for a in angles]
    _polygon(image, points, part)


def _rectangle(image: Bitmap, u0: float, v0: float, u1: float, v1: float, part: int) -> None:
    _polygon(image, [(u0, v0), (u1, v0), (u1, v1), (u0, v1)], part)


def _car_side(style: str) -> Bitmap:
    """Parts: 1 body, 2 glass, 3 tyre, 4 rim, 5 front light, 6 rear light. The front is at u = 1."""
    a, b, c, d = CAR_STYLES[style]
    deck = DECK[style]
    image = _blank()
    _polygon(image, [(0, 0.18), (1, 0.18), (1, deck), (0, deck)], 1)
    edge = 2 / RESOLUTION  # an overlap with the windows' surfaces, so that no gap is visible between them
    _polygon(image, [(a - edge, deck - 0.02), (b - edge, 1), (c + edge, 1), (d + edge, deck - 0.02)], 1)
    low, high = deck + 0.03, 0.94
    middle = (b + c) / 2
    _polygon(image, [(a + 0.05, low), (b + 0.03, high), (middle - 0.012, high), (middle - 0.012, low)], 2)
    _polygon(image, [(middle + 0.012, low), (middle + 0.012, high), (c - 0.02, high), (d - 0.06, low)], 2)
    for u in (0.19, 0.8):
        _ellipse(image, (u, 0.2), (0.085, 0.22), 3)
        _ellipse(image, (u, 0.2), (0.045, 0.115), 4)
    _rectangle(image, 0.94, deck - 0.16, 0.99, deck - 0.07, 5)
    _rectangle(image, 0.0, deck - 0.16, 0.04, deck - 0.05, 6)
    return image


def _car_end() -> Bitmap:
    """Parts as in the side view, but 4 is the number plate; the colour of the lights makes it front or rear."""
    image = _blank()
    _polygon(image, [(0, 0.25), (1, 0.25), (1, 1), (0, 1)], 1)
    _rectangle(image, 0.04, 0.0, 0.17, 0.3, 3)
    _rectangle(image, 0.83, 0.0, 0.96, 0.3, 3)
    _rectangle(image, 0.03, 0.25, 0.97, 0.38, 3)
    _rectangle(image, 0.36, 0.42, 0.64, 0.58, 4)
    _rectangle(image, 0.02, 0.66, 0.2, 0.86, 5)
    _rectangle(image, 0.8, 0.66, 0.98, 0.86, 5)
    return image


def _car_glass() -> Bitmap:
    image = np.ones((RESOLUTION, RESOLUTION), np.uint8)
    _polygon(image, [(0.06, 0.06), (0.94, 0.06), (0.88, 0.9), (0.12, 0.9)], 2)
    return image


def _person(rng: np.random.Generator) -> Bitmap:
    """Parts: 1 skin, 2 top, 3 trousers, 4 hair, 5 shoes, 6 bag."""
    image = _blank()
    spread, swing = rng.uniform(0.03, 0.2), rng.uniform(0.02, 0.18)
    for side in (-1, 1):
        foot, hip = 0.5 + side * spread, 0.5 + side * 0.09
        _polygon(image, [(hip - 0.1, 0.5), (hip + 0.1, 0.5), (foot + 0.07, 0.03), (foot - 0.07, 0.03)], 3)
        _rectangle(image, foot - 0.08, 0, foot + 0.12, 0.04, 5)
        hand = 0.5 + side * (0.26 + swing)
        arm = 0.5 + side * 0.2
        _polygon(image, [(arm - 0.06, 0.8), (arm + 0.06, 0.8), (hand + 0.05, 0.46), (hand - 0.05, 0.46)], 2)
        _ellipse(image, (hand, 0.45), (0.06, 0.025), 1)
    _polygon(image, [(0.27, 0.8), (0.38, 0.85), (0.62, 0.85), (0.73, 0.8), (0.69, 0.47), (0.31, 0.47)], 2)
    if rng.random() < 0.5:
        _rectangle(image, 0.7, 0.35, 0.95, 0.5, 6)
    _rectangle(image, 0.44, 0.82, 0.56, 0.89, 1)
    _ellipse(image, (0.5, 0.935), (0.15, 0.064), 4)
    _ellipse(image, (0.5 + rng.uniform(-0.05, 0.05), 0.92), (0.125, 0.052), 1)
    return image


def _tree(rng: np.random.Generator) -> Bitmap:
    """Parts: 1 dark leaves, 2 light leaves, 3 trunk; with a few holes."""
    image = _blank()
    top = rng.uniform(0.04, 0.07)
    _polygon(image, [(0.5 - 0.06, 0), (0.5 + 0.06, 0), (0.5 + top / 2, 0.6), (0.5 - top / 2, 0.6)], 3)
    for part, count, low in ((1, 26, 0.1), (2, 16, 0.06)):
        for _ in range(count):
            angle, reach = rng.uniform(0, 2 * np.pi), np.sqrt(rng.random())
            center = (0.5 + 0.36 * reach * np.cos(angle), 0.66 + 0.24 * reach * np.sin(angle))
            radius = rng.uniform(low, low + 0.04)
            _ellipse(image, center, (radius * 1.1, radius * 0.9), part)
    for _ in range(2):
        angle = rng.uniform(0, 2 * np.pi)
        radius = rng.uniform(0.01, 0.03)
        _ellipse(image, (0.5 + 0.3 * np.cos(angle), 0.66 + 0.2 * np.sin(angle)), (radius, radius), 0)
    return image


def _hedge(rng: np.random.Generator) -> Bitmap:
    image = _blank()
    columns = np.linspace(0, 1, 80)
    height = 0.86 + sum(rng.uniform(0.01, 0.045) * np.sin(columns * k + rng.uniform(0, 6.3)) for k in (9, 23, 41, 77))
    outline = [(float(u), float(v)) for u, v in zip(columns, np.clip(height, 0, 1), strict=True)]
    _polygon(image, [(0, 0), *outline, (1, 0)], 1)
    _rectangle(image, 0, 0, 1, 0.1, 1)
    return image


def _roof(kind: int) -> Bitmap:
    """Parts: 1 wall, 2 roof. Kinds: 0 flat with a chimney, 1 gable roof from its long side, 2 its gable end."""
    image = _blank()
    eaves = (0.93, 0.78, 0.72)[kind]
    _rectangle(image, 0, 0, 1, eaves, 1)
    if kind == 0:
        _rectangle(image, 0, eaves - 0.03, 1, eaves, 2)
        _rectangle(image, 0.7, eaves, 0.78, 1, 2)
    elif kind == 1:
        _polygon(image, [(0, eaves), (1, eaves), (0.93, 0.98), (0.07, 0.98)], 2)
    else:
        _polygon(image, [(0, eaves), (1, eaves), (0.5, 1)], 2)
    return image


def _sign_disc() -> Bitmap:
    """Parts of all signs: 1 border, 2 face, 3 symbol."""
    image = _blank()
    _ellipse(image, (0.5, 0.5), (0.5, 0.5), 1)
    _ellipse(image, (0.5, 0.5), (0.36, 0.36), 2)
    _rectangle(image, 0.28, 0.43, 0.72, 0.57, 3)
    return image


def _sign_triangle() -> Bitmap:
    image = _blank()
    _polygon(image, [(0, 0.05), (1, 0.05), (0.5, 1)], 1)
    _polygon(image, [(0.2, 0.17), (0.8, 0.17), (0.5, 0.76)], 2)
    _rectangle(image, 0.46, 0.22, 0.54, 0.55, 3)
    return image


def _sign_plate() -> Bitmap:
    image = np.ones((RESOLUTION, RESOLUTION), np.uint8)
    _rectangle(image, 0.08, 0.08, 0.92, 0.92, 2)
    for v in (0.28, 0.55, 0.76):
        _rectangle(image, 0.2, v, 0.8, v + 0.08, 3)
    return image
