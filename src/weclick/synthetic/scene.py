"""Sample a street from a seed: camera, light, ground, houses, traffic."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from weclick.synthetic.actors import car, person, pole, tree
from weclick.synthetic.geometry import CameraPath, Label, Material, Surface, SurfaceTable, Vec
from weclick.synthetic.street import Ground, ground_surface, roadside, sample_ground

SKY, GROUND = 0, 1
"""Rows of the sky and the ground in every surface table."""

DETAIL_END = 130.0
"""Largest distance of poles, trees and parked cars, in metres: objects a few pixels high cannot be clicked."""


@dataclass(frozen=True)
class Light:
    """Light and camera sensor of a video.

    Args:
        gain: Factor per channel.
        swing: Slow change of the gain: amplitude, period in seconds, phase.
        haze: Colour of the haze, RGB.
        sight: Distance at which haze takes 63 % of the colour, in metres.
        blur: Standard deviation in pixels, at a width of 512.
        noise: Standard deviation of the sensor noise, in grey levels.
    """

    gain: Vec
    swing: tuple[float, float, float]
    haze: Vec
    sight: float
    blur: float
    noise: float


@dataclass(frozen=True)
class Shadow:
    """A dark ellipse on the ground that moves with its object: centre, half axes, velocity."""

    center: tuple[float, float]
    radii: tuple[float, float]
    velocity: Vec


@dataclass(frozen=True)
class World:
    """Everything needed to render one video."""

    path: CameraPath
    light: Light
    ground: Ground
    surfaces: SurfaceTable
    shadows: tuple[Shadow, ...]


def sample_world(seed: int, index: int) -> World:
    """Sample world ``index`` of the data set ``seed``; the same two numbers give the same world."""
    rng = np.random.default_rng([seed, index])
    light = _light(rng)
    ground = sample_ground(rng)
    path = _camera_path(rng, ground)
    objects = list(_objects(rng, ground, path))
    surfaces = [_sky(rng), ground_surface(rng), *roadside(rng, ground), *objects]
    return World(path, light, ground, SurfaceTable(surfaces), tuple(_shadows(objects)))


def _light(rng: Generator) -> Light:
    warmth = rng.uniform(-0.12, 0.12)
    level = rng.uniform(0.62, 1.28)
    sky = rng.uniform(150, 220)
    return Light(
        gain=(level * (1 + warmth), level, level * (1 - warmth)),
        swing=(rng.uniform(0.0, 0.06), rng.uniform(1.0, 4.0), rng.uniform(0, 6.3)),
        haze=(sky - rng.uniform(0, 14), sky, sky + rng.uniform(0, 14)),
        sight=rng.uniform(120, 420),
        blur=rng.uniform(0.45, 0.85),
        noise=rng.uniform(1.5, 6.0),
    )


def _camera_path(rng: Generator, ground: Ground) -> CameraPath:
    return CameraPath(
        speed=rng.uniform(3.0, 12.0),
        lane=_lane(ground) + rng.uniform(-0.3, 0.3),
        height=rng.uniform(1.5, 2.1),
        focal=rng.uniform(0.8, 1.05),
        horizon=rng.uniform(0.4, 0.5),
        amplitudes=tuple(rng.uniform(0.2, 1.0, 5) * (0.25, 0.05, 0.012, 0.012, 1.0)),
        periods=tuple(rng.uniform((3.0, 3.0, 0.8, 1.5, 3.0), (7.0, 8.0, 2.0, 4.0, 6.0))),
        phases=tuple(rng.uniform(0, 2 * np.pi, 5)),
    )


def _lane(ground: Ground) -> float:
    """Return the middle of the right lane, in metres from the middle of the road."""
    return (ground.half_road - 1.9) / 2 + 0.1  # parked cars take the outer 1.9 m


def _sky(rng: Generator) -> Surface:
    blue = (rng.uniform(70, 190), rng.uniform(120, 200), rng.uniform(170, 230), 12.0)
    return Surface(
        origin=(0.0, 0.0, 1.0),
        along=(1.0, 0.0, 0.0),
        up=(0.0, 1.0, 0.0),
        labels=(Label.SKY,),
        tones=(blue,),
        material=Material.SKY,
        detail=500,
    )


def _objects(rng: Generator, ground: Ground, path: CameraPath) -> Iterator[Surface]:
    yield from _traffic(rng, ground, path)
    yield from _persons(rng, ground)
    for side in (-1, 1):
        verge = ground.verge[0 if side < 0 else 1]
        z = rng.uniform(6, 14)
        while z < DETAIL_END:
            yield from pole(rng, side * (verge + rng.uniform(0.2, 0.6)), z)
            z += rng.uniform(8, 24)
        if rng.random() < 0.6:
            z = rng.uniform(8, 30)
            while z < DETAIL_END:
                yield from tree(rng, side * (verge + rng.uniform(0.3, 0.9)), z)
                z += rng.uniform(9, 30)


def _traffic(rng: Generator, ground: Ground, path: CameraPath) -> Iterator[Surface]:
    number, lane = 0, _lane(ground)
    for side in (-1, 1):
        density = rng.choice([0.0, 0.3, 0.75])
        z = rng.uniform(4, 16)
        while z < DETAIL_END:
            free = not any(c.side == side and c.begin - 3 < z < c.end + 3 for c in ground.crossings)
            if free and abs(z - ground.zebra) > 5 and rng.random() < density:
                number += 1
                ahead = 1.0 if side > 0 or rng.random() < 0.25 else -1.0
                yield from car(rng, (side * (ground.half_road - 1.0), 0, z), (0, 0, ahead), 0.0, number)
            z += rng.uniform(5.3, 9)
    ahead = rng.uniform(11, 26)
    for _ in range(2):
        number += 1
        yield from car(rng, (lane, 0, ahead), (0, 0, 1), path.speed * rng.uniform(0.85, 1.2), number)
        ahead += rng.uniform(14, 45)
    coming = rng.uniform(16, 50)
    for _ in range(3):
        number += 1
        yield from car(rng, (-lane, 0, coming), (0, 0, -1), rng.uniform(4, 11), number)
        coming += rng.uniform(14, 45)
    yield from _side_traffic(rng, ground, number)


def _side_traffic(rng: Generator, ground: Ground, number: int) -> Iterator[Surface]:
    """Yield cars in the side streets, waiting or driving; the camera sees them from the side."""
    for crossing in ground.crossings:
        if rng.random() < 0.6:
            number += 1
            x = crossing.side * (ground.half_road + rng.uniform(3, 12))
            direction = float(rng.choice([-1, 1]))
            z = (crossing.begin + crossing.end) / 2 + 1.6 * direction
            yield from car(rng, (x, 0, z), (direction, 0, 0), float(rng.choice([0.0, 1.5])), number)


def _persons(rng: Generator, ground: Ground) -> Iterator[Surface]:
    number = 0
    for side in (-1, 1):
        begin, end = ground.verge[0 if side < 0 else 1] + 0.9, ground.outer(side) - 0.2
        z = rng.uniform(4, 9)
        while z < 90:
            pace = float(rng.choice([-1, 0, 1], p=[0.4, 0.2, 0.4])) * rng.uniform(0.8, 1.6)
            for _ in range(int(rng.integers(1, 4))):
                number += 1
                position = (side * rng.uniform(begin, end), 0.0, z + rng.uniform(0, 1.2))
                yield from person(rng, position, (rng.uniform(-0.1, 0.1), 0.0, pace), number)
            z += rng.uniform(4, 18)
    # three persons cross the road, one of them on the zebra crossing
    for z in (ground.zebra + 1.5, rng.uniform(14, 45), rng.uniform(14, 60)):
        number += 1
        direction = float(rng.choice([-1, 1]))
        x = -direction * rng.uniform(0, ground.half_road + 1)
        yield from person(rng, (x, 0.0, z), (direction * rng.uniform(0.7, 1.7), 0.0, 0.0), number)


def _shadows(objects: list[Surface]) -> Iterator[Shadow]:
    """Yield one shadow per object."""
    cars = set()
    for surface in objects:
        x, height, z = surface.origin
        level = surface.up[1] == 0
        if surface.instance // 1000 == Label.CAR:
            # the first level surface of a car is its deck, which is as long and wide as the car
            if not level or surface.instance in cars:
                continue
            cars.add(surface.instance)
            span = np.abs(np.array(surface.along) + np.array(surface.up))
            middle = np.array(surface.origin) + (np.array(surface.along) + np.array(surface.up)) / 2
            yield Shadow((middle[0], middle[2]), (span[0] * 0.62, span[2] * 0.55), surface.velocity)
        elif height == 0:
            width = surface.along[0]
            yield Shadow((x + width / 2, z), (width * 0.6, max(0.25, width * 0.4)), surface.velocity)
