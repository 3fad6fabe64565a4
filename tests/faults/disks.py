"""Disks that fail in the middle of a file: full (ENOSPC), beyond the user's limit (EFBIG), read-only (EROFS)."""

import os
import resource
import shutil
import subprocess
from contextlib import contextmanager

PAGE = os.sysconf("SC_PAGE_SIZE")


class SmallDisk:
    """A mounted disk of some megabytes; only root can mount one.

    Args:
        place: Folder to make.
        megabytes: Its size.

    Raises:
        PermissionError: Nothing can be mounted here.
    """

    def __init__(self, place, megabytes):
        self.place = place
        place.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(place)]
        if os.geteuid() or subprocess.run(command, stderr=subprocess.DEVNULL, check=False).returncode:
            raise PermissionError("cannot mount a small disk here")

    @contextmanager
    def full(self, left):
        """Leave so many bytes free during the block."""
        filler = self.place / "filler"
        filler.write_bytes(bytes(shutil.disk_usage(self.place).free - left // PAGE * PAGE))
        try:
            yield
        finally:
            filler.unlink()

    @contextmanager
    def read_only(self):
        """Refuse all writing during the block."""
        self._remount("ro")
        try:
            yield
        finally:
            self._remount("rw")

    def remove(self):
        """Unmount it."""
        subprocess.run(["umount", "--lazy", str(self.place)], check=True)

    def _remount(self, mode):
        subprocess.run(["mount", "-o", f"remount,{mode}", str(self.place)], check=True)


@contextmanager
def largest_file(size):
    """Allow this process no file of more bytes during the block, as ``ulimit -f`` does; Python ignores its signal."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
