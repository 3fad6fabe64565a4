"""Wrong paths and values of options, for every command."""

from __future__ import annotations

from .cases import Case, Spoil, all_of, put, untouched
from .project import FIT

PATH = "PATH"
"""Stands for the path that a case puts in its place."""

TAKES_PATH: tuple[tuple[str, ...], ...] = (
    ("start", PATH, "--open", "false"),
    ("init", "new", "--videos", PATH, "--classes", "road,car"),
    (*FIT, "--data.root", PATH),
    (*FIT, "--resume", PATH),
    (*FIT, "--data.clips.neighbours=1", "--teacher_checkpoint", PATH),
    (*FIT, "--data.clicks.store", PATH),
    ("fit", "--config", PATH),
    ("validate", "--run", PATH),
    ("test", "--run", PATH),
    ("test", "--ckpt_path", PATH),
    ("test", "--run", "done", "--data.root", PATH),
    ("memory", "--run", PATH),
    ("predict", "--run", "done", "--source", PATH),
    ("predict", "--run", PATH, "--source", "film.mp4"),
    ("predict", "--ckpt_path", PATH, "--source", "film.mp4"),
    ("export", "--run", PATH),
    ("export", "--ckpt_path", PATH),
    ("package", PATH),
    ("annotate", PATH, "--open", "false"),
    ("annotate", "street", "--open", "false", "--run", PATH),
    ("clicks", "simulate", PATH),
    ("clicks", "import", PATH, "clicks.csv"),
    ("clicks", "import", "street", PATH, "--store", "other.sqlite"),
    ("clicks", "export", PATH, "out.csv"),
    ("clicks", "export", "street", "out.csv", "--store", PATH),
    ("clicks", "labels", PATH, "out"),
    ("clicks", "labels", "street", "out", "--store", PATH),
    ("clicks", "check", PATH),
    ("clicks", "check", "street", "--store", PATH),
    ("clicks", "stats", PATH),
    ("clicks", "stats", "street", "--store", PATH),
    ("clicks", "suggest", PATH),
    ("clicks", "suggest", "street", "--run", PATH),
    ("data", "check", PATH),
    ("data", "camvid", "out", "--from", PATH),
    ("data", "cityscapes", "--from", PATH, "--root", "out"),
    ("benchmark", "student", "--run", PATH),
    ("benchmark", "train", "--data.root", PATH),
    ("benchmark", "memory", "--data.root", PATH),
    ("benchmark", "video", "--source", PATH),
    ("benchmark", "video", "--source", "film.mp4", "--run", PATH),
    ("ablate", "--data.root", PATH),
    ("budget", "--data.root", PATH),
    ("doctor", "--root", PATH),
)
"""Each command with each option that names something to read."""

PATHS: dict[str, tuple[str, Spoil]] = {
    "missing": ("nowhere", untouched),
    "missing, with spaces": ("no where/ü 東京", untouched),
    "an empty folder": ("empty folder", lambda folder: (folder / "empty folder").mkdir()),
    "a folder of other files": ("papers", all_of(put("papers/a.txt", "text"), put("papers/b.pdf", "%PDF-1.4"))),
    "a file of text": ("notes.txt", put("notes.txt", "what to buy: 3 apples\n")),
    "an empty file": ("empty.mp4", put("empty.mp4", "")),
}
"""Paths that lead to nothing useful, and how they are made."""


NOT_CAMVID = ("empty folder", "papers", "empty.mp4")
"""Paths of which ``data camvid``, which takes several, says only that no CamVid is in them."""


def wrong_paths() -> list[Case]:
    """Every command with every path."""
    return [
        Case(
            "paths",
            f"{name} for {' '.join(part for part in command[:2] if part != PATH)} {before(command)}",
            tuple(path if part == PATH else part for part in command),
            spoil,
            ("CamVid",) if "camvid" in command and path in NOT_CAMVID else (path,),
            report=command[0] == "doctor",
        )
        for command in TAKES_PATH
        for name, (path, spoil) in PATHS.items()
    ]


def before(command: tuple[str, ...]) -> str:
    """Return the option, or the argument's position, that takes the path."""
    place = command.index(PATH)
    return command[place - 1] if command[place - 1].startswith("--") else f"argument {place}"


OUTPUTS: tuple[tuple[str, ...], ...] = (
    ("init", PATH, "--videos", "film.mp4", "--classes", "road,car"),
    (*FIT, "--runs", PATH),
    ("predict", "--run", "done", "--source", "film.mp4", "--out", PATH),
    ("export", "--run", "done", "--formats", "onnx", "--out", PATH),
    ("package", "done", "--out", PATH),
    ("data", "synthetic", PATH, "--train", "1", "--val", "1"),
    ("data", "camvid", PATH, "--from", "street"),
)
"""Each command that writes a folder."""


