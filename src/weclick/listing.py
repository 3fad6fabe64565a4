"""Listing the images of a folder, without opening them.

Every error names its file.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from weclick.errors import DataError

IMAGE_SUFFIXES: Final = (".png", ".jpg", ".jpeg")
"""Image formats every layout reads, whatever the case of the suffix."""

MASK_SUFFIXES: Final = (".png", ".bmp", ".tif", ".tiff")
"""Formats of label and instance maps. All keep ids as they are, which JPEG does not."""


def list_images(folder: Path, suffixes: Sequence[str] = IMAGE_SUFFIXES) -> dict[str, Path]:
    """Return the images directly in ``folder`` by stem, sorted, without hidden files; none where there is no folder.

    Raises:
        DataError: Two files share a stem, so that it is unclear which of them is meant.
    """
    images: dict[str, Path] = {}
    for name, stem in sorted(_image_names(folder, suffixes)):
        if stem in images:
            raise DataError(f"{images[stem]} and {name} differ only in format; remove one of them")
        images[stem] = folder / name
    return images


def has_images(folder: Path) -> bool:
    """Return whether there are images directly in ``folder``."""
    return next(_image_names(folder, IMAGE_SUFFIXES), None) is not None


def list_folders(folder: Path) -> list[Path]:
    """Return the folders directly in ``folder``, sorted, without hidden ones; none where there is no folder."""
    paths = sorted(folder.iterdir()) if folder.is_dir() else []
    return [path for path in paths if path.is_dir() and not path.name.startswith(".")]


def _image_names(folder: Path, suffixes: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield name and stem of each image."""
    if not folder.is_dir():
        return
    # Names, not paths: of a folder with a hundred thousand files, each path costs more than all else that is done here.
    with os.scandir(folder) as entries:
        for entry in entries:
            stem, dot, suffix = entry.name.rpartition(".")
            if stem and not stem.startswith(".") and dot + suffix.lower() in suffixes:
                yield entry.name, stem


def list_numbered(folder: Path, suffixes: Sequence[str] = IMAGE_SUFFIXES) -> dict[int, Path]:
    """Return the images directly in ``folder`` by frame number: the digits that end the stem.

    Raises:
        DataError: A name ends in no digits, or two files have the same number.
    """
    images: dict[int, Path] = {}
    for stem, path in list_images(folder, suffixes).items():
        digits = stem[len(stem.rstrip("0123456789")) :]
        if not digits:
            raise DataError(f"{path} has no frame number; name frames like 000123{path.suffix}")
        number = int(digits)
        if number in images:
            raise DataError(f"{images[number]} and {path.name} have the same frame number; remove one of them")
        images[number] = path
    return dict(sorted(images.items()))  # sorted by name so far, where 10 comes before 9
