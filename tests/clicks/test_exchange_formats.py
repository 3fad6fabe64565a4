"""Tests of every format that identifies frames by pictures."""

import logging

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weclick.clicks import FORMATS, Click, ClickStore, format_of, format_to_write, open_or_create
from weclick.conventions import FrameKey
from weclick.errors import ClickError, ConfigError

A, B, STILL = FrameKey("a", 7), FrameKey("b", 7), FrameKey("0001TP", 6690)
BY_PICTURE = [name for name in FORMATS if name != "csv"]
FILES = {"cvat": "cvat.xml", "labelme": "labelme", "label-studio": "label_studio.json", "coco": "coco.json"}
LEFT_OUT = {
    "cvat": "2 box, 1 polygon, 1 skeleton",
    "labelme": "1 JSON files of another kind, 1 polygon",
    "label-studio": "1 cancelled annotations, 1 rectanglelabels",
    "coco": "1 annotations without key points, 1 unlabelled key points",
}
LAST = 1e-6
"""Distance from the right or lower border at which a point on it is imported."""


def clicks_of(store):
    return [(record.key, record.click) for record in store.records()]


@pytest.fixture(params=BY_PICTURE)
def name(request):
    return request.param


def test_every_format_is_listed():
    assert list(FORMATS) == ["csv", *FILES]


@pytest.mark.parametrize("name", FORMATS)
def test_export_and_import_give_the_same_clicks(store, other, pictures, tmp_path, name):
    store.add(A, [Click(1.25, 2, 1), Click(3, 4, 2)], annotator="ann")
    store.add(STILL, [Click(-0.5, 9, 0)])
    store.add(B, [Click(1, 1, 0)], status="skipped")
    assert FORMATS[name].export(store, tmp_path / "out", pictures) == 3
    assert FORMATS[name].load(tmp_path / "out", other, pictures) == 3
    assert clicks_of(other) == clicks_of(store)
    assert other.fingerprint() == store.fingerprint()
    assert set(other.statuses().values()) == {"done"}
    assert other.provenance == {"imported": "out"}
    annotators = [record.annotator for record in other.records()]
    assert annotators == ([""] * 3 if name == "cvat" else ["", "ann", "ann"])


inside = st.tuples(
    st.sampled_from([A, B, STILL]),
    st.builds(Click, st.floats(-0.5, 19.49), st.floats(-0.5, 9.49), st.integers(0, 2)),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=4),
)


@settings(deadline=None, max_examples=15)
@given(st.lists(inside, min_size=1, max_size=6), st.sampled_from(BY_PICTURE))
def test_any_clicks_survive_a_round_trip(tmp_path_factory, classes, pictures, records, name):
    folder = tmp_path_factory.mktemp("exchange")
    with ClickStore.create(folder / "1", classes) as store, ClickStore.create(folder / "2", classes) as other:
        for key, click, annotator in records:
            store.add(key, [click], annotator=annotator)
        FORMATS[name].export(store, folder / "out", pictures)
        FORMATS[name].load(folder / "out", other, pictures)
        assert len(other.records()) == len(store.records())
        for ours, read in zip(store.records(), other.records(), strict=True):
            assert read.key == ours.key and read.click.class_id == ours.click.class_id
            assert read.click[:2] == pytest.approx(ours.click[:2], abs=1e-6)
            assert name == "cvat" or read.annotator == ours.annotator


def test_files_of_other_tools_are_read(fixtures, store, pictures, caplog, name):
    with caplog.at_level(logging.WARNING):
        count = FORMATS[name].load(fixtures / FILES[name], store, pictures)
    road, car, wall = range(3)
    corner = (19.5 - LAST, 9.5 - LAST)
    expected = {
        "cvat": {A: [(1, 2, car), (*corner, car), (-0.5, -0.25, wall)], STILL: [(10, 9, road)]},
        "labelme": {B: [(1, 2, car), (19.5 - LAST, -0.5, road)], STILL: [(10, 9, wall)]},
        "label-studio": {B: [(19.5 - LAST, -0.5, road)], STILL: [(1, 2, car)]},
        "coco": {A: [(1, 2, car), (*corner, car)], STILL: [(10, 9, road)]},
    }[name]
    imported = {key: [tuple(click) for click in clicks] for key, clicks in store.all_clicks().items()}
    assert imported.keys() == expected.keys()
    for key, clicks in expected.items():
        assert imported[key] == [pytest.approx(click) for click in clicks]
    assert count == sum(map(len, expected.values()))
    assert store.frames()[STILL].size == (10, 20)
    assert caplog.messages == [f"{fixtures / FILES[name]}: left out: {LEFT_OUT[name]}"]


