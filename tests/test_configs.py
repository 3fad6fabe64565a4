"""Every shipped config can be used, and says no more than it must."""

import tomllib
from dataclasses import asdict, fields, replace
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

from weclick.bounded_yaml import load_yaml
from weclick.cli.fit import make_parser
from weclick.cli.options import dump, parse, resolve_configs, to_settings
from weclick.data.options import DataOptions
from weclick.modules.options import ModuleOptions
from weclick.modules.student import StudentModule
from weclick.modules.teacher import TeacherModule

ROOT = Path(__file__).parents[1]
CONFIGS = ROOT / "configs"
TOP = sorted(path.name for path in CONFIGS.glob("*.yaml"))
PARTS = sorted(str(path.relative_to(CONFIGS)) for path in CONFIGS.glob("*/*.yaml"))
TELLING = {"network.name", "network.encoder", "accelerator", "devices", "max_epochs"}
"""Keys a file may name though they are the default: they say what the file is."""


def settings(*arguments):
    parser = make_parser()
    return to_settings(parser, parse(parser, resolve_configs([str(argument) for argument in arguments])))


def plain(options):
    """Return a group of options as dotted names and values."""
    options = options if isinstance(options, dict) else asdict(options)
    found = {}
    for name, value in options.items():
        if isinstance(value, dict):
            found |= {f"{name}.{inner}": entry for inner, entry in plain(value).items()}
        else:
            found[name] = list(value) if isinstance(value, tuple) else value
    return found


@pytest.mark.parametrize("name", TOP)
def test_top_configs_parse_and_make_networks_and_data(name, synthetic_root):
    made = settings("--config", name, "--data.root", synthetic_root, "--data.layout=cityscapes")
    data, size = made.make_data(), made.dataset.size
    assert data.crop[0] <= size[0]
    assert data.crop[1] <= size[1]
    for module, options in ((TeacherModule, made.teacher), (StudentModule, made.student)):
        untrained = replace(options, network=replace(options.network, weights="none"))
        module(made.dataset.classes.to_list(), size, untrained)


@pytest.mark.parametrize("name", TOP)
def test_a_run_can_read_the_config_that_it_writes(name):
    parser = make_parser()
    text = dump(parser, parse(parser, resolve_configs(["--config", name, "--data.root", "x"])))
    assert load_yaml(text)["data"]["root"] == "x"  # without aliases, which are not read


def test_every_part_is_a_group_of_the_parser():
    assert {Path(part).parent.name for part in PARTS} == {"data", "teacher", "student", "trainer"}


@pytest.mark.parametrize("part", PARTS)
def test_parts_parse_as_their_group(part, monkeypatch):
    monkeypatch.delenv("CITYSCAPES_DATASET", raising=False)
    group = Path(part).parent.name
    text = (CONFIGS / part).read_text().replace("${CITYSCAPES_DATASET:-data/cityscapes}", "data/cityscapes")
    wanted = plain(yaml.safe_load(text))
    found = plain(getattr(settings("--data.root=x", f"--{group}={part}"), group))
    assert {key: found[key] for key in wanted} == wanted


@pytest.mark.parametrize("part", PARTS)
def test_parts_hold_only_what_differs_from_the_default(part):
    group = Path(part).parent.name
    default = plain(getattr(settings("--data.root=data"), group))
    wanted = plain(yaml.safe_load((CONFIGS / part).read_text()))
    same = {key for key, value in wanted.items() if value == default[key]}
    assert same <= TELLING


@pytest.mark.parametrize(
    ("value", "options", "root"),
    [
        (None, [], "data/cityscapes"),
        ("", [], "data/cityscapes"),
        ("/sets/Stadt 1", [], "/sets/Stadt 1"),
        ("/sets/Stadt 1", ["--data.root=data/cityscapes"], "data/cityscapes"),
        ("/sets/Stadt 1", ["--data=data/demo.yaml"], "demo/data"),
    ],
)
def test_the_variable_of_cityscapes_scripts_names_the_root_that_nothing_else_names(monkeypatch, value, options, root):
    monkeypatch.delenv("CITYSCAPES_DATASET", raising=False)
    if value is not None:
        monkeypatch.setenv("CITYSCAPES_DATASET", value)
    assert settings("--config=cityscapes.yaml", *options).data.root == root


