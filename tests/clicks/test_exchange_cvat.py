import xml.etree.ElementTree as ET

import pytest

from weclick.classes import ClassSet
from weclick.clicks import Click, ClickStore, Pictures
from weclick.clicks.exchange import export_cvat, import_cvat
from weclick.conventions import FrameKey
from weclick.errors import ClickError

A = FrameKey("a", 7)
NAME = "frames/a/000007.png"


def document(*elements):
    return f"<annotations><version>1.1</version><meta/>{''.join(elements)}</annotations>"


def image(points, *, name=NAME, width="20", height="10", label="car"):
    shape = f'<points label="{label}" source="manual" occluded="0" points="{points}" z_order="0"/>'
    return f'<image id="0" name="{name}" width="{width}" height="{height}">{shape}</image>'


GOOD = image("1,1", name="frames/b/000007.png")


def test_export_writes_one_element_per_click_half_a_pixel_from_ours(store, pictures, tmp_path):
    store.add(A, [Click(0, 0, 1), Click(1.25, 2, 2)])
    export_cvat(store, tmp_path / "clicks.xml", pictures)
    root = ET.parse(tmp_path / "clicks.xml").getroot()
    assert root.findtext("version") == "1.1"
    assert [label.text for label in root.iterfind("meta/task/labels/label/name")] == ["road", "car", "Mauer, rot"]
    assert [image.attrib for image in root.iter("image")] == [{"id": "0", "name": NAME, "width": "20", "height": "10"}]
    points = [(shape.get("label"), shape.get("points")) for shape in root.iter("points")]
    assert points == [("car", "0.5,0.5"), ("Mauer, rot", "1.75,2.5")]


@pytest.mark.parametrize(
    ("element", "words"),
    [
        (image("nan,1"), "finite"),
        (image("1,inf"), "finite"),
        (image("1e999,1"), "finite"),
        (image("-1,1"), "outside the image of 20x10"),
        (image("20.1,1"), "outside the image of 20x10"),
        (image("1e300,1"), "outside the image"),
        (image("1_0,1"), "x is '1_0', not a number"),
        (image("1,b"), "y is 'b', not a number"),
        (image("1,2,3"), "y is '2,3'"),
        (image(""), "found the point '', expected x,y"),
        (image("1,2;"), "found the point ''"),
        (image("1,2", label="bus"), "unknown class 'bus'; the data set has: road, car, Mauer, rot"),
        (image("1,2").replace(' label="car"', ""), "None instead of a class name"),
        (image("1,2", name="holiday.png"), "no picture 'holiday.png'"),
        (image("1,2", name="000007.png"), "may be frames/a/000007.png or frames/b/000007.png"),
        (image("1,2", name=""), "no picture ''"),
        (image("1,2", width="40"), "is 40x10 in the file but 20x10 here"),
        (image("1,2", height=""), "height is '', not a number"),
        (image("1,2", width="9" * 5000), "width is '999"),
        (image("1,2") + image("3,4"), "twice"),
        (image("1,2") + image("3,4", name="a/000007.jpg"), "twice"),
    ],
)
def test_an_image_that_cannot_be_used_is_refused_by_name_and_nothing_imported(
    store, pictures, tmp_path, element, words
):
    path = tmp_path / "in.xml"
    path.write_text(document(GOOD, element), encoding="utf-8")
    with pytest.raises(ClickError) as caught:
        import_cvat(path, store, pictures)
    message = str(caught.value)
    assert message.startswith(f"{path}: image 0 ") and words in message and message.endswith("; nothing was imported")
    assert "\n" not in message
    assert not store.frames() and not store.provenance


def test_tracks_of_a_video_are_refused(store, pictures, tmp_path):
    path = tmp_path / "in.xml"
    path.write_text(document('<track id="0" label="car"><points frame="0" outside="0" points="1,2"/></track>'))
    with pytest.raises(ClickError, match=r"in\.xml contains tracks .* \"CVAT for images 1\.1\""):
        import_cvat(path, store, pictures)