def wrong_outputs() -> list[Case]:
    """A file where a folder is to be made, and below a file."""
    paths = {"a file for a folder": "clicks.csv", "a folder below a file": "clicks.csv/out"}
    return [
        Case("outputs", f"{name}: {' '.join(command[:2])}", tuple(path if part == PATH else part for part in command))
        for command in OUTPUTS
        for name, path in paths.items()
    ] + [
        Case("outputs", "a folder that is not ours", ("package", "done", "--out", "street"), words=("street",)),
        Case(
            "outputs",
            "a project that exists",
            ("init", "street", "--videos", "film.mp4", "--classes", "road,car"),
            words=("street",),
        ),
        Case("outputs", "a run that exists", (*FIT, "--name", "done"), words=("done", "--resume")),
        Case(
            "outputs", "a folder for a file", ("clicks", "export", "street", "runs", "--format", "csv"), words=("runs",)
        ),
        Case("outputs", "a folder for a list", ("clicks", "suggest", "street", "--out", "runs"), words=("runs",)),
    ]


NOT_NUMBERS = ("many", "nan", "inf", "-inf", "1e999", "[1]", "")
PREDICT = ("predict", "--run", "done", "--source", "film.mp4")
SYNTHETIC = ("data", "synthetic", "new")
SUGGEST = ("clicks", "suggest", "street", "--run", "done")
SIMULATE = ("clicks", "simulate", "street", "--out", "new.sqlite")
ANNOTATE = ("annotate", "street", "--open", "false", "--port", "0")
EXPORT = ("export", "--run", "done", "--formats", "onnx")