def test_import_then_export_then_import_changes_nothing(fixtures, store, other, pictures, tmp_path, name):
    FORMATS[name].load(fixtures / FILES[name], store, pictures)
    FORMATS[name].export(store, tmp_path / "again", pictures)
    FORMATS[name].load(tmp_path / "again", other, pictures)
    assert other.records() == store.records()


def test_frames_that_already_have_clicks_are_refused_unless_replaced(fixtures, store, pictures, name):
    store.add(STILL, [Click(5, 5, 0)])
    with pytest.raises(ClickError, match="frame 0001TP:6690 already has clicks"):
        FORMATS[name].load(fixtures / FILES[name], store, pictures)
    assert store.all_clicks() == {STILL: [Click(5, 5, 0)]}
    FORMATS[name].load(fixtures / FILES[name], store, pictures, replace=True)
    once = store.all_clicks()
    FORMATS[name].load(fixtures / FILES[name], store, pictures, replace=True)
    assert store.all_clicks() == once and Click(5, 5, 0) not in once[STILL]


def test_sizes_come_from_the_store_before_the_picture(store, other, pictures, tmp_path, name):
    store.add(A, [Click(30, 5, 0)], size=(40, 60))
    FORMATS[name].export(store, tmp_path / "out", pictures)
    with pytest.raises(ClickError, match=r"the picture is 60x40 in the file but 20x10 here.*; nothing was imported"):
        FORMATS[name].load(tmp_path / "out", other, pictures)
    assert not other.frames()


def test_a_click_outside_the_picture_is_not_exported(store, pictures, tmp_path, name):
    store.add(A, [Click(30, 5, 0)])
    with pytest.raises(ClickError, match=r"frame a:7: click at .* outside .* clicks check"):
        FORMATS[name].export(store, tmp_path / "out", pictures)
    assert not (tmp_path / "out").exists()


def test_a_frame_without_a_picture_is_not_exported(store, pictures, tmp_path, name):
    store.add(FrameKey("gone", 1), [Click(3, 5, 0)], size=(10, 20))
    with pytest.raises(ClickError, match="no picture of frame gone:1"):
        FORMATS[name].export(store, tmp_path / "out", pictures)
    assert not (tmp_path / "out").exists()


def test_a_path_that_cannot_be_written_is_refused(store, pictures, tmp_path, name):
    store.add(A, [Click(3, 5, 0)])
    (tmp_path / "file").write_text("")
    with pytest.raises(ClickError, match="cannot be written"):
        FORMATS[name].export(store, tmp_path / "file" / "out", pictures)


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"\xff\xfe<", b"<annotations>", b"{", b"null", b"[1]", b"{}", b'"x"', b"[" * 100_000, b"9" * 5000),
        *(b'{"images": 3, "annotations": [], "categories": []}', b'[{"id": 1}]', b'[{"data": {}, "annotations": 0}]'),
        *(b'{"shapes": 3}', b'{"shapes": [{"shape_type": "point"}]}', b"<html/>", b"\0"),
    ],
    ids=lambda content: repr(content[:40]),
)
def test_a_file_of_another_kind_is_refused_in_one_line(store, pictures, tmp_path, content, name):
    path = tmp_path / "in"
    path.write_bytes(content)
    with pytest.raises(ClickError) as caught:
        FORMATS[name].load(path, store, pictures)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)
    assert not store.frames()


def nested(depth):
    value = []
    for _ in range(depth):
        value = [value]
    return value


DEEP = nested(50_000)
IMAGE = "frames/a/000007.png"


