"""Parts from outside, without a process of their own: what is refused, and with which message."""

import sys
from dataclasses import dataclass
from types import ModuleType
from typing import ClassVar

import pytest
import torch
from torch import nn

from weclick.data.layouts import open_layout
from weclick.data.photometric import make_augmentation
from weclick.errors import ConfigError, DataError
from weclick.extensions import NotLoadedError, make_part, part_name
from weclick.flow import make_flow
from weclick.losses import LossTerm, Terms, active_terms
from weclick.models.factory import make_network
from weclick.models.options import NetworkOptions


@dataclass(frozen=True)
class Constant(LossTerm):
    """A term of a fixed value."""

    name: ClassVar[str] = "constant"

    value: float = 0.0

    def __call__(self, step):
        return torch.tensor(self.value)


@dataclass(frozen=True)
class Impostor(Constant):
    name: ClassVar[str] = "kd"


@dataclass(frozen=True)
class Demanding(Constant):
    needs: ClassVar[frozenset[str]] = frozenset({"depth"})


class Tint(nn.Module):
    """An augmentation."""

    def __init__(self, colour):
        super().__init__()
        self.colour = colour

    def forward(self, images):
        return images * self.colour


class Net(nn.Conv2d):
    """A network that is one layer; torch itself refuses an impossible width."""

    def __init__(self, num_classes, width=3):
        super().__init__(width, num_classes, 1)


@pytest.fixture
def module(monkeypatch):
    """A loaded module from outside, with the classes of this file."""
    made = ModuleType("outside_parts")
    for part in (Constant, Impostor, Demanding, Tint, Net):
        setattr(made, part.__name__, part)
    made.number = 3
    monkeypatch.setitem(sys.modules, "outside_parts", made)


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Install a package that has the given entry points and no code."""

    def install(text):
        info = tmp_path / "outsider-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: outsider\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(text)
        monkeypatch.syspath_prepend(str(tmp_path))

    return install


def class_path(name, **init_args):
    return {"class_path": f"outside_parts.{name}", "init_args": init_args}


def terms(*extra, **weights):
    return active_terms(Terms.of({"extra": list(extra), **{name: {"weight": w} for name, w in weights.items()}}))


MAKERS = {
    "network": lambda name, root: make_network(NetworkOptions(name), 3),
    "flow": lambda name, root: make_flow(name, torch.device("cpu")),
    "layout": lambda name, root: open_layout(name, root),
    "loss": lambda name, root: terms(name),
    "augmentation": lambda name, root: make_augmentation(name),
}


@pytest.fixture(params=list(MAKERS))
def make(request, tmp_path):
    """Make a part of each kind by its name."""
    root = tmp_path / "data"
    root.mkdir()
    (root / "file").touch()
    return lambda name: MAKERS[request.param](name, root)


def test_a_part_whose_module_is_not_loaded_is_refused_and_not_imported(make):
    with pytest.raises(NotLoadedError, match=r"this\.Popen: its module is not loaded.*give weclick --import this, or"):
        make("this.Popen")
    assert "this" not in sys.modules


def test_a_class_that_its_module_lacks_is_refused(make, module):
    with pytest.raises(ConfigError, match=r"outside_parts\.Nett: module outside_parts has no Nett; correct the class"):
        make("outside_parts.Nett")


@pytest.mark.parametrize("name", ["outside_parts.number", "json.loads"])
def test_a_part_that_is_no_class_is_refused(make, module, name):
    with pytest.raises(ConfigError, match=rf"{name} (is not a class|lacks \w+).*CONTRIBUTING\.md"):
        make(name)


def test_an_unknown_name_is_refused_with_the_existing_ones(install):
    install("[weclick.losses]\nblur = nowhere:Blur\n")
    with pytest.raises(ConfigError, match=r"unknown loss 'sharp'; choose one of: absence,.* blur$"):
        terms("sharp")


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("not_installed_anywhere:Blur", "No module named 'not_installed_anywhere'"),
        ("json:Blur", "has no attribute 'Blur'"),
        ("broken_outsider:Blur", "division by zero"),
    ],
)
def test_an_entry_point_that_cannot_be_imported_is_refused_in_one_line(install, tmp_path, target, reason):
    install(f"[weclick.losses]\nblur = {target}\n")
    (tmp_path / "broken_outsider.py").write_text("1 / 0\n")
    with pytest.raises(ConfigError, match=rf"loss blur \({target}\) cannot be imported: .*{reason}") as refusal:
        terms("blur")
    assert "\n" not in str(refusal.value)


def test_parts_are_made_with_their_init_args(module):
    (term,) = terms(class_path("Constant", weight=0.5, value=2.0), supervised=0.0)
    assert (term.weight, term(None)) == (0.5, 2.0)
    assert make_augmentation(class_path("Tint", colour=0.5))(torch.ones(1)) == 0.5
    assert (
        make_network(NetworkOptions({"class_path": "outside_parts.Net", "init_args": None}), 5).body.out_channels == 5
    )


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: make_augmentation(class_path("Tint", shade=1)), r"augmentation .*Tint cannot be made with init_args"),
        (lambda: make_augmentation(class_path("Tint")), r"Tint cannot be made with no init_args: .*colour"),
        (lambda: make_augmentation("photometric"), r"photometric cannot be made with no init_args: .*strength"),
        (lambda: make_network(NetworkOptions(class_path("Net", width=-1)), 3), r"network .*Net cannot be made"),
        (lambda: make_network(NetworkOptions(class_path("Net", num_classes=9)), 3), "multiple values"),
        (
            lambda: terms(class_path("Constant", weight=-1.0)),
            r"loss outside_parts\.Constant: weight must be at least 0",
        ),
        (lambda: terms(class_path("Constant", value="high")), r"loss .*Constant: value must be a number, found 'high'"),
    ],
)
def test_init_args_that_do_not_fit_are_refused_with_the_part(module, make, message):
    with pytest.raises(ConfigError, match=message) as refusal:
        make()
    assert "\n" not in str(refusal.value)


def test_a_data_error_of_a_maker_is_raised_unchanged():
    def make(root):
        raise DataError("classes.yaml not found")

    with pytest.raises(DataError, match=r"^classes\.yaml not found"):
        make_part("layout", "own", {"own": make}, (), root="data")


@pytest.mark.parametrize(
    "part",
    [
        {},
        {"init_args": {}},
        {"class_path": 3},
        {"class_path": "a.B", "width": 3},  # the usual mistake: an argument beside init_args
        {"class_path": "a.B", "init_arg": {}},
        {"class_path": "a.B", "init_args": {}, "width": 3},
        3,
    ],
)
def test_a_part_of_another_form_is_refused(part):
    with pytest.raises(ConfigError, match=r"a network is a name or {class_path: \.\.\., init_args: {\.\.\.}}, found"):
        part_name("network", part)


@pytest.mark.parametrize("extra", [["Impostor"], ["Constant", "Constant"]])
def test_two_terms_of_one_name_are_refused(module, extra):
    parts = [class_path(name, weight=1.0) for name in extra]
    with pytest.raises(ConfigError, match=r"two loss terms have the same name, of .*; rename or remove one"):
        terms(*parts, kd=1.0)


def test_a_term_that_is_off_may_have_any_name(module):
    assert [term.name for term in terms(class_path("Impostor", weight=1.0))] == ["supervised", "kd"]


def test_a_term_with_an_unknown_need_is_refused(module):
    with pytest.raises(ConfigError, match="loss constant needs depth; a term may need: teacher, memory, neighbour"):
        terms(class_path("Demanding", weight=1.0))
