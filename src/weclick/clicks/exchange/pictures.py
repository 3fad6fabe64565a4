"""Names of frames in other tools: picture files, relative to the data set's root."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from io import BytesIO
from os import PathLike
from pathlib import Path, PurePosixPath
from typing import Final

from PIL import Image

from weclick.conventions import FrameKey, Size
from weclick.errors import ClickError, DataError

_ORIENTATION: Final = 0x0112
_ROTATED: Final = (5, 6, 7, 8)
"""Values of the EXIF orientation that swap width and height."""


class Pictures:
    """Names and sizes of a data set's pictures.

    Args:
        root: Folder of the data set; names are relative to it, with forward slashes.
        images: The picture of each frame.

    Example:
        >>> pictures = Pictures(Path("set"), {FrameKey("drive", 12): Path("set/frames/drive/000012.jpg")})
        >>> pictures.name(FrameKey("drive", 12))
        'frames/drive/000012.jpg'
        >>> pictures.key("upload/drive/000012.png")
        FrameKey(video='drive', number=12)
    """

    def __init__(self, root: Path, images: Mapping[FrameKey, Path]) -> None:
        self.root = root
        self._images = images

    def path(self, key: FrameKey) -> Path:
        """Return the picture of a frame.

        Raises:
            ClickError: The data set has no such frame.
        """
        if key not in self._images:
            raise ClickError(f"{self.root} has no picture of frame {key}; restore it, or remove its clicks")
        return self._images[key]

    def name(self, key: FrameKey) -> str:
        """Return the name of a frame's picture, such as ``frames/drive/000012.jpg``.

        Pictures outside the root (decoded from the videos of a read-only data set) are named as if they were inside.

        Raises:
            ClickError: The data set has no such frame.
        """
        path = self.path(key)
        inside = path.is_relative_to(self.root)
        return path.relative_to(self.root).as_posix() if inside else f"frames/{key.video}/{path.name}"

    def key(self, *names: str) -> FrameKey:
        """Return the frame that a picture name of another tool refers to.

        An exact name comes first. Otherwise the longest end of the path that matches any picture counts, without its
        suffix; at least the stem must match. The match must be unique.

        Args:
            names: Possible names of the picture, the most likely first.

        Raises:
            ClickError: No picture or several pictures match.
        """
        for name in names:
            matches = self._matches(name)
            if len(matches) > 1:
                candidates = " or ".join(self.name(key) for key in matches[:2])
                raise ClickError(f"picture {name!r} may be {candidates}; name pictures by their path in the data set")
            if matches:
                return matches[0]
        first = next(map(self.name, self._images), "none")
        raise ClickError(f"no picture {names[0]!r} in {self.root}; the names there are such as {first}")

    def size(self, key: FrameKey) -> Size:
        """Read the upright (H, W) from the header of a picture's file.

        Raises:
            DataError: The file cannot be read or is not an image.
        """
        path = self.path(key)
        try:
            # a layout's file may lie elsewhere than on disk, and then has read_bytes alone
            with Image.open(path if isinstance(path, PathLike) else BytesIO(path.read_bytes())) as image:
                width, height = image.size
                # the getexif of PngImageFile would decode the whole picture
                rotated = Image.Image.getexif(image).get(_ORIENTATION) in _ROTATED
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
            raise DataError(f"{path} is damaged or not an image; fetch it again or remove its frame") from None
        return (width, height) if rotated else (height, width)

    @cached_property
    def _keys(self) -> dict[str, FrameKey]:
        return {self.name(key): key for key in self._images}

    @cached_property
    def _endings(self) -> dict[tuple[str, ...], list[FrameKey]]:
        """Frames by every ending of their path: (stem,), (folder, stem), and so on."""
        endings: dict[tuple[str, ...], list[FrameKey]] = {}
        for name, key in self._keys.items():
            parts = _parts(name)
            for start in range(len(parts)):
                endings.setdefault(parts[start:], []).append(key)
        return endings

    def _matches(self, name: str) -> list[FrameKey]:
        if name in self._keys:
            return [self._keys[name]]
        parts = _parts(name.replace("\\", "/"))
        # names come from foreign files: one with thousands of folders would take quadratic time below
        parts = parts[-max(map(len, self._endings), default=1) :]
        endings = (parts[start:] for start in range(len(parts)))
        return next((self._endings[ending] for ending in endings if ending in self._endings), [])


def _parts(name: str) -> tuple[str, ...]:
    """Return the folders and the stem of a path, without ``..``."""
    path = PurePosixPath(name)
    return (*(part for part in path.parent.parts if part not in ("/", "//", "..")), path.stem)
