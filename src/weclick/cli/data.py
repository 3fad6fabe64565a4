"""``weclick data``: check a data set, write the synthetic one, prepare CamVid, extract Cityscapes."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any, Final

from weclick.cli.next_step import print_next, print_next_for_data
from weclick.cli.parser import call, choose_part
from weclick.data.layouts import open_layout
from weclick.reporting.progress import progress_bar


def main(command: str, arguments: list[str]) -> int | None:
    """Run the subcommand that the arguments name."""
    part = choose_part(PARTS, f"weclick {command}", "Check, write or prepare a data set.", arguments)
    if part in ("camvid", "cityscapes"):
        import_module(f"weclick.cli.{part}").main(arguments[1:])
        return None
    status: int | None = call(PARTS[part], f"weclick {command} {part}", arguments[1:])
    return status


def check(root: str, layout: str = "auto") -> int:
    """Read every file of a data set and print a summary and all problems; exit status 1 if there are any.

    Args:
        root: Folder of the data set.
        layout: cityscapes, camvid, folder, or the class path of another layout; auto detects the first three.
    """
    from weclick.data.check import check_data, print_report

    problems: list[str] = []
    opened = open_layout(layout, Path(root), lambda error: problems.append(str(error)))
    with progress_bar("check") as progress:
        report = check_data(opened, problems, progress=progress)
    print_report(report)
    if report.ok:
        print_next_for_data(opened)
    return 0 if report.ok else 1


def synthetic(
    out: str,
    seed: int = 0,
    train: int = 48,
    val: int = 8,
    frames: int = 12,
    target: int = 7,
    size: tuple[int, int] = (256, 512),
) -> None:
    """Write a synthetic street data set in the official Cityscapes layout.

    Args:
        out: Folder to write to.
        seed: Seed of the scenes; the same seed gives the same files.
        train: Number of training snippets (short clips); only the target frame of each has a mask.
        val: Number of validation snippets; all their frames have masks.
        frames: Frames per snippet.
        target: Number of the target frame in its snippet, from 0.
        size: Height and width of the frames in pixels.
    """
    from weclick.synthetic import write_synthetic

    write_synthetic(Path(out), seed=seed, train=train, val=val, frames=frames, target=target, size=size)
    print(f"{train} training and {val} validation snippets of {frames} frames in {out}")
    print_next("fit", "--config", "demo.yaml", "--data.root", out)


def camvid() -> None:
    """Prepare CamVid from its archives, folders or addresses."""


def cityscapes() -> None:
    """Extract from Cityscapes' archives only what a config needs."""


# These two are listed for the help. They have parsers of their own, as --from cannot be the name of a parameter.
PARTS: Final[dict[str, Any]] = {"check": check, "synthetic": synthetic, "camvid": camvid, "cityscapes": cityscapes}
