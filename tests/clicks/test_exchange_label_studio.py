import json
from urllib.parse import unquote

import pytest

from weclick.clicks import Click
from weclick.clicks.exchange import export_label_studio, import_label_studio
from weclick.conventions import FrameKey
from weclick.errors import ClickError

A, B, STILL = FrameKey("a", 7), FrameKey("b", 7), FrameKey("0001TP", 6690)


def result(x=50, y=50, label="car", **changes):
    value = {"x": x, "y": y, "width": 0.5, "keypointlabels": [label]}
    picture = {"original_width": 20, "original_height": 10, "image_rotation": 0}
    return {**picture, "type": "keypointlabels", "from_name": "label", "to_name": "image", "value": value, **changes}


def task(*results, image="frames/a/000007.png", **changes):
    annotation = {"result": list(results or [result()]), "was_cancelled": False, "completed_by": 1}
    return {"id": 8, "data": {"image": image}, "annotations": [annotation], "predictions": [], **changes}


def write(path, *tasks):
    path.write_text(json.dumps(tasks), encoding="utf-8")
    return path


def test_export_writes_percentages_of_the_picture(store, pictures, tmp_path):
    store.add(A, [Click(9.5, 4.5, 1), Click(-0.5, 7, 2)], annotator="ann")
    assert export_label_studio(store, tmp_path / "out.json", pictures) == 2
    (written,) = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    assert unquote(written["data"]["image"]) == "/data/local-files/?d=frames/a/000007.png"
    (annotation,) = written["annotations"]
    assert [(r["value"]["x"], r["value"]["y"]) for r in annotation["result"]] == [(50, 50), (0, 75)]
    assert [r["value"]["keypointlabels"] for r in annotation["result"]] == [["car"], ["Mauer, rot"]]
    assert {(r["original_width"], r["original_height"], r["type"]) for r in annotation["result"]} == {
        (20, 10, "keypointlabels")
    }
    assert len({r["id"] for r in annotation["result"]}) == 2


@pytest.mark.parametrize(
    ("image", "key"),
    [
        ("frames/b/000007.png", B),
        ("/data/local-files/?d=frames/b/000007.png", B),
        ("/data/local-files/?d=Stra%C3%9Fe%201%5Cframes%5Cb%5C000007.png", B),
        ("https://example.org/set/frames/b/000007.png?token=1&x=%20", B),
        ("s3://bucket/set/frames/b/000007.png", B),
        ("gs://bucket/a%20b/0001TP_006690.jpg", STILL),
        ("/data/upload/5/3f2a1b0c-0001TP_006690.png", STILL),
        ("upload/3f2a1b0c-0001TP_006690.png", STILL),
        ("3f2a1b0c-0001TP_006690.png", STILL),
        ("0001TP_006690.png", STILL),
    ],
)
def test_pictures_are_found_however_the_task_names_them(store, pictures, tmp_path, image, key):
    assert import_label_studio(write(tmp_path / "in.json", task(image=image)), store, pictures) == 1
    assert store.all_clicks() == {key: [Click(9.5, 4.5, 1)]}


def test_a_picture_under_another_variable_is_found(store, pictures, tmp_path):
    path = write(tmp_path / "in.json", task(data={"img": "0001TP_006690.png", "weight": 3}))
    assert import_label_studio(path, store, pictures) == 1


@pytest.mark.parametrize(
    ("completed_by", "meta", "who"),
    [
        (3, None, "3"),
        ({"id": 3, "email": "a@b.c"}, {"text": ["blurred"]}, "a@b.c"),
        ({"id": 3}, None, "3"),
        (None, None, ""),
        (3, {"annotator": "ann"}, "ann"),
    ],
)
def test_the_annotator_comes_from_the_result_or_the_annotation(store, pictures, tmp_path, completed_by, meta, who):
    marked = result() if meta is None else result(meta=meta)
    path = write(tmp_path / "in.json", task(annotations=[{"result": [marked], "completed_by": completed_by}]))
    import_label_studio(path, store, pictures)
    assert [record.annotator for record in store.records()] == [who]


def annotations(*results):
    return [{"result": [one]} for one in results]


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (task(result(x=float("nan"))), "finite"),
        (task(result(y=-10)), "outside the image of 20x10"),
        (task(result(x=100.1)), "outside the image of 20x10"),
        (task(result(x="50")), "x is '50', not a number"),
        (task(result(y=None)), "y is None, not a number"),
        (task(result(label="bus")), "unknown class 'bus'; the data set has: road"),
        (task(result(value={"x": 1, "y": 1, "keypointlabels": ["car", "road"]})), "one label"),
        (task(result(value={"x": 1, "y": 1, "keypointlabels": []})), "one label"),
        (task(result(value=None)), "one label"),
        (task(result(original_width=40)), "is 40x10 in the file but 20x10 here"),
        (task(result(), result(original_height=11)), "is 20x11 in the file but 20x10 here"),
        (task(result(image_rotation=90)), "was rotated"),
        (task(image="holiday.png"), "no picture 'holiday.png'"),
        (task(image="000007.png"), "may be frames/a/000007.png or"),
        (task(image="http://[x"), "is not the URL of a picture"),
        (task(image=3), "has no picture named image"),
        (task(data={"a": "x.png", "b": "y.png"}), "has no picture named image"),
        (task(data=None), "JSON-MIN"),
        ({"id": 8, "image": "frames/a/000007.png", "kp": []}, "JSON-MIN"),
        (task(annotations=None), "annotations must be a list"),
        (task(annotations=[{"result": None}]), "result must be a list"),
        (task(annotations=annotations(result(), result())), "2 annotations of one picture"),
        (task(image="frames/b/000007.png"), "frame b:7, which has points here twice"),
    ],
)
def test_a_task_that_cannot_be_used_is_refused_by_number_and_nothing_imported(store, pictures, tmp_path, bad, words):
    path = write(tmp_path / "in.json", task(image="frames/b/000007.png", id=7), bad)
    with pytest.raises(ClickError) as caught:
        import_label_studio(path, store, pictures)
    message = str(caught.value)
    assert message.startswith(f"{path}: task 8: ") and message.endswith("; nothing was imported")
    assert words in message and "\n" not in message
    assert not store.frames()


def test_missing_sizes_are_not_compared(store, pictures, tmp_path):
    path = write(tmp_path / "in.json", task(result(original_width=None, original_height=None)))
    assert import_label_studio(path, store, pictures) == 1


def test_an_annotation_without_key_points_beside_one_with_them_is_ignored(store, pictures, tmp_path):
    path = write(tmp_path / "in.json", task(annotations=[{"result": []}, *annotations(result())]))
    assert import_label_studio(path, store, pictures) == 1


def test_of_a_list_only_the_entry_that_is_no_object_is_shown(store, pictures, tmp_path):
    path = write(tmp_path / "in.json", task(result(), result()), 3, task())
    with pytest.raises(ClickError, match=r"in\.json.* must be a list of objects, found 3; nothing was imported$"):
        import_label_studio(path, store, pictures)
