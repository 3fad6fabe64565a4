"""Configs, files of classes and of splits that are wrong."""

from __future__ import annotations

from .cases import TEXT_DAMAGE, Case, Spoil, all_of, as_folder, change, put, remove
from .project import FIT

CHECK = ("data", "check", "street")
CONFIG = ("fit", "--config", "mine.yaml")

KEYS: dict[str, tuple[str, ...]] = {
    "seed": ("one", "[1]", "null"),
    "arm": ("3", "[kd]", "null"),
    "teacher_epochs": ("few", "{a: 1}"),
    "teacher_rounds": ("null", "0", "1.5"),
    "teacher_checkpoint": ("[a.ckpt]",),
    "data": ("3", "[street]", "null"),
    "data.root": ("[street]", "3", "null", "{a: b}"),
    "data.size": ("64", "[64]", "[a, b]", "{h: 1}"),
    "data.batch_size": ("null", "[2]", "2.5", "true"),
    "data.workers": ("all", "-3"),
    "data.clicks": ("3", "[a]"),
    "data.clicks.store": ("[a]", "nowhere.sqlite"),
    "data.clicks.radius": ("wide", "null", ".inf"),
    "data.clips.neighbours": ("null", "1.5", "[1]"),
    "data.clips.sides": ("left", "null"),
    "data.draws.crop": ("64", "[64, 65]", "[64, 64, 64]"),
    "data.draws.flip": ("yes", "null", ".nan"),
    "teacher": ("3", "[x]"),
    "teacher.network.name": (
        "null",
        "[light]",
    ),
    "student.network.strides": ("4", "[4, a]", "null"),
    "student.network.compile": ("maybe", "3"),
    "student.optimiser": ("adam", "3"),
    "student.optimiser.learning_rate": ("null", "[0.1]", "0"),
    "student.terms": ("3", "[kd]"),
    "student.terms.kd": ("1.0", "[1]"),
    "student.terms.extra": ("3", "[3]"),
    "memory.mode": ("tape", "null"),
    "memory.views": ("perhaps", "null"),
    "memory.fusion": ("1", "[1]"),
    "tracking.wandb": ("always", "null"),
    "trainer": ("3", "[x]"),
    "trainer.max_epochs": ("[1]", "1.5", "{a: 1}"),
    "trainer.devices": ("many", "[a]", "{}"),
    "trainer.callbacks": ("3", "{class_path: os.system}", "[{class_path: no.such.Thing}]"),
}
"""Keys of a config, and values that are no values of them."""


def config(text: str | bytes) -> Spoil:
    """Write mine.yaml."""
    return put("mine.yaml", text)


def nested(key: str, value: str) -> str:
    """Return YAML that sets one key, with its groups around it, and the data set's root."""
    parts = key.split(".")
    lines = [f"{'  ' * depth}{part}:" for depth, part in enumerate(parts)]
    lines[-1] += f" {value}"
    root = ["data:", "  root: street"]
    if parts[0] == "data":
        return "\n".join(lines if len(parts) == 1 or key == "data.root" else [lines[0], root[1], *lines[1:]]) + "\n"
    return "\n".join([*root, *lines]) + "\n"


def wrong_keys() -> list[Case]:
    """Every key with every value."""
    return [
        Case("configs: values", f"{key}: {value}", CONFIG, config(nested(key, value)), (key.rpartition(".")[2],))
        for key, values in KEYS.items()
        for value in values
    ]


BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)
VALID = "data:\n  root: street\ntrainer:\n  max_epochs: 1\n"

