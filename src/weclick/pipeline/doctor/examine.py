"""All checks of ``weclick doctor``, the quick ones first."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from weclick.errors import WeclickError, one_line
from weclick.pipeline.doctor.devices import examine_torch
from weclick.pipeline.doctor.finding import Finding
from weclick.pipeline.doctor.limits import examine_cores, examine_memory, examine_shared_memory
from weclick.pipeline.doctor.packages import examine_extras, examine_packages, examine_python
from weclick.pipeline.doctor.places import examine_cache_folder, examine_current_folder, examine_temporary_folder
from weclick.pipeline.doctor.services import examine_port, examine_tracking, examine_video

CHECKS: Final[dict[str, Callable[[], Iterator[Finding]]]] = {
    "Python": examine_python,
    "packages": examine_packages,
    "extras": examine_extras,
    "CPU cores": examine_cores,
    "memory": examine_memory,
    "shared memory": examine_shared_memory,
    "current folder": examine_current_folder,
    "temporary folder": examine_temporary_folder,
    "cache folder": examine_cache_folder,
    "page": examine_port,
    "video": examine_video,
    "Weights & Biases": examine_tracking,
    "PyTorch": examine_torch,
}


def examine() -> Iterator[Finding]:
    """Yield what each check finds, as soon as it is known."""
    for name, check in CHECKS.items():
        try:
            yield from check()
        except Exception as error:  # a broken installation fails in any way, and the other checks are still of use
            found = f"cannot be examined ({type(error).__name__}: {one_line(error)})"
            yield Finding("problem", name, found, "install weclick again")


def examine_data(root: Path) -> Finding:
    """Read all files of a data set, and say whether they can be used."""
    from weclick.data.check import check_data
    from weclick.data.layouts import open_layout

    problems: list[str] = []
    try:
        report = check_data(open_layout("auto", root, lambda error: problems.append(str(error))), problems)
    except WeclickError as error:
        return Finding("problem", "data set", str(error))
    remedy = f"weclick data check {root} lists all"
    if report.problems:
        return Finding("problem", "data set", f"{len(report.problems)} problems: {report.problems[0]}", remedy)
    if hints := [*report.warnings, *report.unused]:
        return Finding("warning", "data set", hints[0], remedy)
    frames = sum(part.frames for part in report.splits.values())
    return Finding("ok", "data set", f"{root}, {report.layout} layout, {frames} frames")
