"""Commands in processes forked from this one, so that nearly all of their time is their own work."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from weclick.cli.main import run


def forked(command: tuple[str, ...], folder: Path, log: Path) -> int:
    """Start a command in a process forked from this one, which has imported all it needs; what it prints goes to ``log``.

    Its errors go to ``log`` with the suffix .err. Returns the process's id.
    """
    pid = os.fork()
    if pid == 0:
        try:
            os.chdir(folder)
            for stream, path in ((1, log), (2, log.with_suffix(".err"))):
                os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), stream)
            sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
            status = run(list(command))
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
        finally:
            os._exit(99)
    return pid
