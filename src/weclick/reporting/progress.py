"""Progress bars on a terminal.

Imports no torch: that takes longer than many of the commands that show a bar.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import Progress

from weclick.machine import process_rank


def on_terminal() -> bool:
    """Return whether this process draws progress bars: stderr is a terminal, and no other process draws there."""
    return sys.stderr.isatty() and process_rank() == 0


@contextmanager
def progress_bar(title: str) -> Iterator[Callable[[int, int], None]]:
    """Yield a function (done, total) that moves a progress bar on stderr, if that is a terminal."""
    with Progress(console=Console(stderr=True), transient=True, disable=not on_terminal()) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
