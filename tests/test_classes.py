import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weclick.classes import ClassSet, SemanticClass, default_color
from weclick.conventions import IGNORE_INDEX
from weclick.errors import DataError

STREET = ClassSet((SemanticClass("road", (128, 64, 128)), SemanticClass("Fußgänger", (220, 20, 60), thing=True)))


def test_a_classs_id_is_its_position():
    assert len(STREET) == 2
    assert STREET.index("Fußgänger") == 1
    assert STREET[1].thing
    assert [entry.name for entry in STREET] == ["road", "Fußgänger"]


def test_an_unknown_class_is_refused_with_those_there_are():
    with pytest.raises(DataError, match=r"unknown class 'car'; the data set has: road, Fußgänger"):
        STREET.index("car")


def test_the_palette_colours_classes_and_leaves_the_rest_black():
    assert STREET.palette.shape == (256, 3)
    assert STREET.palette[1].tolist() == [220, 20, 60]
    assert not STREET.palette[2:].any()
    assert not STREET.palette[IGNORE_INDEX].any()


@pytest.mark.parametrize("count", [0, 256])
def test_too_few_or_too_many_classes_are_refused(count):
    with pytest.raises(DataError, match=f"1 to 255 classes, found {count}"):
        ClassSet.from_list([{"name": str(n)} for n in range(count)])


def test_a_name_used_twice_is_refused():
    with pytest.raises(DataError, match="used twice: road"):
        ClassSet.from_list([{"name": "road"}, {"name": "car"}, {"name": "road"}])


def test_names_that_differ_in_case_only_are_refused():
    with pytest.raises(DataError, match="classes Road and road differ in case only; rename"):
        ClassSet.from_list([{"name": "Road"}, {"name": "car"}, {"name": "road"}])


def test_a_list_goes_there_and_back():
    assert ClassSet.from_list(STREET.to_list()) == STREET


@settings(deadline=None)
@given(st.lists(st.text(min_size=1).filter(str.strip), min_size=1, max_size=20, unique_by=str.lower), st.booleans())
def test_any_names_go_there_and_back(names, thing):
    classes = ClassSet.from_list([{"name": name, "thing": thing} for name in names])
    assert classes.names == tuple(names)
    assert ClassSet.from_list(classes.to_list()) == classes


def test_colours_are_chosen_where_none_are_given():
    colours = {default_color(index) for index in range(255)}
    assert len(colours) == 255
    assert (0, 0, 0) not in colours
    assert default_color(0) == (128, 0, 0)  # Pascal VOC's first class
    assert default_color(14) == (192, 128, 128)  # and its person
    assert np.array_equal(ClassSet.from_list([{"name": "a"}]).palette[0], default_color(0))


@pytest.mark.parametrize("text", ["[road, car]", "classes: [road, {name: car}]", "- name: road\n- name: car\n"])
def test_classes_yaml_is_a_list_of_names_or_of_mappings(tmp_path, text):
    (tmp_path / "classes.yaml").write_text(text, encoding="utf-8")
    assert ClassSet.read(tmp_path / "classes.yaml").names == ("road", "car")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "road",
        "[road",
        "[1, 2]",
        "[[road]]",
        "[{color: [1, 2, 3]}]",
        "[{name: road, color: [1, 2]}]",
        "[{name: road, color: [1, 2, 256]}]",
        "[{name: road, color: red}]",
        "[{name: ' '}]",
        "[road, road]",
        "[]",
        "[null]",
    ],
)
def test_a_malformed_classes_yaml_is_refused_by_name_in_one_line(tmp_path, text):
    (tmp_path / "classes.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=r"classes\.yaml") as refusal:
        ClassSet.read(tmp_path / "classes.yaml")
    assert "\n" not in str(refusal.value)


def test_a_missing_or_binary_classes_yaml_is_refused_by_name(tmp_path):
    with pytest.raises(DataError, match=r"classes\.yaml not found"):
        ClassSet.read(tmp_path / "classes.yaml")
    (tmp_path / "classes.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match=r"classes\.yaml cannot be read"):
        ClassSet.read(tmp_path / "classes.yaml")


@pytest.mark.parametrize("thing", ["no", "false", 1, None])
def test_a_thing_that_is_neither_true_nor_false_is_refused(thing):
    with pytest.raises(DataError, match=f"thing of class 'car' must be true or false without quotes, found {thing!r}"):
        ClassSet.from_list([{"name": "car", "thing": thing}])


@pytest.mark.parametrize(
    ("text", "found"), [("[sky, no]", "False"), ("[sky, 12]", "12"), ("[sky, {name: on}]", "True")]
)
def test_a_name_that_yaml_reads_as_another_value_is_refused_with_what_to_do(tmp_path, text, found):
    (tmp_path / "classes.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=rf"classes\.yaml: class 1 must be a name .*found .*{found}.*in quotes"):
        ClassSet.read(tmp_path / "classes.yaml")
