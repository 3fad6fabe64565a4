"""Colours of the street. The classes overlap on purpose, so that a network also has to use shape and position."""

from __future__ import annotations

from numpy.random import Generator

from weclick.synthetic.geometry import Tone


def grey(rng: Generator, low: float, high: float, texture: float, tint: float = 8.0) -> Tone:
    """Return a grey with a slight tint."""
    level = rng.uniform(low, high)
    red, green, blue = level + rng.uniform(-tint, tint, 3)
    return (red, green, blue, texture)


def pick(rng: Generator, colors: list[tuple[float, float, float]], spread: float, texture: float) -> Tone:
    """Return one of ``colors`` with a random shift of up to ``spread`` per channel."""
    red, green, blue = colors[rng.integers(len(colors))] + rng.uniform(-spread, spread, 3)
    return (red, green, blue, texture)


def scaled(tone: Tone, factor: float) -> Tone:
    """Return ``tone`` with colour and texture multiplied by ``factor``."""
    return (tone[0] * factor, tone[1] * factor, tone[2] * factor, tone[3] * factor)


def leaves(rng: Generator) -> Tone:
    """Return a green between olive, grass and nearly grey."""
    return pick(rng, [(62, 84, 44), (84, 98, 52), (58, 72, 58), (96, 92, 58), (70, 100, 60)], 14, 26)


def grass(rng: Generator) -> Tone:
    """Return a green or a dry brown; the range overlaps :func:`leaves`."""
    return pick(rng, [(78, 96, 54), (92, 100, 58), (112, 102, 72), (98, 88, 66), (68, 86, 54)], 14, 20)


def wall(rng: Generator) -> Tone:
    """Return plaster, brick, concrete like the road, or a green close to leaves."""
    colors: list[tuple[float, float, float]] = [
        *[(150, 138, 118), (168, 158, 140), (128, 78, 62), (104, 70, 58), (104, 104, 106), (84, 84, 88)],
        *[(128, 124, 118), (98, 106, 82), (92, 100, 110), (176, 150, 106), (70, 62, 58)],
    ]
    return pick(rng, colors, 14, 11)


def paint(rng: Generator) -> Tone:
    """Return a car colour; more than half are greys like the road's."""
    if rng.random() < 0.58:
        return grey(rng, 30, 215, 5, 5)
    return pick(rng, [(130, 34, 34), (40, 62, 122), (52, 84, 62), (150, 120, 60), (92, 74, 62), (60, 96, 128)], 18, 5)


def cloth(rng: Generator) -> Tone:
    """Return a colour of clothes, mostly dark."""
    if rng.random() < 0.55:
        return grey(rng, 22, 120, 12, 14)
    red, green, blue = rng.uniform(25, 210, 3)
    return (red, green, blue, 12)


def skin(rng: Generator) -> Tone:
    """Return a skin colour."""
    return pick(rng, [(206, 162, 134), (170, 122, 92), (112, 76, 56), (222, 184, 160)], 10, 5)
