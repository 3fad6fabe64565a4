"""The last line of a command: the command that comes next."""

from __future__ import annotations

from shlex import join
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from weclick.data.index import Layout

_CONFIGS: Final = {"cityscapes": "cityscapes.yaml", "camvid": "camvid.yaml"}


def print_next(*command: str) -> None:
    """Print the command that comes next, so that it can be copied into a shell."""
    print(f"next: weclick {join(command)}")


def print_next_for_data(layout: Layout) -> None:
    """Print what comes next for a data set: training if there are clicks or masks to train from, else clicking."""
    from weclick.data.project import Project

    root, project = str(layout.root), Project(layout.root)
    if not _clicked(layout) and not any(frame.label for frame in layout.frames("train")):
        print_next("annotate", root)
    elif project.exists:
        print_next("fit", "--config", str(project.config), "--runs", str(project.runs))
    else:
        print_next("fit", "--config", _CONFIGS.get(layout.name, "folder.yaml"), "--data.root", root)


def _clicked(layout: Layout) -> bool:
    from weclick.clicks import ClickStore, store_path  # not where exported models run alone

    path = store_path(layout.root)
    if not path.exists():
        return False
    with ClickStore(path, layout.classes, readonly=True) as store:
        return bool(store.frames())
