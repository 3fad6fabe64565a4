"""``weclick memory``."""

from __future__ import annotations

from typing import Final

from jsonargparse import ArgumentParser

from weclick.cli.options import add_settings, parse, quiet_libraries, resolve_configs, to_settings
from weclick.cli.runs import add_run, find_run, print_help
from weclick.data.index import Split
from weclick.pipeline.memory_quality import memory_quality
from weclick.reporting.memory_quality import table_markdown, write_quality

FOLDER: Final = "memory_quality"

DESCRIPTION: Final = f"""Measure how good the memory is, before or without training a student.

On the labelled frames of a split it compares with the labels: what the run's teacher says from one frame, what it says on
single neighbours, carried along optical flow, and what the memory makes of them. Settings come from the run's config.yaml;
any can be overridden, to try what a memory would be worth: --data.clips.neighbours 4, --data.clips.sides both,
--memory.views true, --memory.fusion.own 1. Figures on train are of frames whose clicks the teacher has seen: they
flatter it. Nothing in the run changes but runs/NAME/{FOLDER}/, in which each measurement has a folder of its own,
named by split, neighbours, sides and a digest of all settings: table.csv, table.md, plot.png.
"""


def parser() -> ArgumentParser:
    """Return the parser of ``weclick memory``, without the settings of a run."""
    made = ArgumentParser(prog="weclick memory", description=DESCRIPTION, exit_on_error=False)
    add_run(made, "run whose teacher to use, by name or folder; default: the newest with a finished teacher")
    made.add_argument(
        "--split",
        type=Split | None,
        default=None,
        help="labelled frames to use; default: test where it has masks, else val",
    )
    made.add_argument(
        "--max_frames", type=int | None, default=None, help="use at most so many labelled frames, evenly spread"
    )
    return made


def main(command: str, arguments: list[str]) -> None:
    """Find the run, measure, print and write."""
    quiet_libraries()
    arguments = resolve_configs(arguments)
    made = parser()
    print_help(made, arguments)
    add_settings(made)
    run = find_run(arguments, "teacher")
    config = parse(made, ["--config", str(run.config), *arguments])
    settings = to_settings(made, config)
    split = config.split or settings.dataset.evaluation_split
    quality = memory_quality(settings, run, split, config.max_frames)
    print(table_markdown(quality))
    print("written: " + ", ".join(map(str, write_quality(quality, run.folder / FOLDER / quality.name))))