CONFIGS: dict[str, tuple[str | bytes, tuple[str, ...]]] = {
    "a syntax error": ("data: [1, 2", ("mine.yaml",)),
    "two documents": ("data: {root: street}\n---\ndata: {root: x}\n", ("mine.yaml",)),
    "a tab": ("data:\n\troot: street\n", ("mine.yaml",)),
    "a list": ("- data\n- root\n", ("mine.yaml",)),
    "a number": ("3\n", ("mine.yaml",)),
    "text": ("train my videos please\n", ("mine.yaml",)),
    "nothing but comments": ("# data:\n", ("mine.yaml",)),
    "no root": ("arm: kd\n", ("data.root",)),
    "aliases": (BOMB, ("mine.yaml",)),
    "aliases below a key": ("data:\n  root: street\n" + BOMB, ("mine.yaml",)),
    "an alias of itself": ("data: &a\n  root: *a\n", ("mine.yaml",)),
    "an unknown alias": ("data: *b\n", ("mine.yaml",)),
    "nested 500 times": ("[" * 500, ("mine.yaml",)),
    "nested 100000 times": ("data: " + "{a: " * 100_000, ("mine.yaml",)),
    "UTF-16": (VALID.encode("utf-16"), ()),
    "Latin-1": ("data:\n  root: Straße\n".encode("latin-1"), ("mine.yaml",)),
    "a NUL byte": ("data:\n  root: str\0eet\n", ("mine.yaml",)),
    "a NUL in a string": ('data:\n  root: "str\\0eet"\n', ()),
    "code": ("data: !!python/object/apply:os.system ['touch executed']\n", ("mine.yaml",)),
    "code in a value": ("data:\n  root: !!python/object/apply:os.system ['touch executed']\n", ("mine.yaml",)),
    "a tag of its own": ("data: !include other.yaml\n", ("mine.yaml",)),
    "a date": ("data:\n  root: 2026-02-30\n", ("mine.yaml",)),
    "a number of 5000 digits": (f"data:\n  root: street\nseed: {'9' * 5000}\n", ("mine.yaml",)),
    "keys that are numbers": ("1: 2\ndata: {root: street}\n", ("1",)),
    "keys that are lists": ("? [a, b]\n: 2\n", ("mine.yaml",)),
    "a key of nothing": ("null: 2\ndata: {root: street}\n", ()),
    "a key twice": ("data: {root: nowhere}\ndata: {root: nowhere2}\n", ("nowhere",)),
    "an unknown key": (f"{VALID}paint: 1\n", ("paint",)),
    "an unknown key in a group": (f"{VALID}  max_epochz: 1\n", ("max_epochz",)),
    "an unknown group": (f"{VALID}model: {{name: light}}\n", ("model",)),
    "a key with a dot": (f"{VALID}data.batch: 3\n", ("data.batch",)),
    "init_args": ("data:\n  root: street\n  init_args: {batch_size: 2}\n", ("init_args",)),
    "itself": ("config: mine.yaml\ndata: {root: street}\n", ("mine.yaml",)),
    "itself as a part": ("data: mine.yaml\n", ("mine.yaml",)),
    "itself as another part": (f"{VALID}student: mine.yaml\n", ()),
    "a part that is missing": ("data: data/gone.yaml\n", ("gone.yaml",)),
    "a part that is a folder": ("data: street.yaml\n", ("street.yaml",)),
    "a part that is a film": (f"{VALID}student: film.mp4\n", ("film.mp4",)),
    "an address": ("data: https://example.org/data.yaml\n", ("https://example.org/data.yaml",)),
    "a program for lightning": (f"{VALID}class_path: os.system\n", ("class_path",)),
    "2 MB": ("# " + "x" * (2 << 20), ("mine.yaml",)),
}

PARTS = (
    *(
        Case("configs", name, CONFIG, config(f"{VALID}{text}"), (word,))
        for name, text, word in (
            ("code for a network", "teacher: {network: {name: {class_path: os.system}}}\n", "os.system"),
            (
                "a program for a network",
                "student: {network: {name: {class_path: subprocess.Popen}}}\n",
                "subprocess.Popen",
            ),
            ("code for a loss", "student: {terms: {extra: [{class_path: os.system}]}}\n", "os.system"),
            ("arguments for no loss", "student: {terms: {extra: [{init_args: {}}]}}\n", "init_args"),
            ("a part of text", "student: text\n", "text"),
            ("a teacher that is missing", "teacher_checkpoint: nowhere.ckpt\n", "nowhere.ckpt"),
        )
    ),
    Case(
        "configs",
        "another includes it",
        CONFIG,
        all_of(config("data: other.yaml\n"), put("other.yaml", "data: mine.yaml\n")),
    ),
    Case("configs", "a folder", CONFIG, lambda folder: (folder / "mine.yaml").mkdir(), ("mine.yaml",)),
    Case(
        "configs",
        "a link to itself",
        CONFIG,
        lambda folder: (folder / "mine.yaml").symlink_to("mine.yaml"),
        ("mine.yaml",),
    ),
    Case("configs", "a part given as text", (*FIT, "--data", "{root: [1"), words=("data",)),
    Case("configs", "a part that is a number", (*FIT, "--student", "3"), words=("config 3",)),
    Case("configs", "text for a config", ("fit", "--config", "{data: 1"), words=("config",)),
    Case("configs", "a config of JSON", ("fit", "--config", '{"data": ["street"]}'), words=("data",)),
    Case("configs", "no file", ("fit", "--config", ""), words=("config",)),
    *(
        Case(f"configs, {command[0]}", name, (*command, "--config", "mine.yaml"), config(text), words)
        for command in (("ablate",), ("budget",), ("data", "cityscapes", "--from", "street"), ("benchmark", "train"))
        for name, text, words in (
            ("a syntax error", "data: [1, 2", ("mine.yaml",)),
            ("an unknown key", "data: {root: street}\npaint: 1\n", ("paint",)),
            ("a wrong value", "data: {root: street, batch_size: x}\n", ("batch_size",)),
            ("aliases", BOMB, ("mine.yaml",)),
        )
    ),
)

