"""``weclick export``."""

from __future__ import annotations

import sys
from pathlib import Path
from shlex import quote

from jsonargparse import ArgumentParser

from weclick.cli.options import add_settings, option_value, parse, quiet_libraries, resolve_configs, to_settings
from weclick.cli.runs import add_run, find_run_of_checkpoint, print_help
from weclick.errors import ConfigError, DataError
from weclick.inference.formats import FORMATS
from weclick.pipeline.export import LEAST_UNJUDGED, Exported, card_of, choose_formats, export, open_data, open_student

DESCRIPTION = f"""Turn a trained student into files that run without PyTorch: ONNX, and OpenVINO in fp32, bf16 and int8.

Each file is compared with PyTorch on frames of the data set before it gets its name, and, where val has masks, refused
if it loses more than --max_drop points of mIoU. Without masks, it is written with a warning if it labels less than
{LEAST_UNJUDGED:.0%} of the pixels like PyTorch. It takes RGB images as uint8 and holds everything else in itself.
Without arguments: the student of the newest finished run, as `weclick predict` uses it, into runs/NAME/export.
"""


def parser() -> ArgumentParser:
    """Return the parser of ``weclick export``, without the settings of a run."""
    made = ArgumentParser(prog="weclick export", description=DESCRIPTION, exit_on_error=False)
    add_run(made, "run to export, by name or folder; default: newest")
    made.add_argument("--ckpt_path", type=str | None, default=None, help="this student checkpoint instead of the run's")
    made.add_argument(
        "--formats",
        type=str | None,
        default=None,
        help=f"of {','.join(FORMATS)}; default: all that the installed packages and the data permit",
    )
    made.add_argument(
        "--size",
        type=tuple[int, int] | None,
        default=None,
        help="[H,W] of the images the files take; default: the size the student was trained at",
    )
    made.add_argument("--labels", type=bool, default=False, help="give class ids at full size instead of logits")
    made.add_argument("--out", type=str | None, default=None, help="folder for the files; default: RUN/export")
    made.add_argument("--max_drop", type=float, default=1.0, help="most points of mIoU on val a file may lose")
    return made


def main(command: str, arguments: list[str]) -> None:
    """Find the student, export, print a line per file."""
    quiet_libraries()
    arguments = resolve_configs(arguments)
    made = parser()
    print_help(made, arguments)
    add_settings(made)
    made.set_defaults({"data.root": ""})  # a checkpoint outside any run can be exported without data
    run = find_run_of_checkpoint(arguments, "student")
    config = parse(made, [*(["--config", str(run.config)] if run else []), *arguments])
    if config.max_drop < 0 or min(config.size or (1, 1)) < 1:
        raise ConfigError(f"--max_drop {config.max_drop:g} and --size {config.size} must be positive")
    checkpoint = Path(config.ckpt_path) if config.ckpt_path or not run else run.checkpoint("student", "last")
    model = open_student(checkpoint, config.size)
    data, no_data = open_data(to_settings(made, config), model.size)
    if data is None and option_value(arguments, "--data.root"):
        raise DataError(no_data)
    formats, lines = choose_formats(config.formats, data, no_data)
    card = card_of(model, checkpoint, labels=config.labels, run=run.name if run else None)
    folder = Path(config.out) if config.out else (run.folder if run else checkpoint.parent) / "export"
    pictures = data.root if data else f"random pictures ({no_data})"
    print(f"export: {checkpoint}, {model.size[0]} x {model.size[1]}, {card.output}, checked on {pictures}")
    for line in lines:
        print(line)
    for done in export(model, card, folder, formats, data=data, max_drop=config.max_drop):
        print(_line(done), flush=True)
        if done.doubtful:
            print(_warning(done), file=sys.stderr)


def _line(done: Exported) -> str:
    kind = "frames" if done.real else "random pictures"
    line = f"{done.format}: {done.path}, {done.agreement:.3%} of pixels as in PyTorch ({done.frames} {kind})"
    if done.miou is None or done.drop is None:
        return f"{line}, mIoU not measured"
    return f"{line}, mIoU {100 * done.miou:.2f} on val ({0 - round(done.drop, 2):+.2f})"


def _warning(done: Exported) -> str:
    return (
        f"warning: {done.format} labels {1 - done.agreement:.1%} of the pixels otherwise than PyTorch, and val has no mask "
        f"to show whether that is worse; look at what weclick predict --ckpt_path {quote(str(done.path))} makes, or leave "
        f"{done.format} out of --formats"
    )
