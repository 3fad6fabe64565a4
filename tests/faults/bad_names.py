"""Names of options that are abbreviated, misspelt or without a value."""

from __future__ import annotations

from .bad_options import ANNOTATE, PREDICT, SIMULATE, SUGGEST, SYNTHETIC
from .cases import Case
from .project import FIT

SPELT = (
    (PREDICT, "--max_frames", "3"),
    (PREDICT, "--compare", "true"),
    (SYNTHETIC, "--frames", "4"),
    (SIMULATE, "--min_area", "20"),
    (SUGGEST, "--count", "3"),
    (ANNOTATE, "--annotator", "ann"),
    (("start", "film.mp4"), "--project", "new"),
    (("test",), "--pairs", "3"),
    (("validate",), "--stage", "teacher"),
    (("memory",), "--split", "val"),
    (("export",), "--formats", "onnx"),
    (("package", "done"), "--licence", "mit"),
    (("clicks", "import", "street", "clicks.csv"), "--replace", "true"),
    (("clicks", "export", "street", "out.csv"), "--format", "csv"),
    (("clicks", "check", "street"), "--layout", "folder"),
    (("clicks", "stats", "street"), "--store", "x"),
    (("clicks", "labels", "street", "out"), "--sure", "0.5"),
    (("data", "check", "street"), "--layout", "folder"),
    (("data", "camvid", "new", "--from", "street"), "--reach", "2"),
    (("data", "cityscapes", "--from", "street"), "--pairs", "true"),
    (("benchmark", "student"), "--rounds", "2"),
    (("benchmark", "video", "--source", "film.mp4"), "--rounds", "2"),
    (("ablate", "--data.root", "street"), "--seeds", "0"),
    (("budget", "--data.root", "street"), "--clicks", "2"),
    (("doctor",), "--root", "street"),
    (("init", "new", "--videos", "film.mp4"), "--classes", "road"),
    (FIT, "--teacher_epochs", "1"),
    (FIT, "--memory.flow", "dis"),
)
"""A command, and an option of it with a value that is right."""


def misspelt() -> list[Case]:
    """Every option abbreviated, with two letters exchanged, and without its value."""
    cases = []
    for command, option, value in SPELT:
        swapped = f"{option[:-2]}{option[-1]}{option[-2]}" if option[-1] != option[-2] else f"{option}x"
        for name, end in (
            ("abbreviated", (option[:-1], value)),
            ("misspelt", (swapped, value)),
            ("without a value", (option,)),
        ):
            word = end[0].removeprefix("--")
            cases.append(
                Case("names of options", f"{option} {name}: {' '.join(command[:2])}", (*command, *end), words=(word,))
            )
    return cases


CASES = tuple(misspelt())
