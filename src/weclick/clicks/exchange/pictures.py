"""How other tools name the frames: by picture files, relative to the data set's root."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Final

from PIL import Image

from weclick.clicks.records import Size
from weclick.conventions import FrameKey
from weclick.errors import ClickError, DataError

_ORIENTATION: Final = 0x0112
_TURNED: Final = (5, 6, 7, 8)


class Pictures:
    """Names and sizes of a data set's pictures.

    Args:
        root: Folder of the data set; names are relative to it, with forward slashes.
        images: Picture of every frame.

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
            raise ClickError(f"{self.root} has no picture of frame {key}; restore it, or leave its clicks out")
        return self._images[key]

    def name(self, key: FrameKey) -> str:
        """Return the name of a frame's picture, such as ``frames/drive/000012.jpg``.

        Pictures outside the root, decoded from the videos of a read-only data set, are named as if they lay inside.

        Raises:
            ClickError: The data set has no such frame.
        """
        path = self.path(key)
        inside = path.is_relative_to(self.root)
        return path.relative_to(self.root).as_posix() if inside else f"frames/{path.parent.name}/{path.name}"

    def key(self, *names: str) -> FrameKey:
        """Find the frame another tool means.

        A name counts as it is, else by the most folders at its end that any picture shares, whatever the suffix; at the
        least, the stem must be the same. Either way it must be that of one picture only.

        Args:
            names: What the picture may be called, the likeliest first.

        Raises:
            ClickError: No picture, or more than one, goes by that name.
        """
        for name in names:
            found = self._find(name)
            if len(found) > 1:
                meant = " or ".join(self.name(key) for key in found[:2])
                raise ClickError(f"picture {name!r} may be {meant}; name pictures by their path in the data set")
            if found:
                return found[0]
        first = next(map(self.name, self._images), "none")
        raise ClickError(f"no picture {names[0]!r} in {self.root}; the names there are such as {first}")

    def size(self, key: FrameKey) -> Size:
        """Read (H, W) from the head of a picture's file, as it is after turning it upright.

        Raises:
            DataError: The file cannot be read or is no image.
        """
        path = self.path(key)
        try:
            with Image.open(path) as image:
                width, height = image.size
                # a PNG's own getexif reads all of the picture
                turned = Image.Image.getexif(image).get(_ORIENTATION) in _TURNED
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
            raise DataError(f"{path} is damaged or no image; fetch it again or remove its frame") from None
        return (width, height) if turned else (height, width)

    @cached_property
    def _keys(self) -> dict[str, FrameKey]:
        return {self.name(key): key for key in self._images}

    @cached_property
    def _tails(self) -> dict[tuple[str, ...], list[FrameKey]]:
        found: dict[tuple[str, ...], list[FrameKey]] = {}
        for name, key in self._keys.items():
            parts = _parts(name)
            for start in range(len(parts)):
                found.setdefault(parts[start:], []).append(key)
        return found

    def _find(self, name: str) -> list[FrameKey]:
        if name in self._keys:
            return [self._keys[name]]
        parts = _parts(name.replace("\\", "/"))
        parts = parts[-max(map(len, self._tails), default=1) :]
        tails = (parts[start:] for start in range(len(parts)))
        return next((self._tails[tail] for tail in tails if tail in self._tails), [])


def _parts(name: str) -> tuple[str, ...]:
    """Return folders and stem; ``..`` says nothing about what a picture is called."""
    path = PurePosixPath(name)
    return (*(part for part in path.parent.parts if part not in ("/", "//", "..")), path.stem)
