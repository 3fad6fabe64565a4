"""``weclick export``."""

from __future__ import annotations

import sys
from math import prod
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

from weclick.cli.help import Help, show_help
from weclick.cli.options import add_settings, option_value, parse, quiet_libraries, resolve_configs, to_settings
from weclick.cli.parser import Parser
from weclick.cli.runs import SETTINGS, add_run, config_of, find_run_of_checkpoint, refuse_wrong_options
from weclick.conventions import MAX_PIXELS
from weclick.errors import ConfigError, DataError
from weclick.inference.formats import FORMATS
from weclick.pipeline.options import LEAST_UNJUDGED, MAX_DROP

if TYPE_CHECKING:
    from weclick.pipeline.export import Exported

DESCRIPTION = f"""Turn a trained student into files that run without PyTorch: ONNX, and OpenVINO in fp32, bf16 and int8.

Each file is compared with PyTorch on frames of the data set before it is kept. Where val has masks, a file that loses more
than --max_drop points of mIoU is refused. Without masks, a file that labels less than {LEAST_UNJUDGED:.0%} of the pixels
like PyTorch is kept with a warning. The exported network takes RGB images as uint8; it holds the normalisation and the
class names. Without arguments, the student of the newest finished run (the one `weclick predict` uses) is exported to
runs/NAME/export.
"""


def make_parser() -> Parser:
    """Return the parser of ``weclick export``, with its own options only."""
    parser = Parser(prog="weclick export", description=DESCRIPTION, epilog=SETTINGS)
    add_run(parser, "run to export, by name or folder; default: newest")
    parser.add_argument(
        "--ckpt_path", type=str | None, default=None, help="student checkpoint to export instead of the run's"
    )
    parser.add_argument(
        "--formats",
        type=str | None,
        default=None,
        help=f"one or more of {','.join(FORMATS)}; default: all that the installed packages and the data permit",
    )
    parser.add_argument(
        "--size",
        type=tuple[int, int] | None,
        default=None,
        help="[H,W] of the images the files will take; default: the size the student was trained at",
    )
    parser.add_argument("--labels", type=bool, default=False, help="output class ids at full size instead of logits")
    parser.add_argument("--out", type=str | None, default=None, help="folder for the files; default: RUN/export")
    parser.add_argument(
        "--max_drop", type=float, default=MAX_DROP, help="points of mIoU on val that a file may lose at most"
    )
    return parser


def main(command: str, arguments: list[str]) -> None:
    """Export a student and print a line per file."""
    quiet_libraries()
    arguments = resolve_configs(arguments)
    parser = make_parser()
    show_help(parser, arguments, Help(examples=("weclick export", "weclick export --run NAME --formats onnx,openvino")))
    add_settings(parser)
    refuse_wrong_options(parser, arguments)
    from weclick.pipeline.export import card_of, choose_formats, export, open_data, open_student
    from weclick.pipeline.tracking import record_export

    parser.set_defaults({"data.root": ""})  # a checkpoint outside any run can be exported without data
    run = find_run_of_checkpoint(arguments, "student")
    config = parse(parser, [*(config_of(run) if run else []), *arguments])
    if config.max_drop < 0 or min(config.size or (1, 1)) < 1:
        raise ConfigError(
            f"--max_drop must be at least 0 and --size at least [1,1]; found {config.max_drop:g} and {config.size}"
        )
    if prod(config.size or ()) > MAX_PIXELS:
        raise ConfigError(f"--size must have at most {MAX_PIXELS} pixels, found {config.size}")
    checkpoint = Path(config.ckpt_path) if config.ckpt_path or not run else run.checkpoint("student", "last")
    model = open_student(checkpoint, config.size)
    settings = to_settings(parser, config)
    data, no_data = open_data(settings, model.size)
    if data is None and option_value(arguments, "--data.root"):
        raise DataError(no_data)
    formats, lines = choose_formats(config.formats, data, no_data)
    card = card_of(model, checkpoint, labels=config.labels, run=run.name if run else None)
    folder = Path(config.out) if config.out else (run.folder if run else checkpoint.parent) / "export"
    pictures = data.root if data else f"random pictures ({no_data})"
    print(f"export: {checkpoint}, {model.size[0]} x {model.size[1]}, {card.output}, checked on {pictures}")
    for line in lines:
        print(line)
    files = []
    for exported in export(model, card, folder, formats, data=data, max_drop=config.max_drop):
        files.append(exported.path)
        print(f"{exported.format}: {exported.path}, {exported}", flush=True)
        if exported.doubtful:
            print(_warning(exported), file=sys.stderr)
    if run is not None and not config.ckpt_path:
        record_export(settings, run, checkpoint, files)


def _warning(exported: Exported) -> str:
    return (
        f"warning: {exported.format} labels {1 - exported.agreement:.1%} of the pixels differently from PyTorch, and val "
        f"has no masks to measure whether that is worse; inspect the output of weclick predict --ckpt_path "
        f"{quote(str(exported.path))}, or leave {exported.format} out of --formats"
    )
