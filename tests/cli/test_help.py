"""`--help` of every command: quick, one screen, true; `--help all` shows the rest."""

import json
import re
import subprocess
import sys

import pytest

from weclick.cli import benchmark, clicks, data
from weclick.cli.fit import make_parser
from weclick.cli.main import COMMANDS
from weclick.cli.options import parse, resolve_configs

PARTS = {"benchmark": benchmark.PARTS, "clicks": clicks.PARTS, "data": data.PARTS}
ALL = [*([name] for name in COMMANDS), *([name, part] for name, parts in PARTS.items() for part in parts)]
HEAVY = {
    "torch",
    "torchvision",
    "lightning",
    "kornia",
    "albumentations",
    "segmentation_models_pytorch",
    "timm",
    "wandb",
}
CONFIG = ["--config", "camvid.yaml", "--arm", "beyond", "--data.batch_size", "3"]


def test_no_help_and_no_refusal_of_usage_imports_what_takes_seconds():
    lines = [*([*command, "--help"] for command in ALL), ["fit", "--help", "all"]]
    lines += [[command, "--nonsense"] for command in ("fit", "test", "export", "predict", "budget")]
    program = (
        "import contextlib, io, sys; from weclick.cli.main import run\n"
        f"for line in {lines!r}:\n"
        "    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()): status = run(line)\n"
        f"    print(status, *line, *{HEAVY!r} & set(sys.modules))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    expected = [f"{2 if line[-1] == '--nonsense' else 0} {' '.join(line)}" for line in lines]
    assert done.stdout.splitlines() == expected


@pytest.mark.parametrize("command", ALL, ids=" ".join)
def test_every_help_fits_on_a_screen(weclick, command):
    lines = weclick(*command, "--help").done().out.splitlines()
    assert lines[0].startswith(f"usage: weclick {' '.join(command)} ")
    assert len(lines) <= 45
    assert max(map(len, lines)) <= 130


def shown_defaults(text):
    """Return the defaults that a help shows, by option."""
    option, shown = None, {}
    for line in text.splitlines():
        if found := re.match(r"  --([\w.]+) ", line):
            option = found[1]
        if option and (found := re.search(r"\(default: (.*)\)$", line)):
            shown[option] = found[1]
    return shown


@pytest.mark.parametrize("arguments", [[], CONFIG])
def test_the_shown_defaults_are_the_ones_in_effect(weclick, arguments):
    shown = shown_defaults(weclick("fit", *arguments, "--help").done().out)
    config = parse(make_parser(), resolve_configs(["--data.root=", *arguments]))
    assert shown.keys() > {"arm", "seed", "trainer.max_epochs", "data.batch_size"}
    for option, text in shown.items():
        value = config[option]
        assert text == (value if isinstance(value, str) else json.dumps(value)), option


def test_help_all_lists_every_option_with_the_defaults_in_effect(weclick):
    text = " ".join(weclick("fit", *CONFIG, "--help", "all").done().out.split())
    for action in make_parser()._actions:
        assert not action.option_strings or action.option_strings[-1].rstrip("+") in text
    assert "data.clips.sides {past,both}" in text
    assert "default: both" in text  # of the arm
    assert re.search(r"--data.batch_size BATCH_SIZE [^-]*default: 3", text)


def test_a_wrong_option_beside_help_is_named(weclick):
    weclick("fit", "--help", "--data.rot", "x").refused_at_once("data.rot", "did you mean data.root?", status=2)


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("fit --resum last", "resume"),
        ("fit --run last", "runs"),
        ("fit --data.roo x", "data.root"),
        ("fit --data.root x --student.terms.kd.weigh 1", "student.terms.kd.weight"),
        ("fit --data.root x --trainer.max_epoch 1", "trainer.max_epochs"),
        ("validate --stag teacher", "stage"),
        ("test --ckpt x", "ckpt_path"),
        ("memory --spli val", "split"),
        ("predict --source x --max_frame 1", "max_frames"),
        ("export --form onnx", "formats"),
        ("package --licenc mit", "licence"),
        ("annotate x --por 1", "port"),
        ("clicks simulate x --see 1", "seed"),
        ("clicks import x y --replac true", "replace"),
        ("clicks export x y --forma csv", "format"),
        ("clicks labels x y --sur 1", "sure"),
        ("clicks check x --stor y", "store"),
        ("clicks stats x --stor y", "store"),
        ("clicks suggest x --coun 3", "count"),
        ("data check x --layou folder", "layout"),
        ("data synthetic x --trai 3", "train"),
        ("data camvid x --from y --siz [1,2]", "size"),
        ("data cityscapes --from x --roo y", "root"),
        ("benchmark student --round 2", "rounds"),
        ("benchmark video --source x --round 2", "rounds"),
        ("benchmark train --data.root x --step 2", "steps"),
        ("benchmark memory --data.root x --target 2", "targets"),
        ("ablate --data.root x --nam y", "name"),
        ("budget --data.root x --frame 1", "frames"),
    ],
)
def test_an_abbreviated_option_is_refused_with_the_one_that_was_meant(weclick, tmp_path, line, meant):
    weclick(*line.split()).refused_at_once("did you mean", meant, status=2)
    assert not list(tmp_path.iterdir())
