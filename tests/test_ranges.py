from typing import Any

import pytest

from weclick.errors import ConfigError
from weclick.ranges import (
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    PositiveShare,
    Range,
    Share,
    check_ranges,
)


class Base:
    def __init__(self, share: Share = 0.5, rate: PositiveFloat = 1.0, **kwargs: Any) -> None: ...


class Options(Base):
    def __init__(
        self,
        count: PositiveInt = 1,
        size: tuple[PositiveInt, PositiveInt] | None = None,
        workers: NonNegativeInt | None = None,
        weight: NonNegativeFloat = 0.0,
        scale: PositiveShare = 1.0,
        name: str = "",
        free: int = 0,
        **kwargs: Any,
    ) -> None: ...


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"count": 1, "share": 0, "rate": 1e-9, "weight": 0.0, "scale": 1},
        {"size": None, "workers": None},
        {"size": [3, 4], "workers": 0, "share": 1.0},
        {"name": "any", "free": -5, "unknown": -1},
    ],
)
def test_what_is_in_range_passes(options):
    check_ranges(Options, options, "data")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"count": 0}, "data.count must be at least 1, found 0"),
        ({"size": [-3, 4]}, r"data.size must be at least 1, found \[-3, 4\]"),
        ({"workers": -2}, "data.workers must be at least 0, found -2"),
        ({"weight": float("nan")}, "data.weight must be at least 0, found nan"),
        ({"weight": float("inf")}, "data.weight must be at least 0, found inf"),
        ({"rate": 0.0}, "data.rate must be above 0, found 0.0"),
        ({"share": 1.5}, "data.share must be from 0 to 1, found 1.5"),
        ({"scale": 0}, "data.scale must be above 0, at most 1, found 0"),
    ],
)
def test_what_is_not_is_refused_with_its_name_and_range(options, message):
    with pytest.raises(ConfigError, match=message):
        check_ranges(Options, options, "data")


def test_options_without_a_group_go_by_their_name():
    with pytest.raises(ConfigError, match=r"^count must"):
        check_ranges(Options, {"count": 0})


def test_a_range_reads_as_words_in_the_help():
    assert [repr(Range(1)), repr(Range(0, above=True)), repr(Range(0, 1))] == ["at least 1", "above 0", "from 0 to 1"]
