"""Data set layouts, by name."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from weclick.data.index import Layout, Refuse, refuse
from weclick.data.layouts.camvid import CamVidLayout
from weclick.data.layouts.cityscapes import CityscapesLayout
from weclick.data.layouts.folder import FolderLayout, decode_videos
from weclick.data.layouts.listed import ListedLayout
from weclick.errors import DataError
from weclick.extensions import Part, make_part

LAYOUTS: Final[dict[str, type[ListedLayout]]] = {
    "cityscapes": CityscapesLayout,
    "camvid": CamVidLayout,
    "folder": FolderLayout,
}
"""Layouts by name, in the order in which "auto" tries them."""

_MEMBERS: Final = ("name", "splits", "frames", "label_ids")
"""What a class must have to be taken for a layout; see :class:`weclick.data.index.Layout`."""

__all__ = ["LAYOUTS", "CamVidLayout", "CityscapesLayout", "FolderLayout", "open_layout"]


def open_layout(name: Part, root: Path, refuse: Refuse = refuse) -> Layout:
    """Open the data set in ``root``.

    Args:
        name: A key of ``LAYOUTS``, "auto" to recognise one of them, or a layout from outside, made with ``root`` and ``refuse``
            (:mod:`weclick.extensions`).
        root: Folder of the data set; written to only when a "folder" data set has videos that are not decoded yet.
        refuse: Error handler for every bad video, mask or name; by default the first error is raised.

    Raises:
        ConfigError: There is no layout of this name.
        DataError: The folder is missing, empty or of no known layout, or a video in it is damaged.
    """
    if not root.is_dir():
        raise DataError(
            f"data folder {root} is {'no folder' if root.exists() else 'missing'}; give the data set's root"
        )
    if not any(root.iterdir()):
        raise DataError(f"data folder {root} is empty; data/README.md shows what belongs there")
    part = _recognise(root) if name == "auto" else name
    layout: Layout = make_part("layout", part, {**LAYOUTS, "folder": _open_folder}, _MEMBERS, root=root, refuse=refuse)
    if not layout.splits():
        refuse(DataError(f"{root} has the folders of a {layout.name} data set but no frame in them"))
    return layout


def _open_folder(root: Path, refuse: Refuse) -> FolderLayout:
    # Only the way through open_layout decodes: a layout itself never writes.
    return FolderLayout(root, refuse, without=decode_videos(root, refuse))


def _recognise(root: Path) -> str:
    for name, layout in LAYOUTS.items():
        if layout.recognises(root):
            return name
    if (root / "701_StillsRaw_full").is_dir():
        raise DataError(f"{root} is CamVid as published; prepare it with `weclick data camvid OUT --from {root}`")
    looked_for = "; ".join(f"{name}: {layout.needs}" for name, layout in LAYOUTS.items())
    raise DataError(f"no known layout in {root}; looked for {looked_for}")
