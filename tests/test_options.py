from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import pytest

from weclick.errors import ConfigError
from weclick.options import (
    NonNegativeFloat,
    NonNegativeInt,
    Options,
    PositiveFloat,
    PositiveInt,
    PositiveShare,
    Range,
    Share,
)


@dataclass(frozen=True)
class Inner(Options):
    kind: ClassVar[str] = "inner"

    rate: PositiveFloat = 1.0


@dataclass(frozen=True)
class Data(Options):
    share: Share = 0.5
    count: PositiveInt = 1
    size: tuple[PositiveInt, PositiveInt] | None = None
    workers: NonNegativeInt | None = None
    weight: NonNegativeFloat = 0.0
    scale: PositiveShare = 1.0
    name: str = ""
    free: int = 0
    rule: Literal["first", "last"] = "first"
    colour: float | dict[str, Any] = 0.0
    entries: list[str] = field(default_factory=list)
    strides: tuple[PositiveInt, ...] = (4,)
    inner: Inner = field(default_factory=Inner)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"count": 1, "share": 0, "inner": {"rate": 1e-9}, "weight": 0.0, "scale": 1},
        {"size": None, "workers": None},
        {"size": [3, 4], "workers": 0, "share": 1.0},
        {"name": "any", "free": -5, "rule": "last"},
        {"colour": {"class_path": "a.B"}, "entries": ["a"], "strides": [4, 8, 16]},
        {"inner": None},
    ],
)
def test_values_in_range_are_accepted(options):
    assert Data.of(options, "data").free == options.get("free", 0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"count": 0}, "data.count must be at least 1, found 0"),
        ({"size": [-3, 4]}, r"data.size must be at least 1, found \(-3, 4\)"),
        ({"workers": -2}, "data.workers must be at least 0, found -2"),
        ({"weight": float("nan")}, "data.weight must be at least 0, found nan"),
        ({"weight": float("inf")}, "data.weight must be at least 0, found inf"),
        ({"inner": {"rate": 0.0}}, "data.inner.rate must be above 0, found 0.0"),
        ({"share": 1.5}, "data.share must be from 0 to 1, found 1.5"),
        ({"scale": 0}, "data.scale must be above 0, at most 1, found 0"),
    ],
)
def test_a_value_out_of_range_is_refused_with_its_name_and_range(options, message):
    with pytest.raises(ConfigError, match=message):
        Data.of(options, "data")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"count": "many"}, "data.count must be an integer, found 'many'"),
        ({"count": 1.5}, "data.count must be an integer, found 1.5"),
        ({"count": True}, "data.count must be an integer, found True"),
        ({"count": None}, "data.count must be an integer, found None"),
        ({"weight": "0.5"}, "data.weight must be a number, found '0.5'"),
        ({"name": 3}, "data.name must be text, found 3"),
        ({"rule": "middle"}, "data.rule must be one of first, last, found 'middle'"),
        ({"size": [3]}, r"data.size must be a list of an integer and an integer or null, found \(3,\)"),
        ({"size": 3}, "data.size must be a list of an integer and an integer or null, found 3"),
        ({"colour": "red"}, "data.colour must be a number or options by name, found 'red'"),
        ({"entries": [3]}, r"data.entries must be a list of text, found \[3\]"),
        ({"strides": [4, "8"]}, r"data.strides must be a list of an integer, found \(4, '8'\)"),
        ({"inner": {"rate": "high"}}, "data.inner.rate must be a number, found 'high'"),
        ({"inner": 3}, "data.inner must be options by name, found 3"),
        ({"inner": [1]}, r"data.inner must be options by name, found \[1\]"),
        (["count"], r"data must be options by name, found \['count'\]"),
        (Inner(), "data must be options by name, found Inner"),
    ],
)
def test_a_value_of_another_type_is_refused_with_its_name_and_type(options, message):
    with pytest.raises(ConfigError, match=f"^{message}"):
        Data.of(options, "data")


def test_a_group_of_another_class_is_refused():
    with pytest.raises(ConfigError, match=r"^inner must be options by name, found Data"):
        Data(inner=Data())


def test_a_required_option_that_is_missing_is_refused_by_name():
    @dataclass(frozen=True)
    class Rooted(Options):
        root: str

    with pytest.raises(ConfigError, match=r"^data\.root is required"):
        Rooted.of({}, "data")


def test_a_class_variable_is_no_option():
    with pytest.raises(ConfigError, match=r"data\.inner\.kind is not an option; inner has: rate"):
        Data.of({"inner": {"kind": "outer"}}, "data")


def test_options_without_a_group_are_named_alone():
    with pytest.raises(ConfigError, match=r"^count must"):
        Data(count=0)


def test_a_range_is_shown_in_words():
    assert [repr(Range(1)), repr(Range(0, above=True)), repr(Range(0, 1))] == ["at least 1", "above 0", "from 0 to 1"]


def test_an_unknown_option_is_refused_with_the_existing_ones():
    with pytest.raises(ConfigError, match=r"data\.inner\.speed is not an option; inner has: rate"):
        Data.of({"inner": {"speed": 1}}, "data")


def test_lists_become_tuples_and_mappings_become_groups():
    made = Data.of({"size": [3, 4], "inner": {"rate": 2.0}})
    assert (made.size, made.inner) == ((3, 4), Inner(2.0))
    assert Data.of(made) is made
