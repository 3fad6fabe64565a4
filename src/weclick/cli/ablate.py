"""``weclick ablate``."""

from __future__ import annotations

from pathlib import Path

from jsonargparse import ArgumentParser

from weclick.cli.options import add_settings, calm, dump, option_value, parse, resolve_configs, to_settings
from weclick.errors import ConfigError
from weclick.modules import ARMS
from weclick.pipeline.ablate import ablate, table_markdown
from weclick.pipeline.run import RUNS
from weclick.pipeline.settings import FitSettings

DESCRIPTION = """Train several arms of the method under one equal budget and compare them in one table.

Runs go to runs/NAME/ARM-sSEED; arms of a seed share one teacher and one memory. Call it again to go on after an
interruption, or to add arms and seeds: what is finished is reused.
"""


def parser() -> ArgumentParser:
    """Return the parser of ``weclick ablate``."""
    made = ArgumentParser(prog="weclick ablate", description=DESCRIPTION, exit_on_error=False)
    made.add_argument("--arms", type=str, default="clicks,weclick,full", help=f"arms to compare, of {','.join(ARMS)}")
    made.add_argument("--seeds", type=str, default="0", help="seeds, such as 0,1,2")
    made.add_argument("--name", type=str | None, default=None, help="folder of the comparison; default: ablate-CONFIG")
    made.add_argument("--runs", type=str, default=str(RUNS), help="folder of all runs")
    add_settings(made)
    return made


def main(command: str, arguments: list[str]) -> None:
    """Parse, train, print the table."""
    calm()
    arguments = resolve_configs(arguments)
    made = parser()
    config = parse(made, arguments)
    arms = [name.strip() for name in config.arms.split(",") if name.strip()]
    unknown = [name for name in arms if name not in ARMS]
    if unknown or not arms:
        raise ConfigError(
            f"--arms {config.arms}: unknown {', '.join(unknown) or 'nothing'}; choose of {', '.join(ARMS)}"
        )
    try:
        seeds = [int(seed) for seed in config.seeds.split(",")]
    except ValueError:
        raise ConfigError(f"--seeds {config.seeds} must be whole numbers with commas between, such as 0,1,2") from None
    given = option_value(arguments, "--config")
    folder = Path(config.runs) / (config.name or f"ablate-{Path(given).stem if given else 'run'}")

    def text(settings: FitSettings) -> str:
        changed = config.clone()
        changed.arm, changed.seed = settings.arm, settings.seed
        changed.teacher_checkpoint, changed.memory.folder = settings.teacher_checkpoint, settings.memory.folder
        return dump(made, changed)

    results = ablate(to_settings(made, config), arms, seeds, folder, text)
    print(f"\n{table_markdown(results)}")
    for result in results:
        print(f"report of {result.arm}, seed {result.seed}: {result.report}")
