"""``weclick init``."""

from __future__ import annotations

from pathlib import Path

from weclick.cli.help import Help, show_help
from weclick.cli.next_step import print_next
from weclick.cli.parser import Parser
from weclick.data.layouts.folder import decode_videos
from weclick.data.project import find_videos, make_classes, make_project

DESCRIPTION = """Make a project of videos: their frames, classes in distinguishable colours, and a config to train with.

`weclick start PROJECT` goes on with it in the browser, `weclick annotate PROJECT` and `weclick fit --config PROJECT/config.yaml
--runs PROJECT/runs` do so on the command line.
"""


def make_parser() -> Parser:
    """Return the parser of ``weclick init``."""
    parser = Parser(prog="weclick init", description=DESCRIPTION)
    parser.add_argument("project", type=str, help="folder to make")
    parser.add_argument(
        "--videos", type=str, required=True, help="folder of videos, or a video file; the project links to them"
    )
    parser.add_argument("--classes", type=str, required=True, help="names of the classes, such as road,car,person")
    parser.add_argument("--things", type=str, default="", help="those of them whose objects can be counted: car,person")
    return parser


def main(command: str, arguments: list[str]) -> None:
    """Make the project and decode its videos."""
    parser = make_parser()
    show_help(parser, arguments, Help(examples=("weclick init street --videos videos/ --classes road,car",)))
    config = parser.parse_args(arguments)
    classes = make_classes(config.classes.split(","), config.things.split(",") if config.things else ())
    project = make_project(Path(config.project), find_videos([Path(config.videos)]), classes)
    decode_videos(project.folder)
    print(f"{project.folder}: videos {', '.join(project.videos)}; classes {', '.join(classes.names)}")
    print_next("start", str(project.folder))
