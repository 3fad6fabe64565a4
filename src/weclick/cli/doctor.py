"""``weclick doctor``."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

from weclick.cli.help import Help, show_help
from weclick.cli.parser import Parser

DESCRIPTION = """Examine what usually goes wrong: versions of packages, devices, folders, video codecs, shared memory, tracking.

Every line starts with ok, warning or problem, and ends with what to do. Exit status 1 if there is a problem. Nothing is changed,
and nothing is contacted.
"""


def make_parser() -> Parser:
    """Return the parser of ``weclick doctor``."""
    parser = Parser(prog="weclick doctor", description=DESCRIPTION)
    parser.add_argument("--root", type=str | None, default=None, help="folder of a data set, to read all its files too")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of lines")
    return parser


def main(command: str, arguments: list[str]) -> int:
    """Examine and print."""
    parser = make_parser()
    show_help(parser, arguments, Help(examples=("weclick doctor", "weclick doctor --root mydata")))
    config = parser.parse_args(arguments)
    from weclick.pipeline.doctor.examine import examine, examine_data  # its imports are not needed for the help

    print("examining this machine; loading PyTorch takes some seconds", file=sys.stderr, flush=True)
    findings = []
    for finding in examine():
        findings.append(finding)
        if not config.json:
            print(finding, flush=True)
    if config.root is not None:
        findings.append(examine_data(Path(config.root)))
        if not config.json:
            print(findings[-1])
    healthy = all(finding.state != "problem" for finding in findings)
    if config.json:
        print(json.dumps({"ok": healthy, "findings": [asdict(finding) for finding in findings]}, indent=2))
    return 0 if healthy else 1
