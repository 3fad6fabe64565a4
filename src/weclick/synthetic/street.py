"""The static part of a street: the ground with its strips, and houses, fences and hedges beside it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from weclick.synthetic import tones
from weclick.synthetic.actors import tree, upright
from weclick.synthetic.geometry import Float, Label, Material, Surface, Tone
from weclick.synthetic.shapes import HEDGES, ROOFS, shape

START, END = -12.0, 300.0
"""Extent of the houses and fences along the street, in metres."""
FAR = 420.0
"""Half the width of the ground, in metres."""

ROAD, SIDEWALK, TERRAIN = 1, 2, 3
"""Part numbers of the ground."""


@dataclass(frozen=True)
class Crossing:
    """A side street on one side (-1 left, 1 right), between two distances along the street."""

    side: int
    begin: float
    end: float


@dataclass(frozen=True)
class Ground:
    """The strips of the street from left to right (their edges and parts), and the side streets that cross them."""

    half_road: float
    edges: NDArray[np.float32]
    parts: NDArray[np.uint8]
    verge: tuple[float, float]
    walk: tuple[float, float]
    crossings: tuple[Crossing, ...]
    zebra: float
    edge_line: bool
    slab: float
    shade: tuple[float, float]

    def part_at(self, x: Float, z: Float) -> NDArray[np.uint8]:
        """Return the part number at each point of the ground."""
        parts = self.parts[np.searchsorted(self.edges, x)]
        for crossing in self.crossings:
            beyond = (x * crossing.side > self.half_road) & (z > crossing.begin) & (z < crossing.end)
            inner = beyond & (z > crossing.begin + 2.0) & (z < crossing.end - 2.0)
            parts[beyond] = SIDEWALK
            parts[inner] = ROAD
        return parts

    def outer(self, side: int) -> float:
        """Return the distance from the middle of the road to the outer edge of the sidewalk."""
        return self.walk[0 if side < 0 else 1]


def sample_ground(rng: Generator) -> Ground:
    """Sample the strips, side streets, markings and the shade of the houses."""
    half = rng.uniform(4.0, 5.2)
    verge = [half + (rng.uniform(1.2, 2.6) if rng.random() < 0.45 else 0.0) for _ in range(2)]
    walk = [v + rng.uniform(2.4, 4.4) for v in verge]
    edges = [-walk[0], -verge[0], -half, half, verge[1], walk[1]]
    parts = [TERRAIN, SIDEWALK, TERRAIN, ROAD, TERRAIN, SIDEWALK, TERRAIN]
    crossings = []
    for side in (-1, 1):
        begin = rng.uniform(8, 40)
        while begin < 160:
            crossings.append(Crossing(side, begin, begin + rng.uniform(9, 13)))
            begin += rng.uniform(35, 80)
    sun = int(rng.integers(-1, 2))
    return Ground(
        half_road=half,
        edges=np.array(edges, np.float32),
        parts=np.array(parts, np.uint8),
        verge=(verge[0], verge[1]),
        walk=(walk[0], walk[1]),
        crossings=tuple(crossings),
        zebra=rng.uniform(8, 60),
        edge_line=bool(rng.random() < 0.5),
        slab=rng.uniform(0.5, 1.2),
        shade=(float(sun), rng.uniform(-3.0, 7.0)),
    )


def ground_surface(rng: Generator) -> Surface:
    """Return the ground plane; road and sidewalk differ more in texture than in colour."""
    asphalt = tones.grey(rng, 66, 128, 7, 6)
    offset = rng.choice([-1, 1]) * rng.uniform(6, 30)
    paving = (asphalt[0] + offset + rng.uniform(-4, 10), asphalt[1] + offset, asphalt[2] + offset - 4, 11.0)
    return Surface(
        origin=(-FAR, 0.0, START),
        along=(2 * FAR, 0.0, 0.0),
        up=(0.0, 0.0, 1500.0),
        labels=(Label.ROAD, Label.SIDEWALK, Label.TERRAIN),
        tones=(asphalt, paving, tones.grass(rng)),
        material=Material.GROUND,
        detail=40,
    )


def roadside(rng: Generator, ground: Ground) -> Iterator[Surface]:
    """Yield houses, fences and hedges along both sides, with gaps at the side streets, and the horizon."""
    for side in (-1, 1):
        base = ground.outer(side) + (rng.uniform(1.0, 5.0) if rng.random() < 0.7 else 0.0)
        town = rng.uniform(0.1, 0.65)
        z = START
        while z < END:
            length = rng.uniform(6, 18)
            blocked = [c for c in ground.crossings if c.side == side and z < c.end and z + length > c.begin]
            length = min([length, *(max(c.begin - z, 0.0) for c in blocked)])
            if length < 2.5:
                z = max([z + length, *(c.end for c in blocked)])
                continue
            yield from _lot(rng, side, base + rng.uniform(0, 0.8), z, length, town)
            z += length + (rng.uniform(1, 5) if rng.random() < 0.15 else 0.0)
    yield from _horizon(rng)


def _lot(rng: Generator, side: int, x: float, z: float, length: float, town: float) -> Iterator[Surface]:
    if rng.random() < town:
        yield from _house(rng, side, x, z, length)
        return
    if rng.random() < 0.65:
        yield _fence(rng, side, x, z, length)
    else:
        tone = tones.leaves(rng)
        hedge = _along(side, x, z, length, rng.uniform(1.0, 3.2), Label.VEGETATION, (tone,))
        yield replace(hedge, shape=shape(f"hedge_{rng.integers(HEDGES)}"), detail=24)
    if rng.random() < 0.5:
        yield from _house(rng, side, x + rng.uniform(5, 12), z, length)
    for _ in range(int(rng.integers(0, 3))):
        yield from tree(rng, side * (x + rng.uniform(1.5, 5)), z + rng.uniform(0, length))


def _along(
    side: int, x: float, z: float, length: float, height: float, label: Label, tone: tuple[Tone, ...]
) -> Surface:
    """Return a wall along the street, ``x`` metres from the middle of the road."""
    return Surface((side * x, 0.0, z), (0.0, 0.0, length), (0.0, height, 0.0), (label,), tone)


def _fence(rng: Generator, side: int, x: float, z: float, length: float) -> Surface:
    tone = tones.pick(rng, [(110, 84, 60), (92, 92, 94), (140, 134, 124), (66, 78, 60), (84, 60, 46)], 16, 9)
    fence = _along(side, x, z, length, rng.uniform(1.2, 2.6), Label.FENCE, (tone,))
    pattern = (rng.uniform(0.14, 0.32), rng.uniform(0.3, 0.6), rng.uniform(0.35, 0.6))
    return replace(fence, material=Material.FENCE, pattern=pattern)


def _house(rng: Generator, side: int, x: float, z: float, length: float) -> Iterator[Surface]:
    """Yield the front along the street, and the side that faces the camera."""
    height = rng.uniform(5, 15)
    plaster = tones.wall(rng)
    tone = (plaster, tones.pick(rng, [(112, 62, 48), (78, 74, 74), (96, 84, 74)], 12, 12))
    pattern = (rng.uniform(1.8, 3.4), rng.uniform(2.6, 3.4), rng.uniform(0.3, 0.6))
    front = _along(side, x, z, length, height, Label.BUILDING, tone)
    front = replace(front, material=Material.FACADE, pattern=pattern, shape=shape(f"roof_{rng.integers(ROOFS)}"))
    yield front
    depth = rng.uniform(7, 12)
    origin = (x if side > 0 else -x - depth, 0.0, z)
    shade = rng.uniform(0.7, 1.1)
    yield replace(
        front,
        origin=origin,
        along=(depth, 0.0, 0.0),
        shape=shape("roof_2" if front.shape != shape("roof_0") else "roof_0"),
        tones=tuple(tones.scaled(t, shade) for t in tone),
    )


def _horizon(rng: Generator) -> Iterator[Surface]:
    """Yield distant trees and houses, which hide the edge of the world."""
    for side in (-1, 1):
        hedge = _along(
            side, rng.uniform(45, 80), START, END, rng.uniform(5, 12), Label.VEGETATION, (tones.leaves(rng),)
        )
        yield replace(hedge, shape=shape(f"hedge_{rng.integers(HEDGES)}"), detail=6)
    wood = upright(Label.VEGETATION, (tones.leaves(rng),), (0.0, 0.0, END), 2 * FAR, rng.uniform(8, 20), "hedge_0")
    yield replace(wood, detail=4)
    for _ in range(int(rng.integers(2, 7))):
        foot = (rng.uniform(-60, 60), 0.0, END - rng.uniform(5, 60))
        block = upright(Label.BUILDING, (tones.wall(rng),) * 2, foot, rng.uniform(8, 25), rng.uniform(8, 30), "roof_0")
        yield replace(block, material=Material.FACADE, pattern=(3.0, 3.0, 0.45))