CLASSES: dict[str, str | bytes] = {
    "empty list": "[]\n",
    "nothing": "",
    "a name twice": "[ground, car, car]\n",
    "names that differ in case": "[ground, Ground]\n",
    "names that YAML reads as false": "[ground, no]\n",
    "names that are numbers": "[ground, 12]\n",
    "an empty name": "[ground, '']\n",
    "a name of spaces": "[ground, '  ']\n",
    "nothing for a name": "[ground, null]\n",
    "a list for a name": "[ground, [car]]\n",
    "no name": "- {color: [1, 2, 3]}\n",
    "colours of two values": "- {name: ground, color: [1, 2]}\n",
    "colours above 255": "- {name: ground, color: [1, 2, 300]}\n",
    "negative colours": "- {name: ground, color: [1, 2, -3]}\n",
    "colours of fractions": "- {name: ground, color: [0.1, 0.2, 0.3]}\n",
    "colours of text": "- {name: ground, color: red}\n",
    "nothing for a colour": "- {name: ground, color: null}\n",
    "thing as text": "- {name: ground, thing: 'yes'}\n",
    "thing as a number": "- {name: ground, thing: 3}\n",
    "256 classes": str([f"class {n}" for n in range(256)]),
    "a mapping of ids": "0: ground\n1: car\n",
    "a mapping without classes": "names: [ground, car]\n",
    "text": "ground, car\n",
    "one class too few": "[ground]\n",
    "other classes than the clicks": "[ground, bus]\n",
    "the clicks' classes in another order": "[car, ground]\n",
    "a syntax error": "[ground, car\n",
    "code": "[!!python/object/apply:os.system ['touch executed']]\n",
    "aliases": BOMB,
    "a film": bytes(range(256)) * 20,
}

SPLITS: dict[str, str] = {
    "a list": "[a, b]\n",
    "text": "train\n",
    "an unknown split": "train: [a]\nvalidation: [b]\n",
    "an unknown video": "train: [a, c]\nval: [b]\n",
    "a video in two splits": "train: [a, b]\nval: [b]\n",
    "a video twice": "train: [a, a]\nval: [b]\n",
    "a name for a list": "train: a\nval: b\n",
    "numbers for videos": "train: [1]\nval: [2]\n",
    "a list of lists": "train: [[a]]\nval: [b]\n",
    "nothing to train on": "val: [a, b]\n",
    "a path": "train: [../street/frames/a]\nval: [b]\n",
    "a syntax error": "train: [a\n",
    "aliases": BOMB,
}


STILL_VALID = ("cut before the end", "cut in half", "Latin-1")
"""Damage after which a file of two lines may still be one of one line, or of the same."""


def wrong_lists() -> list[Case]:
    """Files of classes and of splits, read by commands that check, train and count clicks."""
    cases = []
    for file, texts in (("classes.yaml", CLASSES), ("splits.yaml", SPLITS)):
        for name, text in texts.items():
            spoil, reads = put(f"street/{file}", text), FIT if "clicks" in name or "train on" in name else CHECK
            words = () if "clicks" in name or name in ("one class too few", "nothing to train on") else (file,)
            cases.append(Case(file, f"content: {name}", reads, spoil, words, report=True))
        cases += [
            Case(file, name, CHECK, change(f"street/{file}", damage), (file,), name in STILL_VALID, report=True)
            for name, damage in TEXT_DAMAGE.items()
        ]
        cases.append(Case(file, "a folder", CHECK, as_folder(f"street/{file}"), (file,), report=True))
    cases.append(Case("classes.yaml", "missing", CHECK, remove("street/classes.yaml"), ("street",)))
    return cases


CASES = (
    *(Case("configs", name, CONFIG, config(text), words) for name, (text, words) in CONFIGS.items()),
    *PARTS,
    *wrong_keys(),
    *wrong_lists(),
)
