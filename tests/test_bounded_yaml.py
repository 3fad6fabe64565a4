"""YAML of strangers: small files that would grow, deep ones, and what is no YAML."""

from itertools import pairwise

import pytest
import yaml

from weclick.bounded_yaml import MAX_BYTES, MAX_DEPTH, MAX_VALUES, load_yaml, read_yaml
from weclick.classes import ClassSet
from weclick.errors import DataError

LEVELS = "abcdefghi"
BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join([f'*{inner}'] * 9)}]\n" for inner, name in pairwise(LEVELS)
)
CHAIN = "l0: &l0 x\n" + "".join(f"l{number}: &l{number} [[[[*l{number - 1}]]]]\n" for number in range(1, 9))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (f"{BOMB}classes: [*i]", rf"aliases \(\*name\) written out are more than {MAX_VALUES} values.*line 7"),
        ("a: &a\n  b: *a", r"\*a lies inside of what it names.*line 2"),
        (f"{CHAIN}z: *l8", f"more than {MAX_DEPTH} levels of nesting .*line 9"),
        ("<<: *a", "undefined alias"),
        ("[" * 500 + "]" * 500, f"more than {MAX_DEPTH} levels of nesting .*line 1"),
        ("\n".join(" " * depth + "a:" for depth in range(40)), f"more than {MAX_DEPTH} levels"),
        ("? " * 500, f"more than {MAX_DEPTH} levels"),
        ("x" * (MAX_BYTES + 1), f"more than {MAX_BYTES} bytes; is it the right file"),
        ("day: 2026-02-30", "put it in quotes"),
        ("n: " + "1" * 5000, "put it in quotes"),
        ("!!python/object/apply:os.system [ls]", "could not determine a constructor"),
        ("[road", "expected"),
    ],
    ids=lambda value: value[:20],
)
def test_what_cannot_be_read_is_refused_in_one_line_that_names_the_file(tmp_path, content, words):
    path = tmp_path / "some.yaml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=rf"some\.yaml cannot be read as YAML: .*{words}") as refusal:
        read_yaml(path)
    assert "\n" not in str(refusal.value) and len(str(refusal.value)) < 1000


@pytest.mark.parametrize("content", [b"\xff\xfea\x00", b"\xc3("])
def test_other_encodings_are_refused(tmp_path, content):
    (tmp_path / "some.yaml").write_bytes(content)
    with pytest.raises(DataError, match=r"some\.yaml cannot be read as YAML: 'utf-8'"):
        read_yaml(tmp_path / "some.yaml")


def test_ordinary_yaml_means_what_it_did():
    text = "a: [1, {b: [x, 2.5, null]}]\nc: &unused >-\n  folded\n  text\n\ufeffd: 2026-02-28\n"
    assert load_yaml(text) == yaml.safe_load(text)
    assert load_yaml("") is None


def test_anchors_and_merges_mean_what_they_do_everywhere():
    text = "base: &base {lr: 0.1, steps: [1, 2]}\nteacher: *base\nstudent:\n  <<: *base\n  lr: 0.2\n"
    assert load_yaml(text) == yaml.safe_load(text)


def test_values_of_an_alias_are_its_own():
    read = load_yaml("teacher: &shared {terms: [clicks]}\nstudent: *shared\n")
    read["teacher"]["terms"].append("memory")
    assert read["student"] == {"terms": ["clicks"]}


def test_an_entry_that_is_no_class_is_shown_in_short(tmp_path):
    (tmp_path / "classes.yaml").write_text(f"[{list(range(9999))}]")
    with pytest.raises(DataError, match=r"classes\.yaml: class 0 must be .*found \[0, 1, 2, ") as refusal:
        ClassSet.read(tmp_path / "classes.yaml")
    assert len(str(refusal.value)) < 400
