"""Data set layouts, by name."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from weclick.data.index import Layout, LayoutName, Refuse, refuse
from weclick.data.layouts.camvid import CamVidLayout
from weclick.data.layouts.cityscapes import CityscapesLayout
from weclick.data.layouts.folder import FolderLayout, decode_videos
from weclick.errors import ConfigError, DataError

LAYOUTS: Final[dict[str, type[CityscapesLayout] | type[CamVidLayout] | type[FolderLayout]]] = {
    "cityscapes": CityscapesLayout,
    "camvid": CamVidLayout,
    "folder": FolderLayout,
}
"""Layouts by name, in the order in which "auto" tries them."""

__all__ = ["LAYOUTS", "CamVidLayout", "CityscapesLayout", "FolderLayout", "LayoutName", "open_layout"]


def open_layout(name: str, root: Path, refuse: Refuse = refuse) -> Layout:
    """Open the data set in ``root``.

    Args:
        name: A key of ``LAYOUTS``, or "auto" to tell it from what is on disk.
        root: Folder of the data set; written to only when a "folder" data set has videos that are not decoded yet.
        refuse: Told of every bad video, mask or name; by default the first one is raised.

    Raises:
        ConfigError: There is no layout of this name.
        DataError: The folder is missing, empty or of no known layout, or a video in it is damaged.
    """
    if name != "auto" and name not in LAYOUTS:
        raise ConfigError(f"unknown layout {name!r}; choose auto, {', '.join(LAYOUTS)}")
    if not root.is_dir():
        raise DataError(
            f"data folder {root} is {'no folder' if root.exists() else 'missing'}; give the data set's root"
        )
    if not any(root.iterdir()):
        raise DataError(f"data folder {root} is empty; data/README.md shows what belongs there")
    layout = _open(_recognise(root) if name == "auto" else name, root, refuse)
    if not layout.splits():
        refuse(DataError(f"{root} has the folders of a {layout.name} data set but no frame in them"))
    return layout


def _open(name: str, root: Path, refuse: Refuse) -> Layout:
    if name != "folder":
        return CityscapesLayout(root, refuse) if name == "cityscapes" else CamVidLayout(root, refuse)
    return FolderLayout(root, refuse, without=decode_videos(root, refuse))


def _recognise(root: Path) -> str:
    for name, layout in LAYOUTS.items():
        if layout.recognises(root):
            return name
    if (root / "701_StillsRaw_full").is_dir():
        raise DataError(f"{root} is CamVid as it is published; prepare it with `weclick data camvid` first")
    looked_for = "; ".join(f"{name}: {layout.needs}" for name, layout in LAYOUTS.items())
    raise DataError(f"no known layout in {root}; looked for {looked_for}")
