"""Run folders with one file damaged, missing or of another kind."""

from __future__ import annotations

from typing import Any

from .bad_clicks import GONE, entry
from .cases import DAMAGE, TEXT_DAMAGE, Case, Spoil, all_of, as_folder, change, change_json, put, remove
from .project import FIT

RUN = "runs/done"
RESUME = ("fit", "--resume", "done")
COMMANDS: dict[str, tuple[str, ...]] = {
    "resume": RESUME,
    "test": ("test", "--run", "done"),
    "predict": ("predict", "--run", "done", "--source", "film.mp4", "--max_frames", "1"),
    "package": ("package", "done", "--out", "new"),
    "memory": ("memory", "--run", "done"),
    "suggest": ("clicks", "suggest", "street", "--run", "done"),
    "newest": ("validate",),
}

FILES: dict[str, tuple[str, ...]] = {
    "config.yaml": ("resume", "test", "package", "memory", "newest"),
    "clicks.sqlite": ("resume",),
    "teacher/begun.json": ("resume",),
    "teacher/done.json": ("resume", "memory"),
    "teacher/last.ckpt": ("memory",),
    "memory/done.json": ("resume",),
    "memory/manifest.json": ("resume",),
    "student/begun.json": ("resume", "test"),
    "student/done.json": ("resume", "test", "predict"),
    "student/last.ckpt": ("test", "predict", "package", "suggest"),
    "student/metrics.csv": ("resume", "test"),
}
"""Files of a run, and the commands that read them."""

MAY_DO = ("begun.json", "metrics.csv", "memory/done.json", "student/done.json", "teacher/done.json", "clicks.sqlite")
"""What a command may do without, if it does not read it or can tell the same from other files."""

RECORDS: tuple[tuple[str, tuple[tuple[tuple[str | int, ...], tuple[Any, ...]], ...]], ...] = (
    ("student/done.json", (((), (None, 3, "text", [], {})), (("epochs",), (GONE, "many", None)), (("classes",), (GONE, 3)))),
    ("teacher/done.json", (((), (None, 3, "text", [], {})), (("teacher",), (3, [1])))),
    ("memory/manifest.json", (((), (None, 3, "text", [], {})), (("version",), (99, "x", None, GONE)),
                              (("size",), (3, None, GONE, [1, 1])),
                              (("classes",), (3, [], GONE)), (("teacher",), ("0", None, GONE)), (("clips",), (3, {}, GONE)))),
)  # fmt: skip
"""JSON files of a run, and values that are no values of theirs."""

STUDENT_BEGUN = remove(f"{RUN}/student/done.json")
UNFINISHED = all_of(STUDENT_BEGUN, remove(f"{RUN}/memory/done.json"))


def damaged() -> list[Case]:
    """Every file with every damage, read by the commands that need it."""
    cases = []
    for file, commands in FILES.items():
        binary = file.endswith((".ckpt", ".sqlite"))
        for name, damage in (DAMAGE if binary else TEXT_DAMAGE).items():
            for part in commands if name in ("empty", "cut in half", "text", "zeros") else commands[:1]:
                # a config that ends early may be one of fewer settings
                may = file.endswith(MAY_DO) or name in ("Latin-1", "cut before the end")
                cases.append(
                    Case(
                        "run folders",
                        f"{file} {name}: {part}",
                        COMMANDS[part],
                        change(f"{RUN}/{file}", damage),
                        (),
                        may,
                    )
                )
        for name, spoil in (("missing", remove(f"{RUN}/{file}")), ("a folder", as_folder(f"{RUN}/{file}"))):
            may = file.endswith(MAY_DO) or (file == "teacher/last.ckpt")
            cases.append(
                Case(
                    "run folders",
                    f"{file} {name}",
                    COMMANDS[commands[0]],
                    spoil,
                    (),
                    may or file == "memory/manifest.json",
                )
            )
    return cases


def wrong_values() -> list[Case]:
    """JSON files with values of another kind, read when a run is resumed."""
    return [
        Case("run folders: values", f"{file} {'.'.join(map(str, path))}: {'gone' if value is GONE else value!r}", RESUME,
             change_json(f"{RUN}/{file}", entry(*path, value=value)), (), True)
        for file, entries in RECORDS for path, values in entries for value in values
    ]  # fmt: skip


def unfinished() -> list[Case]:
    """Files that are read only by a stage that goes on."""
    files: dict[str, Spoil] = {}
    for name, damage in DAMAGE.items():
        files[f"teacher/last.ckpt {name}"] = change(f"{RUN}/teacher/last.ckpt", damage)
        files[f"student/last.ckpt {name}"] = change(f"{RUN}/student/last.ckpt", damage)
        files[f"memory/a/2.npz {name}"] = change(f"{RUN}/memory/a/2.npz", damage)
    files["student/last.ckpt a folder"] = as_folder(f"{RUN}/student/last.ckpt")
    files["the data set gone"] = remove("street")
    files["another data set"] = put("street/classes.yaml", "[ground, bus]")
    cases = []
    for name, spoil in files.items():
        begun = STUDENT_BEGUN if "student" in name else UNFINISHED
        harmless = "npz" in name or "teacher" in name  # a memory item that is damaged may be made again
        cases.append(Case("run folders: unfinished", name, RESUME, all_of(begun, spoil), (), harmless))
    return cases


def links() -> list[Case]:
    """Names of runs that are no runs."""
    begin = (*FIT, "--resume")
    return [
        Case(
            "run folders",
            "a link to itself",
            ("test", "--run", "loop"),
            lambda f: (f / "runs/loop").symlink_to("loop"),
            ("loop",),
        ),
        Case("run folders", "a file", ("test", "--run", "note"), put("runs/note", "x"), ("note",)),
        Case("run folders", "the folder of all runs", ("test", "--run", "runs"), words=("runs",)),
        Case("run folders", "a stage", ("test", "--run", "runs/done/student"), words=("student",)),
        Case("run folders", "another arm", (*RESUME, "--arm", "full"), words=("arm",), harmless=True),
        Case("run folders", "another teacher", (*RESUME, "--teacher.network.width", "32"), words=("teacher",)),
        Case("run folders", "another size", (*RESUME, "--data.size", "[32,64]"), words=("size",)),
        Case("run folders", "a name of a file", (*begin, "clicks.csv"), words=("clicks.csv",)),
    ]


CASES = (*damaged(), *wrong_values(), *unfinished(), *links())
