"""Features that are kept on disk, so that no frame is computed twice."""

from __future__ import annotations

import hashlib
import logging
from contextlib import suppress
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from weclick.errors import DiskError
from weclick.files import atomic_path
from weclick.probe.features import Features, FrozenFeatures

SUFFIX: Final = ".safetensors"

_log = logging.getLogger(__name__)


class CachedFeatures:
    """Computes the features of frames, or reads them from a folder, where they are kept by pixels and encoder.

    A frame of 480x360 takes 5 MB, one of 960x540 or more 9 MB. Several processes may share the folder. A folder that cannot be
    written is not used; nothing depends on its files.

    Args:
        frozen: Computes features.
        folder: Created when it is needed.
        limit: Bytes of all files; the least recently used are removed first. 0 keeps nothing.
    """

    def __init__(self, frozen: FrozenFeatures, folder: Path, limit: int) -> None:
        self.frozen, self.folder, self.limit = frozen, folder, limit

    def __call__(self, image: NDArray[np.uint8]) -> Features:
        """Return the features of a frame, RGB uint8 (H, W, 3)."""
        if not self.limit:
            return self.frozen(image)
        digest = hashlib.sha256(f"{self.frozen.key} {image.shape}".encode() + image.tobytes()).hexdigest()[:32]
        path, source = self.folder / f"{digest}{SUFFIX}", (image.shape[0], image.shape[1])
        with suppress(OSError, SafetensorError):  # missing or damaged
            maps = load_file(path)
            path.touch()  # the time of its last use
            return Features([maps[str(position)] for position in range(len(maps))], source)
        features = self.frozen(image)
        self._keep(path, features)
        return features

    def _keep(self, path: Path, features: Features) -> None:
        try:
            with atomic_path(path, durable=False) as temporary:
                temporary.write_bytes(save({str(place): maps.contiguous() for place, maps in enumerate(features.maps)}))
            self._remove_oldest()
        except (OSError, DiskError) as error:
            _log.warning("features are not kept in %s: %s", self.folder, error)
            self.limit = 0

    def _remove_oldest(self) -> None:
        files = {path: path.stat() for path in self.folder.glob(f"*{SUFFIX}")}
        total = sum(status.st_size for status in files.values())
        for path in sorted(files, key=lambda path: files[path].st_mtime_ns):
            if total <= self.limit:
                return
            path.unlink(missing_ok=True)  # another process may have removed it
            total -= files[path].st_size
