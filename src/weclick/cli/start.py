"""``weclick start``."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from jsonargparse import Namespace

from weclick.annotate.catalog import Catalog
from weclick.annotate.security import LOCAL, Access, is_loopback
from weclick.annotate.serve import bind, serve
from weclick.annotate.training import Training
from weclick.cli.annotate import WARNING, address_of, make_store, without_garbage_collection
from weclick.cli.help import Help, show_help
from weclick.cli.parser import Parser
from weclick.clicks.store import store_path
from weclick.data.layouts import open_layout
from weclick.data.project import Project, default_folder, find_videos, make_project
from weclick.errors import ConfigError, DataError
from weclick.pipeline.options import PAGE_PORT

if TYPE_CHECKING:  # it takes half a second, for which help does not wait
    from fastapi import FastAPI

EXAMPLES: Final = ("weclick start drive.mp4", "weclick start videos/ --project street")

GOAL: Final = 16
"""Default number of frames to click before the first training."""

DESCRIPTION = """From video to a trained network in one page of the browser; Ctrl-C stops the server.

Makes a project beside the videos, where clicks, trainings and results are kept. The page asks for the classes, offers frames
to click, trains, and shows the result. The same command goes on where it stopped; a training does not need the server.
"""


def make_parser() -> Parser:
    """Return the parser of ``weclick start``."""
    parser = Parser(prog="weclick start", description=DESCRIPTION)
    parser.add_argument("videos", type=str, nargs="+", help="video files, folders of them, or the folder of a project")
    parser.add_argument(
        "--project", type=str | None, default=None, help="folder of the project; default: VIDEO-weclick"
    )
    parser.add_argument(
        "--host", type=str, default=LOCAL, help="address to serve at; `weclick annotate --help` explains it"
    )
    parser.add_argument("--port", type=int, default=PAGE_PORT, help="port to serve at; 0 takes any free one")
    parser.add_argument("--goal", type=int, default=GOAL, help="number of frames to click")
    parser.add_argument(
        "--annotator", type=str, default="", help="name to store with clicks for which the page has none"
    )
    parser.add_argument("--preview", type=bool, default=True, help="show what the clicks mean; false needs less memory")
    parser.add_argument("--open", type=bool, default=True, help="open the browser")
    return parser


def main(command: str, arguments: list[str]) -> None:
    """Open or make the project and serve the page until interrupted."""
    parser = make_parser()
    show_help(parser, arguments, Help(examples=EXAMPLES))
    config = parser.parse_args(arguments)
    from weclick.annotate.setup import Setup

    if config.goal < 1:
        raise ConfigError(f"--goal must be at least 1, found {config.goal}")
    with bind(config.host, config.port) as listening:
        bound, port, *_ = listening.getsockname()
        access = Access.at(config.host, bound, port)
        project = open_project([Path(video) for video in config.videos], config.project)
        app = Setup(project, access, partial(_open_page, project, access, config))
        if not is_loopback(bound):
            print(f"weclick: {WARNING}", file=sys.stderr)
        url = address_of(access, config.host)
        print(f"open {url} (Ctrl-C stops it); the project is {project.folder}", flush=True)
        serve(app, listening, url, open_browser=config.open and access.token is None)


def open_project(sources: list[Path], folder: str | None) -> Project:
    """Return the project that is named or that belongs to the videos; it is made if there is none.

    Raises:
        DataError: The videos cannot be read, or the project has others.
    """
    named = Project(sources[0].absolute())
    if folder is None and named.exists and not sources[1:]:
        return named
    videos = find_videos(sources)
    project = Project(Path(folder).absolute() if folder else default_folder(sources))
    if not project.exists:
        return make_project(project.folder, videos)
    if missing := [video.name for video in videos if video.stem not in project.videos]:
        raise DataError(
            f"{project.folder} is a project without {missing[0]}; name another folder with --project, or add the video to "
            "its videos/ and splits.yaml"
        )
    return project


def _open_page(project: Project, access: Access, config: Namespace) -> FastAPI:
    """Return the application for clicking; videos are decoded, classes named."""
    from weclick.annotate.api import create_app
    from weclick.annotate.training_routes import training_routes

    store = store_path(project.folder)
    with without_garbage_collection():
        layout = open_layout("folder", project.folder)
        catalog = Catalog(layout, store, goal=config.goal)
    make_store(store, layout.classes)
    training = Training(project.folder, project.config, project.runs, project.videos)
    return create_app(
        catalog,
        access,
        annotator=config.annotator,
        preview=config.preview,
        training=partial(training_routes, training),
    )