def test_a_part_on_the_command_line_replaces_the_configs_whole(tmp_path):
    own = tmp_path / "own.yaml"  # leaves out the learning rate that the config's files set
    own.write_text("network: {name: light}\n", encoding="utf-8")
    swapped = settings(
        *("--config", "cityscapes.yaml", "--teacher", str(own), f"--student={own}"), *("--trainer", "trainer/cpu.yaml")
    )
    default = settings("--data.root=x")
    assert swapped.teacher.optimiser == default.teacher.optimiser
    assert swapped.student.optimiser == default.student.optimiser
    assert swapped.trainer["precision"] is None
    assert swapped.data.layout == "cityscapes"


def test_single_values_beat_configs_and_parts():
    made = settings(
        "--config", "camvid.yaml", "--teacher", "teacher/lite2.yaml", "--teacher.optimiser.learning_rate=0.5"
    )
    assert made.teacher.optimiser.learning_rate == 0.5


def test_trap_11_a_part_is_looked_up_beside_the_config_that_names_it(tmp_path, monkeypatch):
    (tmp_path / "mine" / "parts").mkdir(parents=True)
    (tmp_path / "mine" / "all.yaml").write_text("data: parts/set.yaml\n")
    (tmp_path / "mine" / "parts" / "set.yaml").write_text("root: here\nclips: {neighbours: 7}\n")
    monkeypatch.chdir(tmp_path)
    made = settings("--config", "mine/all.yaml")
    assert (made.data.root, made.data.clips.neighbours) == ("here", 7)


def test_a_copied_preset_still_finds_its_parts(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    mine = tmp_path / "my settings.yaml"
    mine.write_text((CONFIGS / "folder.yaml").read_text() + "memory: {views: true}\n")
    copied, shipped = (settings("--config", name) for name in ("my settings.yaml", "folder.yaml"))
    assert copied.memory.views
    for group in ("arm", "data", "teacher", "student", "trainer"):
        assert getattr(copied, group) == getattr(shipped, group)
    (tmp_path / "student").mkdir()
    (tmp_path / "student" / "light.yaml").write_text("network: {width: 7}\n")
    assert settings(f"--config={mine}", "--data.root=x").student.network.width == 7  # what lies beside it goes first


@pytest.mark.parametrize(
    ("group", "kind"), [("data", DataOptions), ("teacher", ModuleOptions), ("student", ModuleOptions)]
)
def test_trap_6_no_option_vanishes_on_its_way_to_the_parser(group, kind):
    parser = make_parser()
    names = set(parse(parser, ["--data.root=x"])[group].keys(branches=True))
    assert {field.name for field in fields(kind)} <= names


def test_every_trainer_option_reaches_the_trainer():
    """Untyped parameters would vanish silently: what a config can say must be known to the parser."""
    known = settings("--data.root=x")
    for part in PARTS:
        group = Path(part).parent.name
        assert set(plain(yaml.safe_load((CONFIGS / part).read_text()))) <= set(plain(getattr(known, group)))


def required(name):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return next(r for r in map(Requirement, project["dependencies"]) if r.name == name)


def test_trap_21_only_the_last_free_release_of_albumentations_is_taken():
    assert str(required("albumentations").specifier) == "==2.0.8"


@pytest.mark.parametrize("bad", ["2.6.2", "2.6.3"])
def test_malicious_releases_of_lightning_are_excluded(bad):
    lightning = required("lightning")
    assert not lightning.specifier.contains(bad)
    assert lightning.specifier.contains("2.6.6")
