import json

import pytest

from weclick.clicks import Click
from weclick.clicks.exchange import export_coco, import_coco
from weclick.conventions import FrameKey
from weclick.errors import ClickError

A, STILL = FrameKey("a", 7), FrameKey("0001TP", 6690)
IMAGE = {"id": 1, "file_name": "frames/a/000007.png", "width": 20, "height": 10}
CATEGORY = {"id": 1, "name": "car", "keypoints": ["point"], "skeleton": []}


def annotation(*keypoints, **changes):
    return {"id": 9, "image_id": 1, "category_id": 1, "keypoints": list(keypoints or (1, 2, 2)), **changes}


def content(*annotations, images=(IMAGE,), categories=(CATEGORY,)):
    return {"images": list(images), "annotations": list(annotations), "categories": list(categories)}


def write(path, value):
    path.write_text(json.dumps(value), encoding="utf-8")
    return path


def test_export_writes_one_annotation_per_click(store, pictures, tmp_path):
    store.add(A, [Click(0, 0, 1), Click(1.25, 2, 2)], annotator="ann")
    store.add(STILL, [Click(3, 4, 0)])
    assert export_coco(store, tmp_path / "out.json", pictures) == 3
    written = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    assert written["categories"] == [
        {"id": 1, "name": "road", "supercategory": "stuff", "keypoints": ["point"], "skeleton": []},
        {"id": 2, "name": "car", "supercategory": "thing", "keypoints": ["point"], "skeleton": []},
        {"id": 3, "name": "Mauer, rot", "supercategory": "stuff", "keypoints": ["point"], "skeleton": []},
    ]
    assert written["images"] == [
        {"id": 1, "file_name": "train/0001TP_006690.png", "width": 20, "height": 10},
        {"id": 2, "file_name": "frames/a/000007.png", "width": 20, "height": 10},
    ]
    assert [(a["id"], a["image_id"], a["category_id"], a["keypoints"]) for a in written["annotations"]] == [
        (1, 1, 1, [3.5, 4.5, 2]),
        (2, 2, 2, [0.5, 0.5, 2]),
        (3, 2, 3, [1.75, 2.5, 2]),
    ]
    for one in written["annotations"]:
        assert one["bbox"] == [*one["keypoints"][:2], 0, 0]
        assert (one["num_keypoints"], one["area"], one["iscrowd"]) == (1, 0, 0)


def test_labelled_key_points_are_clicks_visible_or_not(store, pictures, tmp_path):
    path = write(tmp_path / "in.json", content(annotation(1, 2, 2, 0, 0, 0, 3, 4, 1)))
    assert import_coco(path, store, pictures) == 2
    assert store.all_clicks() == {A: [Click(0.5, 1.5, 1), Click(2.5, 3.5, 1)]}


def test_annotations_without_key_points_are_counted(store, pictures, tmp_path, caplog):
    path = write(tmp_path / "in.json", content(annotation(keypoints=[]), annotation(keypoints=None), annotation()))
    assert import_coco(path, store, pictures) == 1
    assert caplog.messages == [f"{path}: left out: 2 annotations without key points"]


def test_ids_may_be_text_and_sizes_missing(store, pictures, tmp_path):
    image = {"id": "x", "file_name": "0001TP_006690.jpg"}
    category = {"id": "c", "name": "road"}
    one = annotation(image_id="x", category_id="c")
    assert (
        import_coco(write(tmp_path / "in.json", content(one, images=[image], categories=[category])), store, pictures)
        == 1
    )
    assert list(store.all_clicks()) == [STILL]


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (content(annotation(float("nan"), 1, 2)), "finite"),
        (content(annotation(-1, 1, 2)), "outside the image of 20x10"),
        (content(annotation(1, 11, 2)), "outside the image of 20x10"),
        (content(annotation(1, "2", 2)), "coordinate is '2', not a number"),
        (content(annotation(1, 2, None)), "coordinate is None"),
        (content(annotation(1, 2)), "x, y, v"),
        (content(annotation(keypoints="none")), "x, y, v"),
        (content(annotation(image_id=5)), "image_id 5 is not in the file"),
        (content(annotation(image_id=[1])), "image_id [1] is not in the file"),
        (content(annotation(category_id=5)), "category_id 5 is not in the file"),
        (content(annotation(), categories=[{"id": 1, "name": "bus"}]), "unknown class 'bus'; the data set has: road"),
        (content(annotation(), categories=[{"id": 1}]), "has None instead of a class name"),
        (content(annotation(), images=[{**IMAGE, "file_name": "holiday.png"}]), "no picture 'holiday.png'"),
        (content(annotation(), images=[{**IMAGE, "file_name": "000007.png"}]), "may be frames/a/000007.png or"),
        (content(annotation(), images=[{**IMAGE, "width": 21}]), "is 21x10 in the file but 20x10 here"),
        (
            content(annotation(), annotation(image_id=2), images=[IMAGE, {**IMAGE, "id": 2}]),
            "frame a:7, which has points here twice",
        ),
    ],
)
def test_an_annotation_that_cannot_be_used_is_refused_by_id_and_nothing_imported(store, pictures, tmp_path, bad, words):
    path = write(tmp_path / "in.json", bad)
    with pytest.raises(ClickError) as caught:
        import_coco(path, store, pictures)
    message = str(caught.value)
    assert message.startswith(f"{path}: annotation 9: ") and message.endswith("; nothing was imported")
    assert words in message and "\n" not in message
    assert not store.frames()


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ([], "is not a COCO file"),
        ({}, "images must be a list"),
        ({"images": [], "categories": []}, "annotations must be a list"),
        (content(images=[IMAGE, IMAGE]), "each of the images needs its own id, found 1 twice"),
        (content(images=[{}]), "each of the images needs an id, found None"),
        (content(categories=[{"id": [1]}]), r"each of the categories needs an id, found \[1\]"),
    ],
)
def test_a_file_that_is_not_coco_is_refused(store, pictures, tmp_path, bad, words):
    with pytest.raises(ClickError, match=words):
        import_coco(write(tmp_path / "in.json", bad), store, pictures)
