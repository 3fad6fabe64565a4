"""``weclick memory``."""

from __future__ import annotations

from typing import Final

from weclick.cli.help import Help, show_help
from weclick.cli.options import add_settings, parse, quiet_libraries, resolve_configs, to_settings
from weclick.cli.parser import Parser
from weclick.cli.runs import SETTINGS, add_run, config_of, find_run, refuse_wrong_options
from weclick.data.index import Split

FOLDER: Final = "memory_quality"

DESCRIPTION: Final = f"""Measure how good the memory is, before or without training a student.

On the labelled frames of a split, it compares three predictions with the labels: the teacher's from the frame alone, the
teacher's on each neighbour carried along optical flow, and the memory's, which fuses them; on clicked frames also what is
stored of them, connected and refined as set (memory.connected, memory.refined). Settings come from the run's
config.yaml; override some to measure another memory: --data.clips.neighbours 4, --data.clips.sides both,
--memory.views true, --memory.fusion.own 1. Figures on train are too good, as the teacher was trained on clicks of these
frames. Only runs/NAME/{FOLDER}/ is written to: each measurement has a folder there, named by split, neighbours, sides
and a digest of all settings, with table.csv, table.md and plot.png.
"""


def make_parser() -> Parser:
    """Return the parser of ``weclick memory``, with its own options only."""
    parser = Parser(prog="weclick memory", description=DESCRIPTION, epilog=SETTINGS)
    add_run(parser, "run whose teacher to use, by name or folder; default: the newest with a finished teacher")
    parser.add_argument(
        "--split",
        type=Split | None,
        default=None,
        help="labelled frames to use; default: test where it has masks, else val",
    )
    parser.add_argument(
        "--max_frames", type=int | None, default=None, help="use at most this many labelled frames, evenly spread"
    )
    return parser


def main(command: str, arguments: list[str]) -> None:
    """Measure the memory of a run, print the table and write its files."""
    quiet_libraries()
    arguments = resolve_configs(arguments)
    parser = make_parser()
    show_help(parser, arguments, Help(examples=("weclick memory --run NAME --data.clips.sides both",)))
    add_settings(parser)
    refuse_wrong_options(parser, arguments)
    from weclick.pipeline.memory_quality import memory_quality
    from weclick.reporting.memory_quality import table_markdown, write_quality

    run = find_run(arguments, "teacher")
    config = parse(parser, [*config_of(run), *arguments])
    settings = to_settings(parser, config)
    split = config.split or settings.dataset.evaluation_split
    quality = memory_quality(settings, run, split, config.max_frames)
    print(table_markdown(quality))
    print("written: " + ", ".join(map(str, write_quality(quality, run.folder / FOLDER / quality.name))))