VALUES: tuple[tuple[tuple[str, ...], str, tuple[str, ...]], ...] = (
    (PREDICT, "alpha", (*NOT_NUMBERS, "-0.1", "1.5")),
    (PREDICT, "smooth", (*NOT_NUMBERS, "-0.1", "1")),
    (PREDICT, "stride", (*NOT_NUMBERS, "0", "-1", "1.5")),
    (PREDICT, "max_frames", ("many", "nan", "0", "-1")),
    (PREDICT, "labels", ("perhaps", "2")),
    (PREDICT, "source", ("camera:x", "camera:-1", "camera:99", "rtsp://", "ftp://host/x", "")),
    (SYNTHETIC, "train", ("many", "nan", "-1")),
    (SYNTHETIC, "val", ("-1",)),
    (SYNTHETIC, "frames", ("0", "-1", "nan")),
    (SYNTHETIC, "target", ("12", "-1")),
    (SYNTHETIC, "size", ("[0,0]", "[64]", "64", "[-64,128]", "[nan,1]", "[1000000,1000000]", "[1,2,3]")),
    (SYNTHETIC, "seed", ("-1", "x")),
    (SIMULATE, "rule", ("best", "")),
    (SIMULATE, "min_area", ("0", "-1", "nan", "many")),
    (SIMULATE, "split", ("all", "")),
    (SIMULATE, "seed", ("-1",)),
    ((*SIMULATE, "--rule", "corrective"), "per_frame", ("0", "-1")),
    (SIMULATE, "layout", ("voc", "os.system", "a:b")),
    (SUGGEST, "count", ("0", "-1", "nan")),
    (SUGGEST, "most", ("0", "-1")),
    (ANNOTATE, "port", ("-1", "70000", "http")),
    (ANNOTATE, "goal", ("0", "-1", "nan")),
    (ANNOTATE, "preview_cache", ("-1", "nan", "inf")),
    (ANNOTATE, "host", ("not a host", "999.1.1.1")),
    (("start", "film.mp4", "--open", "false"), "port", ("-1", "70000", "http")),
    (("start", "film.mp4", "--open", "false"), "goal", ("0", "-1")),
    (("test", "--run", "done"), "pairs", ("-1", "nan", "many")),
    (("test", "--run", "done"), "stage", ("memory", "pupil")),
    (("memory", "--run", "done"), "max_frames", ("0", "-1")),
    (("memory", "--run", "done"), "split", ("all",)),
    (EXPORT, "size", ("[0,0]", "[64]", "[-32,64]", "[1000000,1000000]", "large")),
    (EXPORT, "formats", ("tensorrt", "", "onnx;openvino")),
    (EXPORT, "max_drop", ("nan", "-1", "much")),
    (("clicks", "labels", "street", "out"), "sure", ("nan", "-0.1", "1.1", "very")),
    (("benchmark", "student"), "rounds", ("0", "-1")),
    (("benchmark", "video", "--source", "film.mp4"), "rounds", ("0", "-1", "nan")),
    (("benchmark", "train", "--data.root", "street"), "steps", ("0", "-1")),
    (("benchmark", "memory", "--data.root", "street"), "targets", ("0", "-1")),
    (("ablate", "--data.root", "street"), "arms", ("best", "", ",")),
    (("ablate", "--data.root", "street"), "seeds", ("one", "", "-1", "0.5")),
    (("budget", "--data.root", "street"), "frames", ("0", "-1", "2", "nan", "few")),
    (("budget", "--data.root", "street"), "clicks", ("0", "-1", "few", "1.5")),
    (("data", "camvid", "new", "--from", "street"), "reach", ("-1", "far")),
    (("data", "camvid", "new", "--from", "street"), "size", ("[0,0]", "[64]", "big")),
    (("data", "camvid", "new", "--from", "clicks.csv"), "sha256", ("12", "z" * 64)),
    (("init", "new", "--videos", "film.mp4"), "classes", ("", "road,road", "road,Road", ",", "road,")),
    (("init", "new", "--videos", "film.mp4", "--classes", "road,car"), "things", ("bus", "Car")),
    (FIT, "data.size", ("[0,0]", "[64]", "x", "[1000000,1000000]", "[nan,64]")),
    (FIT, "data.batch_size", ("0", "-1", "nan", "1.5")),
    (FIT, "data.workers", ("-1", "many")),
    (FIT, "data.draws.flip", ("nan", "-0.1", "2")),
    (FIT, "data.draws.scale", ("[0,1]", "[2,1]", "[nan,1]", "1")),
    (FIT, "data.clicks.radius", ("-1", "nan", "inf")),
    (FIT, "data.clicks.held_out", ("-0.1", "1.1", "nan")),
    (FIT, "data.layout", ("voc", "os.system", "weclick.data.index.Layout")),
    (FIT, "student.optimiser.learning_rate", ("nan", "inf", "0", "-1", "fast")),
    (FIT, "student.terms.kd.weight", ("nan", "inf", "-1")),
    (FIT, "student.terms.kd.temperature", ("0", "nan", "inf")),
    (FIT, "student.network.encoder", ("resnet9", "tu-hf-hub:a/b", "hf-hub:a/b", "../x", "")),
    (FIT, "student.network.width", ("0", "-1", "nan", "1000000000")),
    (FIT, "student.network.weights", ("imagenet22", "https://host/x.pth", "nowhere.pth")),
    (FIT, "teacher.terms.extra", ('[{"class_path": "os.system", "init_args": {"command": "touch executed"}}]', "x")),
    (FIT, "trainer.callbacks", ('[{"class_path": "os.system", "init_args": {"command": "touch executed"}}]', "x")),
    (FIT, "memory.flow", ("lucas", "os.system")),
    (FIT, "memory.flow_scale", ("0", "nan", "-1")),
    (FIT, "memory.fusion.decay", ("nan", "-1")),
    (FIT, "trainer.max_epochs", ("0", "-1", "nan", "1.5", "null")),
    (FIT, "trainer.precision", ("17", "bf16-true")),
    (FIT, "seed", ("-1", "nan", "99999999999999999999")),
    (FIT, "shard", ("2/2", "a/b", "0/0", "-1/2")),
    (FIT, "stage", ("pupil",)),
    (FIT, "arm", ("best",)),
    (FIT, "name", ("../out", "a/b", "", ".hidden", "a\nb", "x" * 300)),
    (("fit", "--import", "no_such_module_of_mine"), "seed", ("1",)),
)
"""A command, one of its options, and values that it must refuse."""


def wrong_values() -> list[Case]:
    """Every value of the table."""
    return [
        Case(
            "values of options",
            f"{' '.join(command[:2])} {option}={value!r}"[:80],
            (*command, f"--{option}={value}"),
            words=(names(option),),
        )
        for command, option, values in VALUES
        for value in values
    ]


BY_VALUE = {
    "source",
    "layout",
    "host",
    "seed",
    "seeds",
    "formats",
    "weights",
    "callbacks",
    "extra",
    "classes",
    "things",
    "size",
    "width",
}
"""Options whose refusals name what is wrong with the value: the network, the class, the device."""


def names(option: str) -> str:
    """Return what a message must contain about an option: the last part of its name, or nothing where it names the value."""
    last = option.rpartition(".")[2]
    return "" if last in BY_VALUE else last


CASES = (*wrong_paths(), *wrong_outputs(), *wrong_values())
