"""The memory on disk: one small file per target, written whole or not at all.

Layout: ``manifest.json`` and ``<video>/<number>.npz`` (slashes in names percent-encoded). An item holds three uint8 arrays on
the undrawn target grid (stride 4 or the teacher's own, if coarser): ``teacher`` (C, h, w), ``memory`` (C, h, w) and
``confidence`` (1, h, w), deflated.

Precision: probabilities are stored as ``round(255 * sqrt(p))``, which keeps them down to 4e-6; a linear scale ends at 1/510 and
leaves a temperature above 1 nothing to soften. A probability is off by at most 0.004 (2.5e-4 to 3.6e-4 on average), a pixel's
sum by less than 0.01. At temperature 2 the stored distribution differs from the exact one by 0.0003 to 0.003 nats, against
0.04 to 0.08 on a linear scale (random softmax of 11 and 19 classes, logits with deviation 3 and 6). The confidence is linear.

Bound: ``(2 C + 1) h w`` bytes plus 1 KB per target, before deflation; after it about 40 % of that (100 KB at 480x360 with 11
classes, from CamVid's masks blurred to soft labels), up to 77 % for an untrained teacher.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from weclick.conventions import FrameKey
from weclick.errors import RunError
from weclick.files import atomic_path, write_json
from weclick.memory.fuse import Memory
from weclick.memory.online import SoftLabels

FORMAT: Final = 3
"""Version of the items' contents; ``version`` in the manifest."""


class MemoryItem(NamedTuple):
    """One target's stored soft labels, uint8: ``teacher`` (C, h, w), ``memory`` (C, h, w), ``confidence`` (1, h, w)."""

    teacher: NDArray[np.uint8]
    memory: NDArray[np.uint8]
    confidence: NDArray[np.uint8]


def quantise(labels: SoftLabels) -> list[MemoryItem]:
    """Return the items of a batch, one per target."""
    maps = (labels.teacher.clamp(0, 1).sqrt(), labels.memory.probabilities.clamp(0, 1).sqrt(), labels.memory.confidence)
    arrays = ((m.clamp(0, 1) * 255).round().to(torch.uint8).cpu().numpy() for m in maps)
    return [MemoryItem(*item) for item in zip(*arrays, strict=True)]


def dequantise(teacher: Tensor, memory: Tensor, confidence: Tensor) -> SoftLabels:
    """Return soft labels from the arrays of items, as uint8 tensors (B, C, h, w), (B, C, h, w) and (B, 1, h, w)."""
    roots = (teacher.float() / 255, memory.float() / 255)
    return SoftLabels(roots[0].square(), Memory(roots[1].square(), confidence.float() / 255))


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
        except (OSError, ValueError, TypeError) as error:
            raise RunError(
                f"{self.folder} holds no readable memory ({error}); build it with fit --stage memory"
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
        name = key.video.replace("%", "%25").replace("/", "%2F")  # nothing else: encoded letters make names too long
        return self.folder / name / f"{key.number}.npz"

    def missing(self, keys: Iterable[FrameKey]) -> list[FrameKey]:
        """Return those of ``keys`` that have no item yet."""
        return [key for key in keys if not self.path(key).exists()]

    def write(self, key: FrameKey, item: MemoryItem) -> None:
        """Store one item, atomically."""
        with atomic_path(self.path(key)) as temporary, temporary.open("wb") as stream:
            np.savez_compressed(stream, **item._asdict())

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
