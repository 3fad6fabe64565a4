"""The short part of ``make faults``: some bad inputs of every kind, and random changes."""

import random
from contextlib import nullcontext

import pytest
import torch

from .bad_random import TARGETS, mutated, random_cases
from .cases import Case
from .inputs import CASES, Ended, Outcome, Trials, judge

pytestmark = pytest.mark.slow
KINDS = tuple(dict.fromkeys(case.kind for case in CASES))
QUICK = ("clicks", "data", "predict", "validate", "init", "package", "export")
"""Commands that end at once or within a second, whatever comes of them."""


@pytest.fixture(scope="module")
def trials(tmp_path_factory):
    torch.set_num_threads(1)
    return Trials(tmp_path_factory.mktemp("trials"))


def test_some_bad_inputs_of_every_kind_are_refused_in_one_line_and_change_nothing(trials):
    outcome, chosen = Outcome(), random.Random(0)
    for kind in KINDS:
        own = [case for case in CASES if case.kind == kind]
        quick = [case for case in own if case.command[0] in QUICK and case.during is nullcontext]
        for case in chosen.sample(quick, min(1, len(quick))):
            trials.run(case, outcome)
    assert outcome.failures == []
    assert outcome.refused.total() > len(KINDS) // 2


def test_files_with_random_changes_are_used_or_refused_in_one_line(trials):
    outcome = Outcome()
    kinds = list(TARGETS)[::3]
    random_cases(lambda case: trials.run(case, outcome), 1, kinds=kinds)
    assert outcome.failures == []
    assert outcome.refused.total() + outcome.accepted.total() == len(kinds)


def test_the_table_has_at_least_400_cases_each_once():
    assert len({(case.kind, case.name, case.command) for case in CASES}) == len(CASES) >= 400


GOOD = "weclick: a.csv is empty; write clicks into it\n"


@pytest.mark.parametrize(
    ("ended", "changed", "problem"),
    [
        (Ended(1, "", GOOD, 0), [], None),
        (Ended(0, "", "", 0), [], "accepted"),
        (Ended(99, "", GOOD, 0), [], "exit status"),
        (Ended(1, "", GOOD + GOOD, 0), [], "not one line"),
        (Ended(1, "", "Traceback (most recent call last):\n" + GOOD, 0), [], "traceback"),
        (Ended(1, "", "weclick: unexpected TypeError: a.csv", 0), [], "not expected"),
        (Ended(1, "", "weclick: empty", 0), [], "no word of ['a.csv']"),
        (Ended(1, "", GOOD, 0), ["b.csv"], "changed ['b.csv']"),
        (Ended(1, "", GOOD, 1 << 45), [], "MiB of memory"),
    ],
)
def test_what_is_wrong_with_a_refusal_is_found(ended, changed, problem):
    found = judge(Case("csv", "empty", ("clicks", "import"), words=("a.csv",)), ended, changed)
    assert found == [] if problem is None else any(problem in text for text in found)


def test_random_changes_do_what_they_say():
    assert mutated(b"abcdefgh", [("cut", 0.5, 0.0, b"")]) == b"abcdfgh"
    assert mutated(b"abcdefgh", [("insert", 0.25, 0.0, b"xy")]) == b"abxycdefgh"
    assert mutated(b"", [("twice", 0.0, 1.0, b"")]) == b""
