"""Import and export of clicks in the formats of other tools; :data:`FORMATS` lists them by name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal, NamedTuple, Protocol

from weclick.classes import ClassSet
from weclick.clicks.exchange.coco import export_coco, import_coco
from weclick.clicks.exchange.common import read_json
from weclick.clicks.exchange.csv import export_csv, import_csv
from weclick.clicks.exchange.cvat import export_cvat, import_cvat
from weclick.clicks.exchange.label_studio import export_label_studio, import_label_studio
from weclick.clicks.exchange.labelme import export_labelme, import_labelme
from weclick.clicks.exchange.pictures import Pictures
from weclick.clicks.sqlite import WRITE_HINT, require_free
from weclick.clicks.store import ClickStore
from weclick.errors import ClickError, ConfigError
from weclick.files import atomic_path_apart

__all__ = [
    "FORMATS",
    "Format",
    "FormatName",
    "Pictures",
    "export_coco",
    "export_csv",
    "export_cvat",
    "export_label_studio",
    "export_labelme",
    "format_of",
    "format_to_write",
    "import_coco",
    "import_csv",
    "import_cvat",
    "import_label_studio",
    "import_labelme",
    "open_or_create",
]

FormatName = Literal["csv", "cvat", "labelme", "label-studio", "coco"]


class _Export(Protocol):
    def __call__(self, store: ClickStore, path: Path, pictures: Pictures) -> int: ...


class _Import(Protocol):
    def __call__(self, path: Path, store: ClickStore, pictures: Pictures, *, replace: bool = False) -> int: ...


class Format(NamedTuple):
    """The functions that write and read a format; both return the number of clicks."""

    export: _Export
    load: _Import


FORMATS: Final[dict[FormatName, Format]] = {
    # CSV identifies frames by video and number, so writing it needs no pictures
    "csv": Format(lambda store, path, pictures: export_csv(store, path), import_csv),
    "cvat": Format(export_cvat, import_cvat),
    "labelme": Format(export_labelme, import_labelme),
    "label-studio": Format(export_label_studio, import_label_studio),
    "coco": Format(export_coco, import_coco),
}
"""Formats by name."""

_SUFFIXES: Final[dict[str, FormatName]] = {".csv": "csv", ".xml": "cvat", "": "labelme"}


def format_to_write(path: Path) -> FormatName:
    """Return the format for a path to write: .csv, .xml (CVAT), or a folder (labelme).

    Raises:
        ConfigError: The suffix belongs to no format or to several.
    """
    suffix = "" if path.is_dir() else path.suffix.lower()
    if suffix == ".json":
        raise ConfigError(f"{path}: several formats are JSON; add --format label-studio or --format coco")
    if suffix not in _SUFFIXES:
        raise ConfigError(f"{path}: no format for the suffix {suffix!r}; use one of {', '.join(FORMATS)} (--format)")
    return _SUFFIXES[suffix]


def format_of(path: Path) -> FormatName:
    """Detect the format of a file to read: by its suffix, or by its content if it is JSON.

    Raises:
        ConfigError: No format has this suffix.
        ClickError: The file cannot be read, or is JSON of an unknown format.
    """
    if path.suffix.lower() != ".json" or path.is_dir():
        return format_to_write(path)
    match read_json(path):
        case [*_]:
            return "label-studio"
        case {"shapes": _}:
            return "labelme"
        case {"images": _, "annotations": _}:
            return "coco"
    raise ClickError(f"{path} is JSON, but not of Label Studio, COCO or labelme; export it as one of these")


@contextmanager
def open_or_create(path: Path, classes: ClassSet) -> Iterator[ClickStore]:
    """Open a store for an import, or create one that only appears if the import succeeds.

    Raises:
        ClickError: The store cannot be opened or created, or another process created it meanwhile.
    """
    if path.exists():
        with ClickStore(path, classes) as store:
            yield store
        return
    require_free(path)
    try:
        # a failed import must not leave an empty store behind: training would read it as "nothing is clicked"
        with atomic_path_apart(path) as temporary:
            with ClickStore.create(temporary, classes) as store:
                yield store
            require_free(path)
    except OSError as error:
        raise ClickError(f"{path} cannot be written: {error.strerror or error}; {WRITE_HINT}") from None
