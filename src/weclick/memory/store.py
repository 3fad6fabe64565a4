"""The memory on disk: one small file per target, written whole or not at all.

Layout: ``manifest.json`` and ``<video>/<number>.npz`` (slashes in names percent-encoded). An item holds three uint8 arrays on
the undrawn target grid (stride 4 or the teacher's own, if coarser): ``teacher`` (C, h, w), ``memory`` (C, h, w) and
``confidence`` (1, h, w), deflated.

Bound: ``(2 C + 1) h w`` bytes plus 1 KB per target, before deflation; after it about 40 % of that (100 KB at 480x360 with 11
classes, from CamVid's masks blurred to soft labels), up to 77 % for an untrained teacher.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any, Final
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import numpy as np

from weclick.conventions import FrameKey
from weclick.errors import RunError, one_line
from weclick.files import atomic_path, write_json
from weclick.memory.item import MemoryItem

FORMAT: Final = 3
"""Version of the items' contents; ``version`` in the manifest."""


def item_path(folder: Path, key: FrameKey, suffix: str) -> Path:
    """Return where in a store's folder the file of a frame lies: ``<video>/<number><suffix>``."""
    name = key.video.replace("%", "%25").replace("/", "%2F")  # nothing else: encoded letters make names too long
    return folder / name / f"{key.number}{suffix}"


class MemoryStore:
    """Items of one run, made by one teacher with one flow method on one data set; the manifest names them.

    Args:
        folder: Where the items are.
        manifest: What they are made from; the store is created if there is none, and refused if it was built from something
            else. By default an existing store is opened, whatever it was built from.

    Raises:
        RunError: The folder has no readable manifest, or one of another format, teacher, flow method or data set.
    """

    def __init__(self, folder: Path, manifest: Mapping[str, Any] | None = None) -> None:
        self.folder = folder
        self._file = folder / "manifest.json"
        if manifest is not None and not self._file.exists():
            write_json(self._file, {"version": FORMAT, **manifest})
        self.manifest: dict[str, Any] = self._read_manifest()
        if manifest is not None:
            self._refuse_other(manifest)

    def _read_manifest(self) -> dict[str, Any]:
        try:
            manifest = dict(json.loads(self._file.read_text(encoding="utf-8")))
        except FileNotFoundError:
            raise RunError(f"{self.folder} holds no memory; build it with fit --stage memory") from None
        except (OSError, ValueError, TypeError, RecursionError) as error:
            raise RunError(
                f"{self._file} is damaged ({one_line(error)}); restore it, or delete {self.folder} and build it again with fit "
                "--stage memory"
            ) from None
        # whoever opens it: items of another format would be decoded to wrong probabilities without an error
        if manifest.get("version") != FORMAT:
            raise RunError(
                f"the memory in {self.folder} has format {manifest.get('version')}, this version of weclick reads format "
                f"{FORMAT}; delete that folder and build it again with fit --stage memory"
            )
        return manifest

    def _refuse_other(self, manifest: Mapping[str, Any]) -> None:
        differing = [key for key, value in manifest.items() if self.manifest.get(key) != value]
        if differing:
            raise RunError(
                f"the memory in {self.folder} was built with another {', '.join(differing)}; restore the earlier settings, "
                "delete that folder to build it again, or start a new run"
            )

    def path(self, key: FrameKey) -> Path:
        """Return where the item of ``key`` lies."""
        return item_path(self.folder, key, ".npz")

    def missing(self, keys: Iterable[FrameKey]) -> list[FrameKey]:
        """Return those of ``keys`` that have no item yet."""
        return [key for key in keys if not self.path(key).exists()]

    def write(self, key: FrameKey, item: MemoryItem) -> None:
        """Store one item, atomically."""
        with atomic_path(self.path(key)) as temporary, ZipFile(temporary, "w") as archive:
            for name, array in item._asdict().items():
                stream = BytesIO()
                np.save(stream, array)
                # numpy's savez_compressed has no level: it would take three times as long to make 7 % smaller files
                archive.writestr(ZipInfo(f"{name}.npy"), stream.getvalue(), ZIP_DEFLATED, compresslevel=1)

    def read(self, key: FrameKey) -> MemoryItem:
        """Load one item.

        Raises:
            RunError: The item is missing or damaged, or its arrays are not those of an item.
        """
        path = self.path(key)
        try:
            with path.open("rb") as stream, np.load(stream) as arrays:
                item = MemoryItem(*(arrays[name] for name in MemoryItem._fields))
        except FileNotFoundError:
            raise RunError(f"memory item {path} is missing; resume the run, which builds it again") from None
        except (
            Exception
        ) as error:  # a damaged zip raises many kinds of errors, some of which advise to load it unsafely
            raise RunError(
                f"memory item {path} is damaged; delete it and resume the run, which builds it again"
            ) from error
        shape = (len(self.manifest.get("classes", item.teacher)), *item.teacher.shape[1:])
        fits = (
            a.dtype == np.uint8 and a.shape == s for a, s in zip(item, (shape, shape, (1, *shape[1:])), strict=True)
        )
        if len(shape) != 3 or not all(fits):
            found = ", ".join(f"{name} {a.dtype} {a.shape}" for name, a in item._asdict().items())
            raise RunError(f"memory item {path} has unexpected arrays ({found}); delete it and resume the run")
        return item