def video_task(*sources, points='<image id="7" task_id="1" name="frame_000007" width="20" height="10">'):
    tasks = "".join(
        f"<task><id>{number}</id><mode>interpolation</mode><source>{source}</source></task>"
        for number, source in enumerate(sources, 1)
    )
    shape = '<points label="car" points="1,1"/>'
    return f"<annotations><version>1.1</version><meta>{tasks}</meta>{points}{shape}</image></annotations>"


@pytest.mark.parametrize("sources", [["b.mp4"], ["b.MTS", "a.mp4"]])
def test_frames_of_a_video_task_are_found_by_video_and_number(store, pictures, tmp_path, sources):
    path = tmp_path / "in.xml"
    path.write_text(video_task(*sources))
    assert import_cvat(path, store, pictures) == 1
    assert store.all_clicks() == {FrameKey("b", 7): [Click(0.5, 0.5, 1)]}


def test_a_task_of_another_video_is_refused(store, pictures, tmp_path):
    path = tmp_path / "in.xml"
    path.write_text(video_task("c.mp4").replace("frame_000007", "frame_006690"))
    lone = Pictures(pictures.root, {A: pictures.path(A)})
    with pytest.raises(
        ClickError, match=r"no picture 'c/006690' in .*the names there are such as frames/a/000007\.png"
    ):
        import_cvat(path, store, lone)
    path.write_text(video_task("c.mp4"))
    with pytest.raises(ClickError, match="its task is of the video c, not of a; give both the same name; nothing was"):
        import_cvat(path, store, lone)


LAUGHS = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' for i in range(1, 12))


@pytest.mark.parametrize(
    "prolog",
    [
        f'<!DOCTYPE annotations [<!ENTITY l0 "ha">{LAUGHS}]>',
        '<!DOCTYPE annotations [<!ENTITY l11 SYSTEM "file:///etc/hostname">]>',
        '<!DOCTYPE annotations SYSTEM "https://example.org/x.dtd">',
    ],
    ids=["laughs", "file", "network"],
)
def test_entities_are_not_read(store, pictures, tmp_path, prolog):
    path = tmp_path / "in.xml"
    path.write_text('<?xml version="1.0"?>' + prolog + document(image("1,1", label="&l11;")))
    with pytest.raises(ClickError, match="contains a DOCTYPE"):
        import_cvat(path, store, pictures)


@pytest.mark.parametrize("encoding", ["utf-16", "cp037", "utf-7"])
def test_no_encoding_hides_entities(store, pictures, tmp_path, encoding):
    path = tmp_path / "in.xml"
    text = f'<?xml version="1.0" encoding="{encoding}"?><!DOCTYPE annotations [<!ENTITY l0 "ha">]>' + document(GOOD)
    hidden = text.encode(encoding)
    path.write_bytes(
        f'<?xml version="1.0" encoding="{encoding}"?>'.encode() + hidden if encoding == "utf-7" else hidden
    )
    with pytest.raises(ClickError, match=r"not UTF-8|not XML|DOCTYPE"):
        import_cvat(path, store, pictures)


def test_a_byte_order_mark_is_ignored(store, pictures, tmp_path):
    (tmp_path / "in.xml").write_text(document(image("1,1")), encoding="utf-8-sig")
    assert import_cvat(tmp_path / "in.xml", store, pictures) == 1
    assert store.all_clicks() == {A: [Click(0.5, 0.5, 1)]}


def test_names_with_xml_markup_survive_and_control_characters_are_refused(pictures, tmp_path):
    classes = ClassSet.from_list([{"name": "<&\"\n'>"}, {"name": "bell \a"}])
    with ClickStore.create(tmp_path / "1", classes) as store, ClickStore.create(tmp_path / "2", classes) as other:
        store.add(A, [Click(1, 1, 0)])
        with pytest.raises(ClickError, match="character that XML cannot"):
            export_cvat(store, tmp_path / "out.xml", pictures)
    with ClickStore.create(tmp_path / "3", ClassSet(classes.classes[:1])) as store:
        store.add(A, [Click(1, 1, 0)])
        export_cvat(store, tmp_path / "out.xml", pictures)
        with ClickStore.create(tmp_path / "4", store.classes) as other:
            assert import_cvat(tmp_path / "out.xml", other, pictures) == 1
            assert other.records() == store.records()
