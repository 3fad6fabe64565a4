"""``weclick validate`` and ``weclick test``."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from jsonargparse import ArgumentParser

from weclick.cli.options import add_settings, dump, option_value, parse, quiet_libraries, resolve_configs, to_settings
from weclick.cli.runs import add_run, find_run_of_checkpoint, print_help
from weclick.data.index import Split
from weclick.errors import RunError
from weclick.pipeline.evaluate import Chosen, choose_checkpoint, evaluate, need_masks, results_folder
from weclick.reporting.report import print_table

DESCRIPTION = """Evaluate a trained network at the labels' own resolution.

Without arguments: the student of the newest finished run. Settings come from the run's config.yaml; any can be overridden.
`test` takes the test split where it has labels, else val, and prints which; it writes runs/NAME/test/report.html, and of
another checkpoint than the run's own student runs/NAME/test/FOLDER-FILE/report.html (of another run's also its name).
"""


def parser(command: str) -> ArgumentParser:
    """Return the parser of ``weclick validate`` or ``weclick test``, without the settings of a run."""
    made = ArgumentParser(prog=f"weclick {command}", description=DESCRIPTION, exit_on_error=False)
    add_run(made, "run to evaluate, by name or folder; default: newest")
    made.add_argument(
        "--stage", type=Literal["student", "teacher"] | None, default=None, help="which network; default: student"
    )
    made.add_argument(
        "--ckpt_path", type=str | None, default=None, help="this checkpoint instead of the run's own choice"
    )
    return made


def main(command: str, arguments: list[str]) -> None:
    """Find the run, evaluate, print."""
    quiet_libraries()
    arguments = resolve_configs(arguments)
    made = parser(command)
    print_help(made, arguments)
    add_settings(made)
    run = find_run_of_checkpoint(arguments, "teacher" if option_value(arguments, "--stage") == "teacher" else "student")
    if run is None:
        lone = option_value(arguments, "--ckpt_path")
        raise RunError(f"{lone} lies in no run; name the run whose settings to use with --run")
    config = parse(made, ["--config", str(run.config), *arguments])
    settings = to_settings(made, config)
    split: Split = "val" if command == "validate" else settings.dataset.evaluation_split
    need_masks(settings.dataset, split)
    chosen = (
        Chosen(Path(config.ckpt_path), "named on the command line")
        if config.ckpt_path
        else choose_checkpoint(run, config.stage or "student", split)
    )
    folder = results_folder(run, chosen) if command == "test" else None
    print(f"{command}: {chosen.path} ({chosen.reason}) on the {split} split of {settings.data.root}")
    evaluation, model = evaluate(
        settings, run, chosen, split, folder=folder, stage=config.stage, config=dump(made, config)
    )
    print_table(evaluation, model.classes)
    if folder is not None:
        print(f"report: {folder / 'report.html'}")
