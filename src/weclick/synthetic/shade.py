"""Colours of a raster: texture fixed to the surfaces, then light, haze, blur and sensor noise."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from weclick.synthetic.geometry import PARTS, Float, Material
from weclick.synthetic.raster import Raster, ground_point
from weclick.synthetic.scene import GROUND, SKY, Light, World
from weclick.synthetic.street import ROAD, SIDEWALK

TILE, LEVELS, COARSE = 256, 8, 14.0
"""Size of a noise tile, number of its resolution levels, and the scale of the coarse noise."""
STRIDE = TILE + 2
"""Rows per level: the tile and a border of one pixel on each side, for bilinear sampling."""
LANE_PAINT = np.float32(70.0)

Where = tuple[NDArray[np.signedinteger], ...]


def shade(world: World, raster: Raster, time: float, rng: Generator) -> NDArray[np.uint8]:
    """Return the image (H, W, 3), RGB, at ``time`` seconds; ``rng`` samples the sensor noise."""
    table = world.surfaces
    tone = np.take(table.tones.reshape(-1, 4), raster.ids * PARTS + raster.parts, axis=0)
    fine, coarse = _texture(world, raster)
    color = np.ascontiguousarray(tone[..., :3])
    strength = tone[..., 3]
    color += (strength * (0.65 * fine[..., 0] + 0.6 * coarse[..., 1]))[..., None]
    tint = strength * (0.12 * fine[..., 2] + 0.25 * coarse[..., 2])
    color[..., 0] += tint
    color[..., 2] -= tint
    _paint(world, raster, color, coarse)
    color *= _shadow(world, raster, time)[..., None]
    _add_haze(world.light, raster, color)
    amount, period, phase = world.light.swing
    change = 1 + amount * np.sin(2 * np.pi * time / period + phase)
    color *= np.asarray(np.array(world.light.gain) * change, np.float32)
    return _expose(world.light, color, rng)


@cache
def _noise_levels() -> Float:
    """Return tileable noise in three channels with different spectra, as stacked levels of increasing blur (mipmap)."""
    rng = np.random.default_rng(4)
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(TILE), np.fft.fftfreq(TILE)))
    levels = np.zeros((LEVELS * STRIDE, STRIDE, 3), np.float32)
    for channel, fall in enumerate((0.7, 1.3, 1.0)):
        spectrum = np.fft.fft2(rng.standard_normal((TILE, TILE))) / np.maximum(frequency, 1 / TILE) ** fall
        spectrum[0, 0] = 0
        deviation = np.fft.ifft2(spectrum).real.std()
        for level in range(LEVELS):
            blur = np.exp(-2 * (np.pi * frequency * 0.5 * (2**level - 1)) ** 2)
            tile = np.fft.ifft2(spectrum * blur).real / deviation
            levels[level * STRIDE : (level + 1) * STRIDE, :, channel] = np.pad(tile, 1, mode="wrap")
    return levels


def _texture(world: World, raster: Raster) -> tuple[Float, Float]:
    """Return fine and coarse noise (H, W, 3) in surface coordinates, without aliasing."""
    table = world.surfaces
    detail = table.detail.astype(np.float32)[raster.ids]
    lengths = table.lengths.astype(np.float32)
    # offsets by row give each surface another part of the tile
    u = raster.u.astype(np.float32) * lengths[raster.ids, 0] * detail + (raster.ids * 37 % TILE).astype(np.float32)
    v = raster.v.astype(np.float32) * lengths[raster.ids, 1] * detail + (raster.ids * 91 % TILE).astype(np.float32)
    level = np.log2(np.maximum(raster.footprint * detail, 1e-3)) + 0.5
    return _lookup(u, v, level), _lookup(u / COARSE, v / COARSE, level - np.float32(np.log2(COARSE)))


def _lookup(u: Float, v: Float, level: Float) -> Float:
    row = np.clip(np.rint(level), 0, LEVELS - 1) * STRIDE
    x = u - np.floor(u * (1 / TILE)) * TILE + 0.5
    y = v - np.floor(v * (1 / TILE)) * TILE + 0.5
    noise = cv2.remap(_noise_levels(), x.astype(np.float32), (y + row).astype(np.float32), cv2.INTER_LINEAR)
    return np.asarray(noise, np.float32)


def _paint(world: World, raster: Raster, color: Float, coarse: Float) -> None:
    """Paint the patterns of the materials."""
    material = world.surfaces.material[raster.ids]
    for kind, painter in ((Material.FACADE, _facade), (Material.FENCE, _fence)):
        where = np.nonzero((material == kind) & (raster.parts == 1))
        if len(where[0]):
            color[where] = painter(world, raster, where, color[where])
    where = np.nonzero(raster.ids == GROUND)
    color[where] = _ground(world, raster, where, color[where])
    where = np.nonzero(raster.ids == SKY)
    color[where] = _sky(world, raster, where, color[where], coarse[where])


def _metres(world: World, raster: Raster, where: Where) -> tuple[NDArray[np.intp], Float, Float, Float]:
    rows = raster.ids[where]
    lengths = world.surfaces.lengths.astype(np.float32)[rows]
    u, v = (coordinate[where].astype(np.float32) for coordinate in (raster.u, raster.v))
    return rows, u * lengths[:, 0], v * lengths[:, 1], raster.footprint[where]


def _band(position: Float, low: Float | float, high: Float | float, soft: Float) -> Float:
    """Return the share of a pixel of width ``soft`` at ``position`` that is within low..high (anti-aliasing)."""
    width = np.maximum(soft, 1e-4)
    rise = np.clip((position - low) / width + 0.5, 0, 1)
    return np.asarray(rise * np.clip((high - position) / width + 0.5, 0, 1), np.float32)


def _facade(world: World, raster: Raster, where: Where, color: Float) -> Float:
    """Paint rows of windows with frames, some of them lit, and courses of bricks."""
    rows, u, v, soft = _metres(world, raster, where)
    step_u, step_v, share = world.surfaces.pattern[rows].T
    column, line = np.floor(u / step_u), np.floor((v - 0.3) / step_v)
    x, y = u - column * step_u, v - 0.3 - line * step_v
    half = share * step_u / 2
    pane = _band(x - step_u / 2, -half, half, soft) * _band(y, 0.28 * step_v, 0.8 * step_v, soft)
    frame = _band(x - step_u / 2, -half - 0.1, half + 0.1, soft) * _band(y, 0.25 * step_v, 0.83 * step_v, soft)
    # a hash of the window's position: lit windows must stay lit in every frame
    dice = ((column * 7 + line * 13 + rows * 5).astype(np.int64) * 2654435761 >> 7) % 97 / np.float32(97)
    glass = np.where(dice > 0.85, 120 + 60 * dice, 34 + 60 * dice)[:, None] * np.array([0.92, 1.0, 1.08])
    course = _band(v % 0.3, 0.0, 0.05, soft) * np.clip(1 - soft * 6, 0, 1)
    color = color * (1 - 0.16 * course[:, None])
    color = color + frame[:, None] * 22
    return np.asarray(color + pane[:, None] * (glass - color), np.float32)


def _fence(world: World, raster: Raster, where: Where, color: Float) -> Float:
    """Paint pickets with dark gaps and two rails."""
    rows, u, v, soft = _metres(world, raster, where)
    step, share, dark = world.surfaces.pattern[rows].T
    fade = np.clip(1.5 - soft / step, 0, 1)
    gap = fade * _band(u % step, step * share, step, soft) + (1 - fade) * (1 - share)
    top = world.surfaces.lengths.astype(np.float32)[rows, 1]
    rail = np.maximum(_band(v, 0.15 * top, 0.15 * top + 0.1, soft), _band(v, 0.8 * top, 0.8 * top + 0.1, soft))
    return np.asarray(color * (1 - (gap * (1 - rail) * dark)[:, None]), np.float32)


def _ground(world: World, raster: Raster, where: Where, color: Float) -> Float:
    """Paint lane marks and a zebra crossing, joints and kerb of the sidewalk, and the shade of the houses."""
    ground, part = world.ground, raster.parts[where]
    x, z = ground_point(world.surfaces, raster.u[where], raster.v[where])
    depth = 1 / np.maximum(raster.inverse_depth[where], 1e-4)
    soft_x = depth / (world.path.focal * raster.ids.shape[1])
    soft_z = soft_x * depth / world.path.height
    line = _band(x, -0.07, 0.07, soft_x) * _band(z % 6.0, 0.0, 3.0, soft_z)
    if ground.edge_line:
        line = np.maximum(line, _band(np.abs(x), ground.half_road - 2.1, ground.half_road - 1.98, soft_x))
    zebra = _band(x % 1.0, 0.0, 0.5, soft_x) * _band(z, ground.zebra, ground.zebra + 3.0, soft_z)
    paint = np.where(part == ROAD, np.maximum(line, zebra), 0)
    slab = ground.slab
    joint = _band(x % slab, 0, 0.035, soft_x) * np.clip(1.2 - soft_x * 3 / slab, 0, 1)
    joint = np.maximum(joint, _band(z % slab, 0, 0.035, soft_z) * np.clip(1.2 - soft_z * 3 / slab, 0, 1))
    kerb = _band(np.abs(x), ground.half_road, ground.half_road + 0.16, soft_x)
    joint, kerb = (np.where(part == SIDEWALK, mark, 0) for mark in (joint, kerb))
    sun, reach = ground.shade
    shaded = 1 - 0.42 * np.clip((x * sun - reach) / np.maximum(0.4, soft_x) + 0.5, 0, 1) * abs(sun)
    return np.asarray((color + (LANE_PAINT * paint - 30 * joint + 26 * kerb)[:, None]) * shaded[:, None], np.float32)


def _sky(world: World, raster: Raster, where: Where, color: Float, coarse: Float) -> Float:
    """Paint a gradient from haze to blue, and clouds."""
    rise = np.clip(raster.v[where] * 2.2, 0, 1)[:, None]
    haze = np.array(world.light.haze, np.float32)
    cloud = np.clip(coarse[:, 1:2] * 0.6 + 0.2, 0, 1) * np.float32(0.7)
    clear = haze + (color - haze) * rise
    return np.asarray(clear + (np.float32(232) - clear) * cloud, np.float32)


def _shadow(world: World, raster: Raster, time: float) -> Float:
    """Return the factor (H, W) by which the shadows of objects darken the ground."""
    factor = np.ones(raster.ids.shape, np.float32)
    where = np.nonzero((raster.ids == GROUND) & (raster.inverse_depth > 1 / 70))
    if not len(where[0]):
        return factor
    x, z = ground_point(world.surfaces, raster.u[where], raster.v[where])
    dark = np.ones_like(x)
    near, far = z.min(), z.max()
    # sorted by distance, so that each shadow only visits the pixels in its range
    order = np.argsort(z, kind="stable")
    sorted_z = z[order]
    for shadow in world.shadows:
        cx, cz = shadow.center[0] + shadow.velocity[0] * time, shadow.center[1] + shadow.velocity[2] * time
        if not near - 4 < cz < far + 4:
            continue
        span = order[slice(*np.searchsorted(sorted_z, (cz - shadow.radii[1], cz + shadow.radii[1])))]
        distance = ((x[span] - cx) / shadow.radii[0]) ** 2 + ((z[span] - cz) / shadow.radii[1]) ** 2
        dark[span] = np.minimum(dark[span], 0.42 + 0.58 * np.clip(distance * 1.6 - 0.6, 0, 1))
    factor[where] = dark
    return factor


def _add_haze(light: Light, raster: Raster, color: Float) -> None:
    """Mix distant surfaces with the colour of the haze; the sky already contains it."""
    far = 1 - np.exp(-1 / np.maximum(raster.inverse_depth * np.float32(light.sight), 1e-6))
    far[raster.ids == SKY] = 0
    color += (np.array(light.haze, np.float32) - color) * far[..., None]


def _expose(light: Light, color: Float, rng: Generator) -> NDArray[np.uint8]:
    scale = max(color.shape[1] / 512, 0.5)
    image: Float = cv2.GaussianBlur(color, (0, 0), light.blur * scale).astype(np.float32, copy=False)
    image += np.float32(light.noise) * rng.standard_normal(image.shape, dtype=np.float32)
    return np.clip(image, 0, 255).astype(np.uint8)
