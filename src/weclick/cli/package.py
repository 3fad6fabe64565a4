"""``weclick package``."""

from __future__ import annotations

from pathlib import Path
from shlex import quote

from weclick.cli.help import Help, show_help
from weclick.cli.options import add_settings, option_value, parse, quiet_libraries, resolve_configs, to_settings
from weclick.cli.parser import Parser
from weclick.cli.runs import SETTINGS, config_of
from weclick.inference.published import UNSTATED_LICENCE
from weclick.pipeline.options import RUNS

DESCRIPTION = """Write a folder to publish: a trained student with its model card, in the layout of model hubs (Hugging Face).

It holds the weights as safetensors with config.json, the student as ONNX and, where openvino is installed, as OpenVINO, each
compared with PyTorch as `weclick export` does it, and README.md: classes, training data, results of `weclick test`, limits.
Nothing is uploaded. `weclick.load(FOLDER)` and `weclick predict --ckpt_path FOLDER` use the folder; where PyTorch is missing,
they use the ONNX file. A folder that was made before is replaced, unless something in it was changed since.
"""


def make_parser() -> Parser:
    """Return the parser of ``weclick package``, with its own options only."""
    parser = Parser(prog="weclick package", description=DESCRIPTION, epilog=SETTINGS)
    parser.add_argument("run", type=str | None, nargs="?", default=None, help="run to publish; default: newest")
    parser.add_argument("--runs", type=str, default=str(RUNS), help="folder of all runs")
    parser.add_argument("--out", type=str | None, default=None, help="folder to write; default: RUN/package")
    parser.add_argument(
        "--licence",
        type=str,
        default=UNSTATED_LICENCE,
        help="licence of the model, as hubs spell it: apache-2.0, cc-by-4.0, ...; the card says that it is missing if not given",
    )
    return parser


def main(command: str, arguments: list[str]) -> None:
    """Write the folder and print a line per part."""
    quiet_libraries()
    arguments = resolve_configs(arguments)
    parser = make_parser()
    show_help(parser, arguments, Help(examples=("weclick package", "weclick package NAME --licence apache-2.0")))
    add_settings(parser)
    named = parse(parser, ["--data.root=", *arguments])  # the run's config is read later, as this option names it
    from weclick.pipeline.package import package
    from weclick.pipeline.run import Run

    run = Run.find(named.run, Path(named.runs))
    parser.set_defaults({"data.root": ""})
    settings = to_settings(parser, parse(parser, [*config_of(run), *arguments]))
    folder = Path(named.out) if named.out else run.folder / "package"
    need_data = option_value(arguments, "--data.root") is not None
    for line in package(run, settings, folder, licence=named.licence, need_data=need_data):
        print(line, flush=True)
    place = quote(str(folder))
    print(
        f"wrote {folder}; use it: weclick.load({str(folder)!r}), or weclick predict --ckpt_path {place} --source VIDEO"
    )
    missing_licence = "state its licence in README.md, then " if named.licence == UNSTATED_LICENCE else ""
    print(f"next: {missing_licence}upload it, for example with Hugging Face's own tool: hf upload NAME/MODEL {place}")
