"""``weclick validate`` and ``weclick test``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from jsonargparse import ArgumentParser
from jsonargparse.typing import NonNegativeInt

from weclick.cli.options import add_settings, dump, option_value, parse, quiet_libraries, resolve_configs, to_settings
from weclick.cli.runs import add_run, find_run_of_checkpoint, print_help
from weclick.data.index import Split
from weclick.errors import RunError
from weclick.pipeline.consistency import DEFAULT_PAIRS
from weclick.pipeline.evaluate import Chosen, choose_checkpoint, evaluate, need_masks, results_folder
from weclick.reporting.report import print_table

DESCRIPTION = """Evaluate a trained network against the masks, at their own resolution.

Without arguments, it evaluates the student of the newest finished run, with the settings of that run's config.yaml.
`validate` uses the val split. `test` uses the test split or, where that has no masks, val, and prints which. `test` also
writes runs/NAME/test/report.html; the report of a checkpoint named with --ckpt_path goes to a folder of its own in
runs/NAME/test/. Of Cityscapes it also writes the predictions as the official evaluator reads them, to predictions/ beside the
report or, where the environment variable CITYSCAPES_RESULTS is set, to that folder.
"""


def make_parser(command: str) -> ArgumentParser:
    """Return the parser of ``weclick validate`` or ``weclick test``, with its own options only."""
    parser = ArgumentParser(prog=f"weclick {command}", description=DESCRIPTION, exit_on_error=False)
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
    return parser


def main(command: str, arguments: list[str]) -> None:
    """Evaluate a run's network and print its scores."""
    quiet_libraries()
    arguments = resolve_configs(arguments)
    parser = make_parser(command)
    print_help(parser, arguments)
    add_settings(parser)
    run = find_run_of_checkpoint(arguments, "teacher" if option_value(arguments, "--stage") == "teacher" else "student")
    if run is None:
        path = option_value(arguments, "--ckpt_path")
        raise RunError(f"{path} lies in no run; name the run whose settings to use with --run")
    config = parse(parser, ["--config", str(run.config), *arguments])
    settings = to_settings(parser, config)
    split: Split = "val" if command == "validate" else settings.dataset.evaluation_split
    need_masks(settings.dataset, split)
    chosen = (
        Chosen(Path(config.ckpt_path), "named on the command line")
        if config.ckpt_path
        else choose_checkpoint(run, config.stage or "student", split)
    )
    folder = results_folder(run, chosen) if command == "test" else None
    print(f"{command}: {chosen.path} ({chosen.reason}) on the {split} split of {settings.data.root}")
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
    print_table(evaluation, model.classes)
    if folder is not None:
        print(f"report: {folder / 'report.html'}")
        if results and settings.dataset.layout.name == "cityscapes":
            print(f"predictions: {results} (CITYSCAPES_RESULTS)")
