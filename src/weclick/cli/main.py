"""Entry point: imports and runs the command, and turns errors into one line and an exit status.

Exit status: 0 success, 1 error (one line on stderr), 2 wrong usage, 130, 143 and 138 after SIGINT, SIGTERM and
SIGUSR1.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import version
from typing import Final, NamedTuple, NoReturn

from weclick.cli.resources import resource_error
from weclick.cli.usage import plain
from weclick.disk import disk_error
from weclick.errors import ConfigError, WeclickError, one_line
from weclick.machine import process_rank


class Command(NamedTuple):
    """The module of a command, and its line in the help."""

    module: str
    summary: str


COMMANDS: Final = {
    "start": Command("weclick.cli.start", "from video to a trained network, in one page of the browser"),
    "init": Command("weclick.cli.init", "make a project of videos: frames, classes, a config to train with"),
    "fit": Command("weclick.cli.fit", "train teacher, memory and student from clicks; --resume RUN resumes"),
    "validate": Command("weclick.cli.evaluate", "evaluate a trained network on the val split"),
    "test": Command(
        "weclick.cli.evaluate", "evaluate it on masks (test, else val) or held-out clicks, and write a report"
    ),
    "memory": Command("weclick.cli.memory", "measure how much better the memory is than the teacher's predictions"),
    "predict": Command("weclick.cli.predict", "segment a video, a folder of frames, a camera or a stream"),
    "export": Command("weclick.cli.export", "write the student as ONNX and OpenVINO files, checked against PyTorch"),
    "package": Command("weclick.cli.package", "write a folder to publish: weights, exported files, model card"),
    "annotate": Command("weclick.cli.annotate", "click on the objects of frames, in the browser"),
    "clicks": Command("weclick.cli.clicks", "simulate, import, export, check or count clicks; suggest frames to click"),
    "data": Command("weclick.cli.data", "check a data set, write a synthetic one, prepare CamVid, extract Cityscapes"),
    "benchmark": Command("weclick.cli.benchmark", "measure the speed of student, training and prediction"),
    "ablate": Command("weclick.cli.ablate", "train several arms of the method under equal budgets and compare them"),
    "budget": Command(
        "weclick.cli.budget", "train arms from fewer clicked frames and fewer clicks, and plot the curves"
    ),
    "doctor": Command("weclick.cli.doctor", "find out what is wrong with this machine, and what to do"),
}

HELP: Final = """usage: weclick COMMAND [options]

Video in, one click per object, a real-time segmentation network out.

commands:
{commands}

options:
  --version       print the version
  --debug         show a traceback on errors
  --import NAME   first import a module of your own, from the current folder or an installed package: it defines
                  networks, flows, layouts, losses or augmentations that a config names by class path
  -h, --help      this help; `weclick COMMAND --help` explains a command

first steps:
  weclick start drive.mp4                                 click, train and see the result in the browser
  weclick data synthetic demo/data                        write a small data set
  weclick fit --config demo.yaml --data.root demo/data    train on it
  weclick test                                            evaluate the newest run
"""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit."""
    sys.exit(run(list(sys.argv[1:] if arguments is None else arguments)))


def run(arguments: list[str]) -> int:
    """Run a command line and return its exit status."""
    debug = "--debug" in arguments
    arguments, modules = _without_imports([argument for argument in arguments if argument != "--debug"])
    if not arguments or arguments[0] in ("-h", "--help"):
        print(help_text())
        return 0 if arguments else 2
    if arguments[0] == "--version":
        print(f"weclick {version('weclick')}")
        return 0
    name, *rest = arguments
    if name not in COMMANDS:
        return _refuse(f"no command {name!r}; choose one of {', '.join(COMMANDS)}", status=2)
    try:
        _import(modules)
        # imported here, as each command loads other libraries, which take seconds
        status: int | None = import_module(COMMANDS[name].module).main(name, [_underscored(text) for text in rest])
        return status or 0
    except BaseException as error:
        if debug and not isinstance(error, SystemExit):
            raise
        return _status(error, name)


def _without_imports(arguments: list[str]) -> tuple[list[str], list[str]]:
    """Return the arguments without ``--import NAME``, and the names of the modules to import."""
    rest, modules, remaining = list[str](), list[str](), iter(arguments)
    for argument in remaining:
        if argument == "--import":
            modules.append(next(remaining, ""))
        elif argument.startswith("--import="):
            modules.append(argument.partition("=")[2])
        else:
            rest.append(argument)
    return rest, modules


def _import(modules: list[str]) -> None:
    """Import the user's modules, which may lie in the current folder.

    The folder goes to the end of the search path, so that a file of the user's cannot replace an installed module.

    Raises:
        ConfigError: A module cannot be imported.
    """
    if modules and os.getcwd() not in sys.path:  # noqa: PTH109 - sys.path holds text
        sys.path.append(os.getcwd())  # noqa: PTH109
    for name in modules:
        try:
            import_module(name)
        except Exception as error:  # whatever the user's own code raises
            raise ConfigError(f"--import {name}: {type(error).__name__}: {one_line(error)}") from error


def _underscored(argument: str) -> str:
    """Return ``--max_frames`` for ``--max-frames``, and any other argument as it is."""
    if not argument.startswith("--"):
        return argument
    option, equals, value = argument.partition("=")
    return "--" + option[2:].replace("-", "_") + equals + value


def _status(error: BaseException, command: str) -> int:
    """Print a command's error as one line and return its exit status."""
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else 1
    if isinstance(error, WeclickError):
        return _refuse(str(error))
    if isinstance(error, KeyboardInterrupt):
        return _refuse("; ".join(["interrupted", *_notes(error)]), status=130)
    if hasattr(error, "signum"):
        if process_rank() > 0:  # all processes of a training stop together
            return 128 + int(error.signum)
        return _refuse("; ".join([f"stopped by {error}; everything is saved", *_notes(error)]), 128 + error.signum)
    if type(error).__name__ == "ArgumentError":
        return _refuse(f"{plain(str(error))} (see --help)", status=2)
    if isinstance(error, ModuleNotFoundError) and not str(error.name).startswith("weclick"):
        return _refuse(
            f"package {error.name} is not installed; without it, only weclick predict --ckpt_path runs, with an exported model "
            "or a published folder: install weclick with all that it depends on"
        )
    if (full := disk_error(error)) is not None:
        return _refuse(str(full))
    if (lacking := resource_error(error, command)) is not None:
        return _refuse("; ".join([lacking, *_notes(error)]))
    if isinstance(error, OSError):
        where = f" ({error.filename})" if error.filename else ""
        return _refuse(f"{error.strerror or error}{where}")
    return _refuse(f"unexpected {type(error).__name__}: {error}; run again with --debug and report it")


def _notes(error: BaseException) -> list[str]:
    return getattr(error, "__notes__", [])


def _refuse(message: str, status: int = 1) -> int:
    print(f"weclick: {' '.join(message.split())[:600].rstrip()}", file=sys.stderr)
    return status


def help_text() -> str:
    """Return the top-level help."""
    lines = [f"  {name:<15} {command.summary}" for name, command in COMMANDS.items()]
    return HELP.format(commands="\n".join(lines)).rstrip()


# set before the libraries are imported; albumentations asks a server for its newest version, and OpenCV and FFmpeg print
# a line of their own for each damaged file, which we report in ours
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
