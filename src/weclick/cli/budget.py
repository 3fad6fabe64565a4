"""``weclick budget``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from jsonargparse import Namespace

from weclick.cli.ablate import (
    add_comparison,
    arms_of,
    comparison_folder,
    make_row,
    print_places,
    refuse_single,
    seeds_of,
)
from weclick.cli.help import Help
from weclick.cli.options import add_settings, parse, quiet_libraries, resolve_configs, show_settings_help
from weclick.cli.parser import Parser
from weclick.cli.runs import resume_hint
from weclick.errors import ConfigError

if TYPE_CHECKING:
    from weclick.pipeline.ablation import Row

DESCRIPTION = """Train arms of the method from fewer and fewer clicks, and plot mIoU against the number of clicks.

Two curves: fewer of the clicked frames with all their clicks, and fewer clicks in all clicked frames. Rows with fewer
frames train more epochs, so that all rows take the same number of steps. Runs go to
runs/NAME/ARM[-fSHARE|-cCLICKS]-sSEED. Run the same command again to resume after an interruption; more budgets can be
added, finished runs are reused.
"""

HELP: Final = Help(
    often=(
        *("config", "data.root", "arms", "frames", "clicks", "seeds", "name", "runs"),
        *("data.size", "data.batch_size", "trainer.max_epochs", "trainer.accelerator"),
    ),
    examples=("weclick budget --config camvid.yaml --frames 0.25,1 --clicks 5,all",),
)


def make_parser() -> Parser:
    """Return the parser of ``weclick budget``."""
    parser = Parser(prog="weclick budget", description=DESCRIPTION)
    add_comparison(parser, "clicks,weclick", "budget")
    parser.add_argument("--frames", type=str, default="0.1,0.25,0.5,1", help="shares of the clicked frames to use")
    parser.add_argument("--clicks", type=str, default="2,5,10,all", help="clicks per frame to use")
    add_settings(parser)
    return parser


def main(command: str, arguments: list[str]) -> None:
    """Train a run for each arm, budget and seed and print the tables."""
    quiet_libraries()
    arguments = resolve_configs(arguments)
    show_settings_help(make_parser(), arguments, HELP)
    refuse_single(arguments)
    config = parse(make_parser(), arguments)
    arms, seeds, budgets = arms_of(config), seeds_of(config), budgets_of(config)
    from weclick.pipeline.ablation import budget

    rows = [
        make_row(
            make_parser(), [*arguments, *budget_arguments(config, *point)], arm, seed, f"{arm}{suffix(*point)}-s{seed}"
        )
        for seed in seeds
        for point in budgets
        for arm in arms
    ]
    folder = comparison_folder(config, arguments, command)
    with resume_hint("the same command"):
        outcomes = budget([row for row in rows if not _limits_clicks_of_masks(row)], folder)
    print(f"\n{(folder / 'curves.md').read_text(encoding='utf-8')}")
    print_places(outcomes, folder / "curves.png")


def _limits_clicks_of_masks(row: Row) -> bool:
    """Return whether a row has fewer clicks per frame but learns from masks, so that it would repeat another row."""
    data = row.settings.data
    return data.supervision == "masks" and data.clicks.per_frame is not None


def budgets_of(config: Namespace) -> list[tuple[float, int | None]]:
    """Return (share of frames, clicks per frame or None for all) of each point of both curves, without repeats."""
    shares = [_share(text) for text in config.frames.split(",")]
    counts = [_count(text) for text in config.clicks.split(",")]
    return list(dict.fromkeys([*((share, None) for share in shares), *((1.0, count) for count in counts)]))


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = 0.0
    if not 0 < share <= 1:
        raise ConfigError(
            f"--frames {text!r} must be shares above 0, at most 1, with commas between, such as 0.1,0.5,1"
        )
    return share


def _count(text: str) -> int | None:
    if text.strip() == "all":
        return None
    if not text.strip().isdecimal() or int(text) < 1:
        raise ConfigError(
            f"--clicks {text!r} must be whole numbers from 1, or all, with commas between, such as 2,5,all"
        )
    return int(text)


def suffix(share: float, count: int | None) -> str:
    """Return the part of a run's name for a budget; empty for all clicks of all frames, as in ``weclick ablate``."""
    return (f"-f{share:g}" if share < 1 else "") + (f"-c{count}" if count is not None else "")


def budget_arguments(config: Namespace, share: float, count: int | None) -> list[str]:
    """Return the options of a budget; options in epochs grow as frames get fewer, so that the steps stay the same."""
    epochs = {
        "trainer.max_epochs": config.trainer.max_epochs,
        "trainer.check_val_every_n_epoch": config.trainer.check_val_every_n_epoch,
        "teacher_epochs": config.teacher_epochs,
    }
    return [
        f"--data.clicks.frame_share={share}",
        f"--data.clicks.per_frame={'null' if count is None else count}",
        *(f"--{name}={round(number / share)}" for name, number in epochs.items() if number is not None and number > 0),
    ]
