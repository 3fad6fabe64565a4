"""The memory on disk: one small file per target, written whole or not at all.

Layout: ``manifest.json`` and ``<video>/<number>.npz`` (slashes in names percent-encoded). An item holds three uint8 arrays on the
undrawn target grid (stride 4 or the teacher's own, if coarser): ``teacher`` (C, h, w), ``memory`` (C, h, w) and
``confidence`` (1, h, w), all scaled by 255 and deflated. Bound: ``(2 C + 1) h w`` bytes plus 1 KB per target, before
deflation; a fifth of that on CamVid (50 KB on average, 66 KB at most, at 480x360 with 11 classes), half for an untrained teacher.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from weclick.conventions import FrameKey
from weclick.errors import RunError
from weclick.files import atomic_path, write_json
from weclick.memory.online import SoftLabels


class MemoryItem(NamedTuple):
    """One target's stored soft labels, uint8: ``teacher`` (C, h, w), ``memory`` (C, h, w), ``confidence`` (1, h, w)."""

    teacher: NDArray[np.uint8]
    memory: NDArray[np.uint8]
    confidence: NDArray[np.uint8]


def items(recall: SoftLabels) -> list[MemoryItem]:
    """Quantise a batch of recalls, one item per target."""
    maps = (recall.teacher, recall.memory.probabilities, recall.memory.confidence)
    teacher, memory, confidence = ((m.clamp(0, 1) * 255).round().to(torch.uint8).cpu().numpy() for m in maps)
    return [MemoryItem(*item) for item in zip(teacher, memory, confidence, strict=True)]


class MemoryStore:
    """Items of one run, made by one teacher with one flow method on one data set; the manifest says which.

    Raises:
        RunError: The folder holds the memory of another teacher, flow method or data set, or a damaged item.
    """

    def __init__(self, folder: Path, manifest: Mapping[str, Any] | None = None) -> None:
        """Open the store in ``folder``; with a ``manifest``, make it if need be and refuse one made differently."""
        self.folder = folder
        self._file = folder / "manifest.json"
        if manifest is not None and not self._file.exists():
            write_json(self._file, dict(manifest))
        self.manifest: dict[str, Any] = self._read_manifest()
        if manifest is not None:
            self._refuse_other(manifest)

    def _read_manifest(self) -> dict[str, Any]:
        try:
            return dict(json.loads(self._file.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError) as error:
            raise RunError(
                f"{self.folder} holds no readable memory ({error}); build it with fit --stage memory"
            ) from None

    def _refuse_other(self, manifest: Mapping[str, Any]) -> None:
        differing = [key for key, value in manifest.items() if self.manifest.get(key) != value]
        if differing:
            raise RunError(
                f"the memory in {self.folder} was built with another {', '.join(differing)}; set it as it was, delete "
                "that folder to build it anew, or start a new run"
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
        """Load one item."""
        try:
            with self.path(key).open("rb") as stream, np.load(stream) as arrays:
                return MemoryItem(*(arrays[name] for name in MemoryItem._fields))
        except FileNotFoundError:
            raise RunError(f"memory item {self.path(key)} is missing; resume the run, which builds it again") from None
        except Exception as error:  # reading a damaged zip fails in many ways; numpy advises to load it without checks
            raise RunError(
                f"memory item {self.path(key)} is damaged; delete it and resume the run, which builds it again"
            ) from error
