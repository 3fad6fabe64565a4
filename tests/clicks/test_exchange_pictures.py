import pytest
from PIL import Image

from weclick.clicks import Pictures
from weclick.conventions import FrameKey
from weclick.data.layouts import open_layout
from weclick.data.masks import pictures_of
from weclick.errors import ClickError, DataError

A, B, STILL = FrameKey("a", 7), FrameKey("b", 7), FrameKey("0001TP", 6690)


def test_names_are_relative_to_the_root_with_forward_slashes(pictures):
    assert [pictures.name(key) for key in (A, STILL)] == ["frames/a/000007.png", "train/0001TP_006690.png"]


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("frames/b/000007.png", B),
        ("/mnt/share/set/frames/b/000007.png", B),
        ("a/000007.png", A),
        ("elsewhere/b/000007.jpg", B),
        ("frames\\a\\000007.png", A),
        ("./frames/a/000007.png", A),
        ("../../frames/a/000007.png", A),
        ("0001TP_006690.png", STILL),
        ("upload/5/0001TP_006690.jpeg", STILL),
        ("0001TP_006690", STILL),
        ("x/" * 5000 + "frames/a/000007.png", A),
    ],
)
def test_a_name_matches_by_the_end_of_its_path(pictures, name, key):
    assert pictures.key(name) == key


def test_an_exact_match_comes_before_a_match_by_the_end(tmp_path):
    inner, outer = FrameKey("x", 1), FrameKey("y", 1)
    pictures = Pictures(tmp_path, {inner: tmp_path / "a" / "1.png", outer: tmp_path / "b" / "a" / "1.png"})
    assert pictures.key("a/1.png") == inner
    assert pictures.key("b/a/1.png") == outer


def test_the_first_name_that_matches_counts(pictures):
    assert pictures.key("nothing.png", "frames/a/000007.png", "frames/b/000007.png") == A


@pytest.mark.parametrize("name", ["000007.png", "c/000007.png"])
def test_a_name_that_two_pictures_share_is_refused(pictures, name):
    with pytest.raises(ClickError, match=r"may be frames/a/000007\.png or frames/b/000007\.png"):
        pictures.key(name)


@pytest.mark.parametrize("name", ["", "/", "..", "frames", "a", "7.png", "holiday.jpg", "0001TP_006690/a"])
def test_an_unknown_name_is_refused(pictures, name):
    with pytest.raises(ClickError, match=r"no picture .* such as frames/a/000007\.png"):
        pictures.key(name)


def test_upright_sizes_are_read_from_the_header(tmp_path):
    turned = tmp_path / "1.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (20, 10)).save(turned, exif=exif)
    assert Pictures(tmp_path, {A: turned}).size(A) == (20, 10)
    turned.write_bytes(turned.read_bytes()[:-2])  # the header is enough
    assert Pictures(tmp_path, {A: turned}).size(A) == (20, 10)


@pytest.mark.parametrize("content", [None, b"", b"no image"])
def test_a_picture_without_a_size_is_refused(tmp_path, content):
    path = tmp_path / "1.png"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=r"1\.png is damaged"):
        Pictures(tmp_path, {A: path}).size(A)


def test_a_frame_missing_from_the_data_set_is_refused(pictures):
    with pytest.raises(ClickError, match="no picture of frame c:1"):
        pictures.name(FrameKey("c", 1))


def test_frames_decoded_outside_the_root_are_named_as_if_inside(tmp_path):
    pictures = Pictures(tmp_path / "set", {A: tmp_path / "cache" / "a" / "7.jpg"})
    assert pictures.name(A) == "frames/a/7.jpg"
    assert pictures.key("frames/a/7.jpg") == A


def test_pictures_of_a_layout_are_those_of_all_splits(synthetic_root):
    layout = open_layout("auto", synthetic_root)
    pictures = pictures_of(layout)
    for split in ("train", "val"):
        for frame in layout.frames(split):
            name = pictures.name(frame.key)
            assert synthetic_root / name == frame.image
            assert pictures.key(name) == pictures.key(frame.image.name) == frame.key
