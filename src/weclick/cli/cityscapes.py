"""``weclick data cityscapes``: extract from Cityscapes' archives what a config needs."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from weclick.cli.help import Help, show_help
from weclick.cli.next_step import print_next
from weclick.cli.options import add_settings, option_value, parse, quiet_libraries, resolve_configs
from weclick.cli.parser import Parser
from weclick.cli.runs import resume_hint
from weclick.data.cityscapes_archives import SEQUENCE, archive_name
from weclick.data.extract_cityscapes import Extraction, Need, extract_cityscapes
from weclick.data.options import DataOptions
from weclick.reporting.progress import progress_bar

CONFIG: Final = "cityscapes.yaml"

DESCRIPTION: Final = """Extract from Cityscapes' archives only what a config needs: masks, labelled frames, their neighbours,
and the frames that `weclick test` measures temporal consistency with. Files that exist already are compared by size and CRC and
are not extracted again: after an interruption, repeat the command.
"""

EPILOG: Final = f"""Config, arm and options select the neighbours, as in weclick fit: --config MINE.yaml (default: {CONFIG}),
--arm weclick, --data.clips.neighbours 6. For several of them, repeat the command with each."""


def make_parser() -> Parser:
    """Return the parser of ``weclick data cityscapes``, with its own options only."""
    parser = Parser(prog="weclick data cityscapes", description=DESCRIPTION, epilog=EPILOG)
    parser.add_argument(
        "--from",
        type=str,
        required=True,
        help="folder with gtFine_trainvaltest.zip, leftImg8bit_trainvaltest.zip and leftImg8bit_sequence_trainvaltest.zip, "
        "also in folders of these names, also unpacked",
    )
    parser.add_argument(
        "--root",
        type=str | None,
        default=None,
        help=f"folder to extract to; default: data.root of the config (of {CONFIG}: CITYSCAPES_DATASET, else data/cityscapes)",
    )
    parser.add_argument(
        "--pairs",
        type=bool,
        default=True,
        help="also extract the frames before and after each labelled frame of val, for temporal consistency",
    )
    return parser


def main(arguments: list[str]) -> None:
    """Extract what the config needs and print what there is."""
    quiet_libraries()
    parser = make_parser()
    show_help(parser, arguments, Help(examples=("weclick data cityscapes --from DOWNLOADS --root data/cityscapes",)))
    add_settings(parser)
    named, root = option_value(arguments, "--config"), option_value(arguments, "--root")
    own, last = [] if named else ["--config", CONFIG], [f"--data.root={root}"] if root else []
    config = parse(parser, resolve_configs([*own, *arguments, *last]))
    data = DataOptions.of(config.clone(with_meta=False).data.as_dict(), "data")
    need = Need(data.clips, unlabelled=data.draws.unlabelled > 0, pairs=config.pairs)
    with resume_hint("the same command, which keeps what is extracted"), progress_bar("extract") as progress:
        extraction = extract_cityscapes(Path(config["from"]), Path(data.root), need, progress=progress)
    _print(extraction, need, data.root)
    print_next("fit", "--config", named or CONFIG, "--data.root", data.root)


def _print(extraction: Extraction, need: Need, root: str) -> None:
    options = need.clips
    print(
        f"{root}: {extraction.extracted} files extracted, {extraction.existing} existed already, "
        f"{extraction.size / 1e9:.2f} GB in all, for clips of {options.neighbours} neighbours (sides {options.sides}, "
        f"stride {options.stride})"
    )
    if extraction.short:
        print(
            f"{len(extraction.short)} labelled frames have fewer than {options.neighbours} neighbours in "
            f"{archive_name(SEQUENCE)}, first {extraction.short[0]}"
        )
