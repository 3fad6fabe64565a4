"""Conversion of CamVid as published into the layout that weclick reads, with neighbour frames from its videos."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from weclick.data.decode import JPEG_QUALITY, Progress, decode_video
from weclick.data.index import FrameKey, Split
from weclick.data.layouts.camvid import CLASSES, VOID, frame_key
from weclick.errors import DataError
from weclick.files import partial_folder
from weclick.images import check_same_size, read_image, resize_image
from weclick.listing import has_images, list_images, list_numbered
from weclick.video import VIDEO_SUFFIXES

STILLS: Final = "701_StillsRaw_full"
LABELS: Final = "LabeledApproved_full"
REACH: Final = 10
"""Unlabelled frames on either side of each still: a third of a second, more than clips need by default."""

_Color = tuple[int, int, int]

COLORS: Final[dict[str, tuple[_Color, ...]]] = {
    "sky": ((128, 128, 128),),
    "building": ((0, 128, 64), (128, 0, 0), (64, 192, 0), (64, 0, 64), (192, 0, 128)),
    "pole": ((192, 192, 128), (0, 0, 64)),
    "road": ((128, 64, 128), (128, 0, 192), (192, 0, 64)),
    "pavement": ((0, 0, 192), (64, 192, 128), (128, 128, 192)),
    "tree": ((128, 128, 0), (192, 192, 0)),
    "sign": ((192, 128, 128), (128, 128, 64), (0, 64, 64)),
    "fence": ((64, 64, 128),),
    "car": ((64, 0, 128), (64, 128, 192), (192, 128, 192), (192, 64, 128), (128, 64, 64)),
    "pedestrian": ((64, 64, 0), (192, 128, 64), (64, 0, 192), (64, 128, 64)),
    "bicyclist": ((0, 128, 192), (192, 0, 192)),
}
"""The 31 published colours of each of the 11 classes, grouped as in the MATLAB segmentation example; black is void."""

_THUMB: Final = (36, 48)
"""(H, W) at which frames are compared; small, so that noise and compression do not count."""
_FEWEST: Final = 8
"""Stills needed to find an offset and to check it."""
_SPARSEST: Final = 2
"""Frame numbers per extracted frame, at most; sparser frames pair with too few stills."""
_NEAR: Final = 15
"""Frames within half a second look alike, so an offset is compared with others beyond it."""
_MARGIN: Final = 0.6
"""The distance under the best offset must be below this share of that under any other."""
_SLACK: Final = 1.25
"""A still agrees with an offset when its frame is at most so many times as far away as the nearest one around."""
_AGREEING: Final = 0.8
"""Share of the stills that must agree."""

_log = logging.getLogger(__name__)


def prepare_camvid(
    source: Path,
    out: Path,
    *,
    size: tuple[int, int] = (360, 480),
    reach: int = REACH,
    progress: Progress | None = None,
) -> None:
    """Write CamVid as published into the SegNet layout, whole or not at all.

    Neighbour frames come from a video file in ``source``, or from a folder of extracted frames, whose name contains the
    last four characters of the stills' video (``01TP_extract.avi`` for ``0001TP``). Decoders disagree on where a
    video starts, so its frames are matched to the stills by content; a video that does not match is skipped with a
    warning. Needs disk space for one decoded video beside ``out`` while it runs. Of several processes that need the same
    folder, one prepares it and the others wait for it.

    Args:
        source: Folder with ``701_StillsRaw_full`` and ``LabeledApproved_full``.
        out: Folder to make; must not exist, or be empty.
        size: (H, W) to write.
        reach: Unlabelled frames to write on either side of each still; 0 for none.
        progress: Called with (done, total), first of the stills, then of each video's frames.

    Raises:
        DataError: A folder or file is missing or bad, a label has an unknown colour, or ``out`` is not empty.
    """
    stills, labels = _published(source)
    _require_empty(out)
    out = out.absolute()  # "." has no name
    with partial_folder(out, "preparing") as partial:
        _require_empty(out)  # another process may have filled it while this one waited
        written = _write_stills(stills, labels, partial, size, progress)
        if reach > 0:
            _write_neighbours(source, partial, written, size, reach, progress)
        _require_empty(out)  # minutes have passed, and what replaces it must not delete anything
        partial.replace(out)


def _published(source: Path) -> tuple[dict[str, Path], dict[str, Path]]:
    """Return stills and label images, both by the stem of the still."""
    stills = list_images(source / STILLS)
    labels = {stem.removesuffix("_L"): path for stem, path in list_images(source / LABELS).items()}
    if not stills or not labels:
        raise DataError(f"{source} is not CamVid as published; looked for {STILLS}/*.png and {LABELS}/*_L.png")
    if orphans := sorted(set(labels) - set(stills)):
        raise DataError(f"{labels[orphans[0]]} has no image {orphans[0]} in {source / STILLS}; restore the image")
    return stills, labels


def _require_empty(out: Path) -> None:
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise DataError(f"{out} is not empty; give a new folder")


def segnet_split(key: FrameKey) -> Split:
    """Return the split the SegNet tutorial puts a still in."""
    if key.video == "0016E5" and 7959 <= key.number <= 8159:
        return "val"
    return "test" if key.video == "Seq05VD" or (key.video == "0001TP" and key.number >= 8550) else "train"


def read_color_label(path: Path) -> np.ndarray:
    """Read a published RGB label as ids of the 11 classes and ``VOID``, uint8 (H, W).

    Raises:
        DataError: The file is bad or holds a colour CamVid does not have.
    """
    packed = read_image(path).astype(np.int32) @ np.array([1 << 16, 1 << 8, 1])  # a colour as one number, 0xRRGGBB
    table = {0: VOID} | {(r << 16) + (g << 8) + b: CLASSES.index(n) for n, group in COLORS.items() for r, g, b in group}
    values, inverse = np.unique(packed, return_inverse=True)
    if unknown := [(v >> 16, v >> 8 & 255, v & 255) for v in values.tolist() if v not in table]:
        raise DataError(
            f"{path} holds colours CamVid does not have: {', '.join(map(str, unknown[:5]))}; fetch it again"
        )
    return np.array([table[value] for value in values.tolist()], np.uint8)[inverse].reshape(packed.shape)


def _write_stills(
    stills: dict[str, Path], labels: dict[str, Path], out: Path, size: tuple[int, int], progress: Progress | None
) -> dict[str, dict[int, Path]]:
    """Write stills and labels; return the stills written, by video and number."""
    written: dict[str, dict[int, Path]] = {}
    for done, (stem, path) in enumerate(stills.items(), start=1):
        key = frame_key(path)
        image, target = read_image(path), out / segnet_split(key) / f"{stem}.png"
        if stem in labels:
            label = read_color_label(labels[stem])
            check_same_size(image.shape, label.shape, path, labels[stem])
            label = cv2.resize(label, size[::-1], interpolation=cv2.INTER_NEAREST_EXACT)
            _save(target.parent.with_name(f"{target.parent.name}annot") / target.name, label)
        _save(target, resize_image(image, size)[..., ::-1])
        written.setdefault(key.video, {})[key.number] = target
        if progress is not None:
            progress(done, len(stills))
    return written


def _write_neighbours(
    source: Path,
    out: Path,
    stills: Mapping[str, Mapping[int, Path]],
    size: tuple[int, int],
    reach: int,
    progress: Progress | None,
) -> None:
    scratch = out / ".decoding"
    for video, own in stills.items():
        for origin in _origins(source, video):
            try:
                if origin.is_file():
                    decode_video(origin, scratch, size=size, progress=progress)
                frames = list_numbered(scratch if origin.is_file() else origin)
                offset = find_offset(own, frames)
                _copy_frames(frames, offset, own, reach, out / "frames" / video, size)
                break
            except DataError as error:
                _log.warning("no neighbour frames of %s from %s: %s", video, origin, error)
            finally:
                shutil.rmtree(scratch, ignore_errors=True)


def _origins(source: Path, video: str) -> list[Path]:
    """Return folders of frames and video files that may hold ``video``, by the last four characters of its name."""
    places = [path for path in sorted(source.glob("*")) + sorted(source.glob("*/*")) if video[-4:] in path.stem]
    folders = [path for path in places if has_images(path)]
    return folders + [path for path in places if path.is_file() and path.suffix.lower() in VIDEO_SUFFIXES]


def _copy_frames(
    frames: Mapping[int, Path], offset: int, stills: Mapping[int, Path], reach: int, out: Path, size: tuple[int, int]
) -> None:
    around = {number + step for number in stills for step in range(-reach, reach + 1)} - set(stills)
    for number in sorted(around):
        path = frames.get(number - offset)
        if path is not None:
            _save(out / f"{number:06d}.jpg", resize_image(read_image(path), size)[..., ::-1])


def find_offset(stills: Mapping[int, Path], frames: Mapping[int, Path]) -> int:
    """Return how much larger a still's number is than the number of the video frame that shows the same.

    The offset is the one with the smallest mean correlation distance between every second still and the frame that it is
    paired with; the other stills must agree.

    Raises:
        DataError: Too few stills, or no offset is clearly best: another video, another frame rate, no motion.
    """
    numbers, first = sorted(stills), min(frames, default=0)
    span = max(frames, default=0) - first + 1
    if len(numbers) < _FEWEST or span > _SPARSEST * len(frames):
        raise DataError(f"{len(numbers)} stills and {len(frames)} frames are too few to match them")
    thumbs = np.full((span, _THUMB[0] * _THUMB[1]), np.nan, np.float32)
    for number, path in frames.items():
        thumbs[number - first] = _thumb(path)  # numbers without a frame stay NaN
    distance = 1 - np.stack([_thumb(stills[number]) for number in numbers]) @ thumbs.T
    offset = _best_start(distance[::2], np.array(numbers[::2])) - first
    _verify(distance[1::2], np.array(numbers[1::2]) - offset - first)
    return offset


def _thumb(path: Path) -> np.ndarray:
    # Brightness and contrast differ between decoders, so thumbs have mean 0 and length 1.
    grey = cv2.cvtColor(resize_image(read_image(path), _THUMB), cv2.COLOR_RGB2GRAY).astype(np.float32).ravel()
    grey -= grey.mean()
    return np.asarray(grey / max(float(np.linalg.norm(grey)), 1e-6))


def _best_start(distance: np.ndarray, numbers: np.ndarray) -> int:
    """Return the still number that position 0 has under the best offset; ``distance`` is (stills, positions)."""
    span = int(distance.shape[1])
    total, count = (np.zeros(int(np.ptp(numbers)) + span) for _ in range(2))
    for row, start in zip(distance[:, ::-1], numbers - numbers.min(), strict=True):
        total[start : start + span] += np.nan_to_num(row)
        count[start : start + span] += ~np.isnan(row)
    # Offsets that pair fewer than half of the stills would win by chance.
    mean = np.where(count >= len(numbers) / 2, total / np.maximum(count, 1), np.inf)
    best = int(mean.argmin())
    others = np.delete(mean, slice(max(best - _NEAR, 0), best + _NEAR + 1))
    if not mean[best] < _MARGIN * others.min(initial=2.0):
        raise DataError("no offset between its frames and the stills is clearly best")
    return int(numbers.min()) + best - span + 1


def _verify(distance: np.ndarray, positions: np.ndarray) -> None:
    agreed = []
    for row, position in zip(distance, positions, strict=True):
        if 0 <= position < len(row) and not np.isnan(row[position]):
            nearby = row[max(position - _NEAR, 0) : position + _NEAR + 1]
            agreed.append(row[position] <= np.nanmin(nearby) * _SLACK + 1e-4)
    if len(agreed) < _FEWEST // 4 or np.mean(agreed) < _AGREEING:
        raise DataError(f"only {sum(agreed)} of {len(agreed)} other stills agree with the best offset")


def _save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    _, encoded = cv2.imencode(path.suffix, pixels, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    path.write_bytes(encoded.tobytes())
