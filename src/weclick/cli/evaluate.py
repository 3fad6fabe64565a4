"""``weclick validate`` and ``weclick test``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from jsonargparse.typing import NonNegativeInt

from weclick.cli.help import Help, show_help
from weclick.cli.next_step import print_next
from weclick.cli.options import (
    Request,
    add_settings,
    dump,
    option_value,
    parse,
    quiet_libraries,
    resolve_configs,
    to_settings,
)
from weclick.cli.parser import Parser
from weclick.cli.runs import SETTINGS, add_run, config_of, find_run_of_checkpoint, refuse_wrong_options
from weclick.data.index import Split
from weclick.errors import NoLabelsError, RunError
from weclick.pipeline.options import DEFAULT_PAIRS

if TYPE_CHECKING:
    from weclick.inference.model import Model
    from weclick.metrics import Evaluation

DESCRIPTION = """Evaluate a trained network with the masks, at their own resolution, or else with clicks held out from training.

Without arguments, it evaluates the student of the newest finished run, with the settings of that run's config.yaml.
`validate` uses the val split. `test` uses the test split or, where that has no masks, val, and prints which. Where no split
has masks, both measure the share of correct clicks, on the clicks that the run held out (data.clicks.held_out). `test` also
writes runs/NAME/test/report.html; the report of a checkpoint named with --ckpt_path goes to a folder of its own in
runs/NAME/test/. Of Cityscapes it also writes the predictions as the official evaluator reads them, to predictions/ beside the
report or, where the environment variable CITYSCAPES_RESULTS is set, to that folder.
"""


def make_parser(command: str) -> Parser:
    """Return the parser of ``weclick validate`` or ``weclick test``, with its own options only."""
    parser = Parser(prog=f"weclick {command}", description=DESCRIPTION, epilog=SETTINGS)
    add_run(parser, "run to evaluate, by name or folder; default: newest")
    parser.add_argument(
        "--stage", type=Literal["student", "teacher"] | None, default=None, help="which network; default: student"
    )
    parser.add_argument(
        "--ckpt_path",
        type=str | None,
        default=None,
        help="checkpoint to evaluate instead of the one selected from the run",
    )
    parser.add_argument(
        "--pairs",
        type=NonNegativeInt,
        default=DEFAULT_PAIRS,
        help="number of pairs of successive frames, evenly spread, to measure temporal consistency on; 0: do not measure it",
    )
    parser.add_argument(
        "--required",
        type=bool,
        default=True,
        help="refuse a run without masks and held-out clicks; false: say that there is nothing to measure with, and end",
    )
    return parser


def main(command: str, arguments: list[str]) -> None:
    """Evaluate a run's network and print its scores."""
    quiet_libraries()
    request = parse_request(command, arguments)
    from weclick.reporting.report import print_table

    try:
        evaluation, model, folder = evaluate_run(command, request)
    except NoLabelsError as error:
        if request.config.required:
            raise
        print(f"not measured: {error}")
        return
    print_table(evaluation, model.classes)
    if folder is not None:
        print(f"report: {folder / 'report.html'}")
        assert request.run is not None
        print_next("predict", "--run", str(request.run.folder), "--source", "VIDEO")


def parse_request(command: str, arguments: list[str]) -> Request:
    """Parse the arguments over the config of the run that they name; print the help and exit if they request it.

    Raises:
        ArgumentError: An option is unknown or has a wrong value.
        RunError: There is no such run.
    """
    arguments, parser = resolve_configs(arguments), make_parser(command)
    show_help(parser, arguments, Help(examples=(f"weclick {command}", f"weclick {command} --run NAME")))
    add_settings(parser)
    refuse_wrong_options(parser, arguments)
    run = find_run_of_checkpoint(arguments, "teacher" if option_value(arguments, "--stage") == "teacher" else "student")
    if run is None:
        path = option_value(arguments, "--ckpt_path")
        raise RunError(f"{path} lies in no run; name the run whose settings to use with --run")
    return Request(arguments, run, parser, parse(parser, [*config_of(run), *arguments]))


def evaluate_run(command: str, request: Request) -> tuple[Evaluation, Model, Path | None]:
    """Evaluate a run's network; print what is evaluated on what before.

    Returns:
        The evaluation, the network, and the folder of the results, which ``weclick test`` writes.
    """
    from weclick.pipeline.evaluate import Chosen, choose_checkpoint, evaluate, results_folder
    from weclick.pipeline.held_out import measurable, measures_with_clicks, refuse_other_checkpoint

    _, run, parser, config = request
    assert run is not None
    settings = to_settings(parser, config)
    split: Split = "val" if command == "validate" else settings.dataset.evaluation_split
    settings, split = measurable(settings, run, split)
    clicked = measures_with_clicks(settings.dataset)
    chosen = (
        Chosen(Path(config.ckpt_path), "named on the command line")
        if config.ckpt_path
        else choose_checkpoint(run, config.stage or "student", split)
    )
    if clicked:
        refuse_other_checkpoint(run, chosen.path)
    folder = results_folder(run, chosen) if command == "test" else None
    labels = "frames with held-out clicks" if clicked else f"the {split} split"
    print(f"{command}: {chosen.path} ({chosen.reason}) on {labels} of {settings.data.root}", flush=True)
    results = os.environ.get("CITYSCAPES_RESULTS")
    evaluation, model = evaluate(
        settings,
        run,
        chosen,
        split,
        folder=folder,
        stage=config.stage,
        config=dump(parser, config),
        predictions=Path(results) if results else None,
        pairs=config.pairs,
    )
    if folder is not None and results and settings.dataset.layout.name == "cityscapes":
        print(f"predictions: {results} (CITYSCAPES_RESULTS)")
    return evaluation, model, folder
