"""``weclick validate`` and ``weclick test``."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from jsonargparse import ArgumentParser

from weclick.callbacks.report import print_table
from weclick.cli.options import add_settings, calm, option_value, parse, resolve_configs, to_settings
from weclick.errors import RunError
from weclick.pipeline.evaluate import Chosen, choose_checkpoint, evaluate, results_folder
from weclick.pipeline.run import RUNS, Run

DESCRIPTION = """Evaluate a trained network at the labels' own resolution.

Without arguments: the student of the newest finished run. Settings come from the run's config.yaml; any can be overridden.
`test` takes the test split where it has labels, else val, and says which; it writes runs/NAME/test/report.html, and of
another checkpoint than the run's own student runs/NAME/test/FOLDER-FILE/report.html.
"""


def parser(command: str) -> ArgumentParser:
    """Return the parser of ``weclick validate`` or ``weclick test``."""
    made = ArgumentParser(prog=f"weclick {command}", description=DESCRIPTION, exit_on_error=False)
    made.add_argument(
        "--run", type=str | None, default=None, help="run to evaluate, by name or folder; default: newest"
    )
    made.add_argument("--runs", type=str, default=str(RUNS), help="folder of all runs")
    made.add_argument(
        "--stage", type=Literal["student", "teacher"] | None, default=None, help="which network; default: student"
    )
    made.add_argument(
        "--ckpt_path", type=str | None, default=None, help="this checkpoint instead of the run's own choice"
    )
    add_settings(made)
    return made


def main(command: str, arguments: list[str]) -> None:
    """Find the run, evaluate, print."""
    calm()
    arguments = resolve_configs(arguments)
    made = parser(command)
    if {"-h", "--help"} & set(arguments):
        made.parse_args(["--help"])
    run = _run(arguments)
    config = parse(made, ["--config", str(run.config), *arguments])
    settings = to_settings(made, config)
    split = "val" if command == "validate" else settings.make_data().evaluation_split
    chosen = (
        Chosen(Path(config.ckpt_path), "named on the command line")
        if config.ckpt_path
        else choose_checkpoint(run, config.stage or "student", split)
    )
    folder = results_folder(run, chosen) if command == "test" else None
    print(f"{command}: {chosen.path} ({chosen.reason}) on the {split} split of {settings.data['root']}")
    evaluation, module = evaluate(settings, run, chosen, split, folder=folder, stage=config.stage)
    print_table(evaluation, module.classes)
    if folder is not None:
        print(f"report: {folder / 'report.html'}")


def _run(arguments: list[str]) -> Run:
    """Find the run whose config is to be read, before the arguments are parsed for good."""
    runs = Path(option_value(arguments, "--runs") or RUNS)
    name, checkpoint = option_value(arguments, "--run"), option_value(arguments, "--ckpt_path")
    if name is not None:
        return Run.open(name, runs)
    if checkpoint is None:
        return Run.newest(runs, stage="teacher" if option_value(arguments, "--stage") == "teacher" else "student")
    for folder in Path(checkpoint).resolve().parents:
        if (folder / "config.yaml").is_file():
            return Run(folder)
    raise RunError(f"{checkpoint} lies in no run; name the run whose settings to use with --run")
