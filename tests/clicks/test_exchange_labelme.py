import json

import pytest

from weclick.clicks import Click, Pictures
from weclick.clicks.exchange import export_labelme, import_labelme
from weclick.conventions import FrameKey
from weclick.errors import ClickError

A, B, STILL = FrameKey("a", 7), FrameKey("b", 7), FrameKey("0001TP", 6690)


def content(points=((1, 2),), **changes):
    shape = {"label": "car", "points": points, "group_id": None, "shape_type": "point", "flags": {}}
    own = {key: changes.pop(key) for key in ("label", "annotator") if key in changes}
    fields = {"version": "5.5.0", "flags": {}, "shapes": [{**shape, **own}], "imagePath": "frames/a/000007.png"}
    return {**fields, "imageData": None, "imageHeight": 10, "imageWidth": 20, **changes}


def write(folder, **files):
    folder.mkdir(exist_ok=True)
    for name, value in files.items():
        (folder / f"{name}.json").write_text(json.dumps(value), encoding="utf-8")
    return folder


def test_export_writes_a_file_where_labelme_finds_its_picture(store, pictures, tmp_path):
    store.add(A, [Click(0, 0, 1)])
    store.add(STILL, [Click(1.25, 2, 2)], annotator="ann")
    assert export_labelme(store, tmp_path / "out", pictures) == 2
    files = {file.relative_to(tmp_path / "out").as_posix(): file for file in (tmp_path / "out").rglob("*.json")}
    assert sorted(files) == ["frames/a/000007.json", "train/0001TP_006690.json"]
    for name, key in (("frames/a/000007.json", A), ("train/0001TP_006690.json", STILL)):
        image = files[name].parent / json.loads(files[name].read_text(encoding="utf-8"))["imagePath"]
        assert image.resolve() == pictures.path(key).resolve()
    written = json.loads(files["train/0001TP_006690.json"].read_text(encoding="utf-8"))
    assert (written["imageData"], written["imageHeight"], written["imageWidth"]) == (None, 10, 20)
    (shape,) = written["shapes"]
    assert (shape["label"], shape["points"], shape["shape_type"]) == ("Mauer, rot", [[1.75, 2.5]], "point")
    assert shape["annotator"] == "ann"


def test_files_beside_the_pictures_are_told_apart_by_their_folder(store, other, pictures):
    store.add(A, [Click(0, 0, 1)])
    store.add(B, [Click(0, 0, 2)])
    export_labelme(store, pictures.root, pictures)
    try:
        file = pictures.root / "frames" / "a" / "000007.json"
        assert json.loads(file.read_text(encoding="utf-8"))["imagePath"] == "000007.png"
        assert import_labelme(pictures.root, other, pictures) == 2
        assert other.records() == store.records()
        assert import_labelme(file.parent, other, pictures, replace=True) == 1
        assert import_labelme(file, other, pictures, replace=True) == 1
        assert other.records() == store.records()
    finally:
        for file in pictures.root.rglob("*.json"):
            file.unlink()


def test_an_existing_file_is_not_overwritten(store, pictures, tmp_path):
    store.add(A, [Click(0, 0, 1)])
    store.add(B, [Click(0, 0, 1)])
    theirs = tmp_path / "frames" / "b" / "000007.json"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("polygons")
    with pytest.raises(ClickError, match=r"000007\.json exists; export to a new folder"):
        export_labelme(store, tmp_path, pictures)
    assert theirs.read_text() == "polygons"
    assert not (tmp_path / "frames" / "a").exists()


def test_two_pictures_that_would_share_a_file_are_refused(store, tmp_path):
    pictures = Pictures(tmp_path, {A: tmp_path / "a" / "7.png", B: tmp_path / "a" / "7.jpg"})
    for key in (A, B):
        store.add(key, [Click(0, 0, 1)], size=(10, 20))
    with pytest.raises(ClickError, match=r"a/7\.png and a/7\.jpg would share .*7\.json"):
        export_labelme(store, tmp_path / "out", pictures)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (content([[float("nan"), 1]]), "finite"),
        (content([[1, float("inf")]]), "finite"),
        (content([[-1, 1]]), "outside the image of 20x10"),
        (content([[10**400, 1]]), "x is "),
        (content([["1", 1]]), "x is '1', not a number"),
        (content([[True, 1]]), "x is True, not a number"),
        (content([[1, None]]), "y is None, not a number"),
        (content([]), "one position"),
        (content([[1, 2], [3, 4]]), "one position"),
        (content([[1, 2, 3]]), "one position"),
        (content(label="bus"), "unknown class 'bus'; the data set has: road"),
        (content(label=3), "has 3 instead of a class name"),
        (content(imagePath="holiday.png"), "no picture"),
        (content(imagePath=None), "no picture"),
        (content(imagePath="000007.png"), "may be frames/a/000007.png or frames/b/000007.png"),
        (content(imageWidth=40), "is 40x10 in the file but 20x10 here"),
        (content(imageHeight="10"), "is 20x'10' in the file"),
        (content(shapes=[3]), "shapes must be a list of objects"),
        (content(imagePath="frames/b/000007.png"), "frame b:7, which has points here twice"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_by_name_and_nothing_imported(store, pictures, tmp_path, bad, words):
    folder = write(tmp_path / "in", a=content(imagePath="frames/b/000007.png"), bad=bad)
    with pytest.raises(ClickError) as caught:
        import_labelme(folder, store, pictures)
    message = str(caught.value)
    assert message.startswith(f"{folder / 'bad.json'}: ") and message.endswith("; nothing was imported")
    assert words in message and "\n" not in message
    assert not store.frames()


def test_missing_sizes_are_not_compared(store, pictures, tmp_path):
    folder = write(tmp_path / "in", a=content(imageHeight=None, imageWidth=None))
    assert import_labelme(folder, store, pictures) == 1
    assert store.all_clicks() == {A: [Click(0.5, 1.5, 1)]}


def test_a_folder_without_labelme_files_is_refused(store, pictures, tmp_path):
    folder = write(tmp_path / "in", polygons={"objects": []})
    (folder / ".hidden.json").write_text("{")
    with pytest.raises(ClickError, match="contains no labelme file"):
        import_labelme(folder, store, pictures)


def test_a_damaged_file_is_refused(store, pictures, tmp_path):
    folder = write(tmp_path / "in", a=content())
    (folder / "b.json").write_text('{"shapes": [')
    with pytest.raises(ClickError, match=r"b\.json is not JSON"):
        import_labelme(folder, store, pictures)
    assert not store.frames()
