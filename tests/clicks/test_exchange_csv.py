import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from weclick.classes import ClassSet
from weclick.clicks import Click, ClickStore, Pictures, export_csv, import_csv
from weclick.conventions import FrameKey
from weclick.errors import ClickError

A = FrameKey("a", 7)
B = FrameKey("b", 7)
HEADER = "video,number,x,y,class,annotator\n"
GOOD = "a,7,1,2,car,ann\n"


def test_export_writes_one_line_per_click(store, tmp_path):
    store.add(A, [Click(1.25, 2, 0), Click(3, 4, 2)], annotator="ann")
    store.add(FrameKey("s", 1), [Click(1, 1, 0)], status="skipped")
    assert export_csv(store, tmp_path / "clicks.csv") == 2
    assert (tmp_path / "clicks.csv").read_text().splitlines() == [
        '"video","number","x","y","class","annotator"',
        '"a",7,1.25,2.0,"road","ann"',
        '"a",7,3.0,4.0,"Mauer, rot","ann"',
    ]


def test_round_trip_gives_the_same_clicks(store, other, pictures, tmp_path):
    store.add(A, [Click(1.1, 2, 0), Click(1 / 3, 4, 2)], annotator="ann")
    store.add(B, [Click(0, 0, 1)])
    export_csv(store, tmp_path / "clicks.csv")
    assert import_csv(tmp_path / "clicks.csv", other, pictures) == 3
    assert other.records() == store.records()
    assert other.fingerprint() == store.fingerprint()
    assert set(other.statuses().values()) == {"done"}
    assert {frame.size for frame in other.frames().values()} == {(10, 20)}
    assert other.provenance == {"imported": "clicks.csv"}


text = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
rows = st.tuples(
    st.builds(FrameKey, text.filter(bool), st.integers(0, 2**63 - 1)),
    st.builds(Click, st.floats(-0.5, 19.49), st.floats(-0.5, 9.49), st.integers(0, 2)),
    text,
)


@settings(deadline=None, max_examples=40)
@given(st.lists(rows, max_size=5), st.lists(text.filter(str.strip), min_size=3, max_size=3, unique=True))
def test_any_names_and_numbers_survive_a_round_trip(tmp_path_factory, records, names):
    folder = tmp_path_factory.mktemp("csv")
    classes = ClassSet.from_list([{"name": name} for name in names])
    Image.new("RGB", (20, 10)).save(folder / "any.png")
    pictures = Pictures(folder, {key: folder / "any.png" for key, _, _ in records})
    with ClickStore.create(folder / "1", classes) as store, ClickStore.create(folder / "2", classes) as other:
        for key, click, annotator in records:
            store.add(key, [click], annotator=annotator)
        export_csv(store, folder / "clicks.csv")
        import_csv(folder / "clicks.csv", other, pictures)
        assert other.records() == store.records()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("a,7,nan,2,car,", "finite"),
        ("a,7,inf,2,car,", "finite"),
        ("a,7,1_0,2,car,", "x is '1_0'"),
        ("a,7,1,,car,", "y is ''"),
        ("a,7.5,1,2,car,", "number is '7.5'"),
        ("a,-7,1,2,car,", "needs a video name"),
        (",7,1,2,car,", "needs a video name"),
        ("a,7,1,2,bus,", "unknown class 'bus'"),
        ("a,7,1,2,1,", "unknown class '1'"),
        ("a,7,1,2,car", "needs 6 fields"),
        ("a,7,1,2,car,ann,more", "needs 6 fields"),
        ('a,7,1,2,car,"ann', "unexpected end of data"),
        ("a," + "9" * 5000 + ",1,2,car,", "not a number"),
        ("a,99999999999999999999,1,2,car,", "needs a video name"),
        ("b,7,20,2,car,", "outside the image of 20x10"),
        ("b,7,5000,5,car,", "outside the image of 20x10"),
        ("b,999,1,2,car,", "no picture of frame b:999"),
        ("sunday,7,1,2,car,", "no picture of frame sunday:7"),
    ],
)
def test_malformed_line_is_refused_naming_file_and_line_and_nothing_is_imported(store, pictures, tmp_path, line, words):
    store.add(B, [], status="todo", size=(99, 99))
    before = store.frames()
    path = tmp_path / "in.csv"
    path.write_text(HEADER + GOOD + line + "\n")
    with pytest.raises(ClickError, match=words) as caught:
        import_csv(path, store, pictures)
    assert str(caught.value).startswith(f"{path}:3: ") and "\n" not in str(caught.value)
    assert store.frames() == before and store.records() == []


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "found columns none; expected video"),
        (b"video;number;x;y;class;annotator\n", "expected video, number"),
        (b"video,number,x,y,class\n", "expected video, number"),
        (HEADER.encode() + b"\xff\xfe", "not UTF-8"),
    ],
)
def test_file_that_is_no_click_csv_is_refused(store, pictures, tmp_path, content, words):
    path = tmp_path / "in.csv"
    path.write_bytes(content)
    with pytest.raises(ClickError, match=words):
        import_csv(path, store, pictures)
    with pytest.raises(ClickError, match=r"gone\.csv cannot be read"):
        import_csv(tmp_path / "gone.csv", store, pictures)


def test_spreadsheet_file_with_byte_order_mark_and_other_column_order_is_read(store, pictures, tmp_path):
    (tmp_path / "in.csv").write_text("class,x,y,annotator,number,video\r\ncar,1,2,ann,7,a\r\n", encoding="utf-8-sig")
    assert import_csv(tmp_path / "in.csv", store, pictures) == 1
    assert store.all_clicks() == {A: [Click(1, 2, 1)]}


def test_frames_that_already_have_clicks_are_refused_unless_replaced(store, pictures, tmp_path):
    store.add(A, [Click(5, 5, 0)])
    (tmp_path / "in.csv").write_text(HEADER + "b,7,1,2,car,\n" + GOOD)
    with pytest.raises(ClickError, match="a:7 already has clicks"):
        import_csv(tmp_path / "in.csv", store, pictures)
    assert store.all_clicks() == {A: [Click(5, 5, 0)]}
    for _ in range(2):
        import_csv(tmp_path / "in.csv", store, pictures, replace=True)
        assert store.all_clicks() == {A: [Click(1, 2, 1)], B: [Click(1, 2, 1)]}


def test_path_that_cannot_be_written_is_refused(store, tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(ClickError, match="cannot be written"):
        export_csv(store, tmp_path / "folder")
    assert sorted(p.name for p in tmp_path.iterdir() if p.suffix != ".sqlite" and "sqlite-" not in p.name) == ["folder"]
