"""Objects in the street: cars, persons, poles with signs, trees."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.random import Generator

from weclick.synthetic import tones
from weclick.synthetic.geometry import Double, Label, Surface, Tone, Vec
from weclick.synthetic.shapes import CAR_STYLES, DECK, PERSONS, TREES, shape

GLASS: Tone = (46, 54, 62, 9)
TYRE: Tone = (26, 26, 28, 4)
RIM: Tone = (120, 120, 124, 8)
WHITE: Tone = (214, 212, 200, 4)
RED: Tone = (150, 24, 24, 4)
SIGN_TONES: list[tuple[Tone, Tone, Tone]] = [
    (RED, WHITE, (30, 30, 34, 3)),
    (WHITE, (34, 66, 140, 4), WHITE),
    (RED, RED, WHITE),
    ((40, 40, 44, 3), (196, 160, 40, 4), (30, 30, 34, 3)),
    ((110, 112, 114, 6), (122, 124, 126, 7), (104, 106, 108, 6)),
]


def car(rng: Generator, position: Vec, heading: Vec, speed: float, number: int) -> list[Surface]:
    """Return the surfaces of a car; ``position`` is the centre of its floor, ``heading`` a unit vector."""
    style = str(rng.choice(list(CAR_STYLES)))
    length, width = rng.uniform(3.9, 4.8), rng.uniform(1.7, 1.9)
    height = rng.uniform(1.42, 1.58) * (1.38 if style == "van" else 1.0)
    forward, right = np.array(heading), np.array([heading[2], 0.0, -heading[0]])
    base = Surface(
        origin=position,
        along=_vec(right),
        up=(0.0, 1.0, 0.0),
        labels=(Label.CAR,),
        tones=(tones.paint(rng), GLASS, TYRE, RIM, WHITE, RED),
        instance=Label.CAR * 1000 + number,
        velocity=_vec(forward * speed),
        one_sided=True,
        detail=24,
    )
    corner = np.array(position) - right * width / 2 - forward * length / 2
    extent = (width, height, length)
    return [
        *_car_sides(base, style, corner, right, forward, extent),
        *_car_tops(base, style, corner, right, forward, extent),
    ]


def _vec(array: Double) -> Vec:
    return (float(array[0]), float(array[1]), float(array[2]))


def _patch(base: Surface, name: str, factor: float, origin: Double, along: Double, up: Double) -> Surface:
    body, *rest = base.tones
    tone = (tones.scaled(body, factor), *rest)
    return replace(base, origin=_vec(origin), along=_vec(along), up=_vec(up), shape=shape(name), tones=tone)


def _car_sides(base: Surface, style: str, corner: Double, right: Double, forward: Double, extent: Vec) -> list[Surface]:
    width, height, length = extent
    up, across, ahead = np.array([0.0, 1.0, 0.0]), right * width, forward * length
    deck = up * height * DECK[style]
    rear = replace(base, tones=(*base.tones[:4], RED, RED))
    return [
        _patch(base, f"{style}_right", 0.92, corner + across, ahead, up * height),
        _patch(base, f"{style}_left", 0.84, corner + ahead, -ahead, up * height),
        _patch(rear, "car_end", 0.88, corner, across, deck),
        _patch(base, "car_end", 0.95, corner + across + ahead, -across, deck),
    ]


def _car_tops(base: Surface, style: str, corner: Double, right: Double, forward: Double, extent: Vec) -> list[Surface]:
    width, height, length = extent
    a, b, c, d = (share * length for share in CAR_STYLES[style])
    across, deck = right * width, np.array([0.0, height * DECK[style], 0.0])
    rise = np.array([0.0, height, 0.0]) - deck
    rear, front = corner + deck + forward * a, corner + deck + forward * d + across
    return [
        _patch(base, "full", 1.1, corner + deck, across, forward * length),
        _patch(base, "car_glass", 0.95, rear, across, rise + forward * (b - a)),
        _patch(base, "car_glass", 1.0, front, -across, rise - forward * (d - c)),
        _patch(base, "full", 1.15, corner + deck + rise + forward * b, across, forward * (c - b)),
    ]


def person(rng: Generator, position: Vec, velocity: Vec, number: int) -> list[Surface]:
    """Return a person; the pose does not change while walking, so that the optical flow is exact."""
    height = rng.uniform(1.5, 1.92) * (0.72 if rng.random() < 0.12 else 1.0)
    width = 0.46 * height
    body = (tones.skin(rng), tones.cloth(rng), tones.cloth(rng), tones.grey(rng, 20, 110, 8, 12))
    return [
        Surface(
            origin=(position[0] - width / 2, 0.0, position[2]),
            along=(width, 0.0, 0.0),
            up=(0.0, height, 0.0),
            labels=(Label.PERSON,),
            tones=(*body, tones.grey(rng, 20, 120, 6), tones.cloth(rng)),
            shape=shape(f"person_{rng.integers(PERSONS)}"),
            instance=Label.PERSON * 1000 + number,
            velocity=velocity,
            detail=60,
        )
    ]


def upright(label: Label, tone: tuple[Tone, ...], foot: Vec, width: float, height: float, name: str) -> Surface:
    """Return a surface that stands across the street; ``foot`` is the middle of its lower edge."""
    origin = (foot[0] - width / 2, foot[1], foot[2])
    return Surface(origin, (width, 0.0, 0.0), (0.0, height, 0.0), (label,), tone, shape=shape(name))


def pole(rng: Generator, x: float, z: float) -> list[Surface]:
    """Return a lamp post, a sign post or a pole at the kerb."""
    tone = tones.grey(rng, 50, 150, 8)
    if rng.random() < 0.4:
        height, reach = rng.uniform(5.0, 8.0), -np.sign(x) * rng.uniform(0.8, 2.2)
        post = upright(Label.POLE, (tone,), (x, 0.0, z), rng.uniform(0.2, 0.34), height, "full")
        arm = upright(Label.POLE, (tone,), (x + reach / 2, height - 0.1, z), abs(reach), 0.18, "full")
        return [post, arm]
    height = rng.uniform(2.5, 3.6)
    post = upright(Label.POLE, (tone,), (x, 0.0, z), rng.uniform(0.14, 0.24), height, "full")
    if rng.random() >= 0.85:
        return [post]
    name = str(rng.choice(["sign_disc", "sign_triangle", "sign_plate"], p=[0.45, 0.25, 0.3]))
    width = rng.uniform(0.8, 1.3)
    tall = width * (rng.uniform(0.7, 1.4) if name == "sign_plate" else 1.0)
    colors = SIGN_TONES[rng.integers(len(SIGN_TONES))]
    return [post, upright(Label.TRAFFIC_SIGN, colors, (x, height - tall * 0.8, z - 0.05), width, tall, name)]


def tree(rng: Generator, x: float, z: float) -> list[Surface]:
    """Return a tree; in Cityscapes the trunk is vegetation too."""
    height = rng.uniform(3.5, 8.0)
    light = tones.leaves(rng)
    bark = tones.grey(rng, 45, 95, 12, 10)
    crown = upright(
        Label.VEGETATION,
        (tones.scaled(light, 0.8), light, bark),
        (x, 0.0, z),
        height * rng.uniform(0.55, 0.85),
        height,
        f"tree_{rng.integers(TREES)}",
    )
    return [replace(crown, detail=22)]