def labelme(image=IMAGE, kind="point", **shape):
    point = {"shape_type": "point", "label": "car", "points": [[1, 1]], **shape}
    return "labelme", {"imagePath": image, "shapes": [{"shape_type": kind}, point]}


def label_studio(*results, task=1, **annotation):
    return "label-studio", [
        {"id": task, "data": {"image": IMAGE}, "annotations": [{"result": list(results), **annotation}]}
    ]


def coco(image=IMAGE, **annotation):
    annotation = {"id": 1, "image_id": 1, "keypoints": [1, 1, 2], **annotation}
    return "coco", {"images": [{"id": 1, "file_name": image}], "categories": [], "annotations": [annotation]}


POINT = {"type": "keypointlabels", "value": {"x": 1, "y": 1, "keypointlabels": ["bus"]}}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        *(labelme(DEEP), labelme(kind=DEEP, label="bus"), labelme(points=DEEP), labelme(label="bus", annotator=DEEP)),
        *(label_studio(POINT, task=DEEP), label_studio({"type": DEEP}, POINT), label_studio({**POINT, "value": DEEP})),
        *(label_studio(POINT, completed_by=DEEP), label_studio({**POINT, "meta": {"annotator": DEEP}})),
        *(coco(DEEP), coco(id=DEEP), coco(annotator=DEEP)),
    ],
    ids=map(str, range(12)),
)
def test_deeply_nested_json_is_refused_in_one_short_line(monkeypatch, store, pictures, tmp_path, name, content):
    for module in ("labelme", "label_studio", "coco"):
        monkeypatch.setattr(f"weclick.clicks.exchange.{module}.read_json", lambda path: content)
    with pytest.raises(ClickError) as caught:
        FORMATS[name].load(tmp_path / "in", store, pictures)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400
    assert not store.frames()


def test_each_run_of_clicks_by_one_annotator_is_imported_as_one_change(store, other, pictures, tmp_path):
    for annotator in ("ann", "ann", "bob", "ann"):
        store.add(A, [Click(len(store.clicks(A)), 0, 0)], annotator=annotator)
    FORMATS["csv"].export(store, tmp_path / "out.csv", pictures)
    FORMATS["csv"].load(tmp_path / "out.csv", other, pictures)
    assert other.records() == store.records()
    assert other.frame(A).version == 3


def test_a_missing_file_is_refused(store, pictures, tmp_path, name):
    with pytest.raises(ClickError, match="gone cannot be read"):
        FORMATS[name].load(tmp_path / "gone", store, pictures)


def test_a_store_that_another_process_created_meanwhile_is_kept(classes, path):
    with pytest.raises(ClickError, match="already exists"), open_or_create(path, classes) as mine:
        mine.add(A, [Click(1, 1, 0)])
        with ClickStore.create(path, classes) as theirs:
            theirs.add(B, [Click(2, 2, 0)])
    with ClickStore(path, classes) as kept:
        assert list(kept.all_clicks()) == [B]


def test_the_format_to_write_follows_from_the_name(tmp_path):
    names = {"clicks.csv": "csv", "CLICKS.XML": "cvat", "folder": "labelme"}
    assert {name: format_to_write(tmp_path / name) for name in names} == names
    assert format_to_write(tmp_path) == "labelme"
    with pytest.raises(ConfigError, match="--format label-studio or --format coco"):
        format_to_write(tmp_path / "clicks.json")
    with pytest.raises(ConfigError, match=r"suffix '\.zip'; use one of csv, cvat"):
        format_to_write(tmp_path / "clicks.zip")


@pytest.mark.parametrize("name", FILES)
def test_the_format_of_a_file_is_detected(fixtures, name):
    assert format_of(fixtures / FILES[name]) == name


def test_one_labelme_file_is_detected_and_other_json_refused(fixtures, tmp_path):
    assert format_of(fixtures / "labelme" / "0001TP_006690.json") == "labelme"
    with pytest.raises(ClickError, match=r"other\.json is JSON, but not of"):
        format_of(fixtures / "labelme" / "other.json")
    with pytest.raises(ConfigError, match="suffix"):
        format_of(tmp_path / "clicks.zip")
