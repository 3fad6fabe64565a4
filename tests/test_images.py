import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from weclick.errors import DataError
from weclick.images import ImageFile, check_same_size, read_image, read_instances, read_label, resize_image
from weclick.listing import has_images, list_folders, list_images, list_numbered

TABLE = [*range(3), *[-1] * 252, 255]
PICTURE = np.random.default_rng(0).integers(0, 256, (24, 32, 3), np.uint8)


def write(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(path.suffix, array)[1].tobytes())
    return path


def test_colours_come_as_rgb_from_paths_with_spaces_and_unicode(tmp_path):
    path = write(tmp_path / "straße 東京" / "bild 1.png", PICTURE[..., ::-1])
    assert np.array_equal(read_image(path), PICTURE)


def test_grey_is_repeated_and_alpha_dropped(tmp_path):
    grey = read_image(write(tmp_path / "grey.png", PICTURE[..., 0]))
    assert np.array_equal(grey, np.repeat(PICTURE[..., :1], 3, axis=2))
    alpha = np.dstack([PICTURE[..., ::-1], PICTURE[..., 0]])
    assert np.array_equal(read_image(write(tmp_path / "alpha.png", alpha)), PICTURE)


def test_16_bit_image_is_refused(tmp_path):
    path = write(tmp_path / "deep.png", PICTURE.astype(np.uint16) * 256)
    with pytest.raises(DataError, match=r"deep\.png has 16 bits a channel"):
        read_image(path)


@pytest.mark.parametrize("kind", [{}, {"compress_level": 0}, {"transparency": (1, 2, 3)}, {"orientation": 6}])
@pytest.mark.parametrize("mode", ["RGB", "L", "P"])
def test_a_png_is_read_as_opencv_reads_it(tmp_path, mode, kind):
    path, exif = tmp_path / "a.png", Image.Exif()
    exif[0x112] = kind.get("orientation", 1)
    options = {name: value if mode == "RGB" else 1 for name, value in kind.items() if name != "orientation"}
    Image.fromarray(PICTURE).convert(mode).save(path, exif=exif if "orientation" in kind else None, **options)
    assert np.array_equal(read_image(path), cv2.imread(str(path), cv2.IMREAD_COLOR_RGB))


def test_a_png_without_pixels_is_refused(tmp_path):
    path = write(tmp_path / "a.png", PICTURE)
    raw = path.read_bytes()
    header = b"IHDR" + bytes(8) + raw[24:29]
    path.write_bytes(raw[:12] + header + zlib.crc32(header).to_bytes(4, "big") + raw[33:])
    with pytest.raises(DataError, match=r"a\.png"):
        ImageFile(path)


@pytest.mark.parametrize("rows", [1, 7, 24, 99])
def test_the_top_of_a_png_has_the_rows_that_are_needed(tmp_path, rows):
    file = ImageFile(write(tmp_path / "a.png", PICTURE[..., ::-1]))
    assert file.size == (24, 32)
    assert np.array_equal(file.rgb(rows), PICTURE[:rows])


def test_the_top_of_another_format_is_the_whole_image(tmp_path):
    path = write(tmp_path / "a.jpg", PICTURE[..., ::-1])
    file = ImageFile(path)
    assert file.size == (24, 32)
    assert np.array_equal(file.rgb(5), read_image(path))


def test_a_png_with_damaged_pixels_is_refused(tmp_path):
    path = write(tmp_path / "a.png", PICTURE)
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 255
    path.write_bytes(raw)
    with pytest.raises(DataError, match=r"a\.png is damaged"):
        read_image(path)


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_bad_files_are_named_with_their_fault(tmp_path, suffix):
    path = write(tmp_path / f"a{suffix}", PICTURE)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=rf"a{suffix} is truncated"):
        read_image(path)
    path.write_bytes(b"")
    with pytest.raises(DataError, match=r"is empty \(0 bytes\)"):
        read_image(path)
    path.write_bytes(b"<html>not found</html>")
    with pytest.raises(DataError, match="damaged or not an image"):
        read_image(path)
    path.unlink()
    with pytest.raises(DataError, match="not found"):
        read_image(path)
    path.mkdir()
    with pytest.raises(DataError, match="cannot be read"):
        read_image(path)


def test_truncated_jpeg_is_found_behind_a_whole_thumbnail(tmp_path):
    jpeg = cv2.imencode(".jpg", PICTURE)[1].tobytes()
    thumbnail = cv2.imencode(".jpg", PICTURE[:8, :8])[1].tobytes()
    exif = b"\xff\xe1" + (len(thumbnail) + 2).to_bytes(2, "big") + thumbnail
    path = tmp_path / "a.jpg"
    path.write_bytes(jpeg[:2] + exif + jpeg[2:] + b"trailing bytes")
    assert read_image(path).shape == PICTURE.shape
    path.write_bytes(jpeg[:2] + exif + jpeg[2:-40])
    with pytest.raises(DataError, match="truncated"):
        read_image(path)


@settings(deadline=None, max_examples=30)
@given(share=st.floats(0.0, 0.999), suffix=st.sampled_from([".jpg", ".png"]))
def test_no_truncated_image_is_ever_read(tmp_path_factory, share, suffix):
    whole = cv2.imencode(suffix, PICTURE)[1].tobytes()
    path = tmp_path_factory.mktemp("cut") / f"a{suffix}"
    path.write_bytes(whole[: int(share * (len(whole) - 4))])
    with pytest.raises(DataError):
        read_image(path)


def test_label_values_become_class_ids(tmp_path):
    path = write(tmp_path / "l.png", np.array([[7, 8], [0, 255]], np.uint8))
    table = np.full(256, -1, np.int16)
    table[[7, 8, 0, 255]] = 0, 1, 255, 255
    label = read_label(path, table)
    assert label.dtype == np.uint8
    assert label.tolist() == [[0, 1], [255, 255]]
    assert read_label(path, None).tolist() == [[7, 8], [0, 255]]


def test_unknown_label_values_are_listed(tmp_path):
    path = write(tmp_path / "l.png", np.array([[0, 1], [9, 77]], np.uint8))
    with pytest.raises(DataError, match=r"l\.png holds unknown label values \[9, 77\]"):
        read_label(path, TABLE)


def test_label_of_a_palette_png_gives_indices_not_colours(tmp_path):
    ids = np.array([[0, 1, 2], [2, 255, 0]], np.uint8)
    image = Image.fromarray(ids)
    image.putpalette(bytes(np.random.default_rng(1).integers(0, 256, 768, np.uint8)))
    image.save(tmp_path / "p.png")
    assert np.array_equal(read_label(tmp_path / "p.png", TABLE), ids)


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif"])
@pytest.mark.parametrize("palette", [False, True], ids=["grey", "palette"])
def test_lossless_formats_keep_the_ids(tmp_path, suffix, palette):
    ids = np.array([[0, 1, 2], [2, 255, 0]], np.uint8)
    image = Image.fromarray(ids)
    if palette:
        image.putpalette(bytes(np.random.default_rng(1).integers(0, 256, 768, np.uint8)))
    image.save(tmp_path / f"l.{suffix}")
    assert np.array_equal(read_label(tmp_path / f"l.{suffix}", TABLE), ids)


@pytest.mark.parametrize(
    ("name", "options"), [("l.jpg", {}), ("l.png", {"format": "JPEG"}), ("l.tif", {"compression": "jpeg"})]
)
def test_a_label_as_jpeg_is_refused_whatever_its_name(tmp_path, name, options):
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / name, **options)
    with pytest.raises(DataError, match=rf"{name} is .*JPEG, which changes class ids; write the mask again, as PNG"):
        read_label(tmp_path / name, None)


def test_a_label_of_more_pixels_than_can_be_meant_is_refused(tmp_path):
    image = Image.new("P", (8, 8))
    image.save(tmp_path / "bomb.png")
    raw = bytearray((tmp_path / "bomb.png").read_bytes())
    raw[16:24] = (60_000).to_bytes(4, "big") * 2
    raw[29:33] = zlib.crc32(raw[12:29]).to_bytes(4, "big")
    (tmp_path / "bomb.png").write_bytes(raw)
    with pytest.raises(DataError, match=r"bomb\.png is damaged or not an image"):
        read_label(tmp_path / "bomb.png", None)


@pytest.mark.parametrize("array", [PICTURE, PICTURE[..., 0].astype(np.uint16)])
def test_colour_and_16_bit_labels_are_refused(tmp_path, array):
    with pytest.raises(DataError, match="one 8-bit channel of class ids"):
        read_label(write(tmp_path / "l.png", array), None)


def test_label_of_few_bits_is_refused_as_its_values_would_be_scaled(tmp_path):
    Image.fromarray(np.eye(8, dtype=bool)).save(tmp_path / "bits.png")
    with pytest.raises(DataError, match="1-bit grey"):
        read_label(tmp_path / "bits.png", None)


def test_damaged_palette_label_is_refused(tmp_path):
    image = Image.fromarray(PICTURE[..., 0])
    image.putpalette(bytes(768))
    image.save(tmp_path / "p.png")
    raw = bytearray((tmp_path / "p.png").read_bytes())
    start = raw.index(b"IDAT") + 4
    raw[start : start + 60] = bytes(60)
    (tmp_path / "p.png").write_bytes(raw)
    with pytest.raises(DataError, match=r"p\.png is damaged"):
        read_label(tmp_path / "p.png", None)


def test_cityscapes_instances_below_1000_are_none(tmp_path):
    path = write(tmp_path / "i.png", np.array([[7, 999], [1000, 26003]], np.uint16))
    found = read_instances(path)
    assert found.dtype == np.int32
    assert found.tolist() == [[0, 0], [1000, 26003]]


def test_8_bit_instances_count_from_one(tmp_path):
    path = write(tmp_path / "i.png", np.array([[0, 1], [2, 255]], np.uint8))
    assert read_instances(path).tolist() == [[0, 1], [2, 255]]
    with pytest.raises(DataError, match="one channel of 8 or 16 bits"):
        read_instances(write(tmp_path / "c.png", PICTURE))


def test_sizes_are_both_named(tmp_path):
    a, b = tmp_path / "a.png", tmp_path / "b.png"
    check_same_size(PICTURE.shape, (24, 32), a, b)
    with pytest.raises(DataError, match=r"b\.png is 16x24 but its image .*a\.png is 32x24"):
        check_same_size(PICTURE.shape, (24, 16), a, b)


def test_listing_skips_hidden_and_foreign_files(tmp_path):
    for name in ("b.PNG", "a.jpg", "._a.jpg", "notes.txt"):
        (tmp_path / name).touch()
    assert list(list_images(tmp_path)) == ["a", "b"]
    assert list_images(tmp_path / "missing") == {}


def test_folders_are_listed_sorted_without_hidden_ones_and_files(tmp_path):
    for name in ("b", "a", ".decoding"):
        (tmp_path / name).mkdir()
    (tmp_path / "c.png").touch()
    assert list_folders(tmp_path) == [tmp_path / "a", tmp_path / "b"]
    assert list_folders(tmp_path / "missing") == []
    assert (has_images(tmp_path), has_images(tmp_path / "a"), has_images(tmp_path / "missing")) == (True, False, False)


def test_frame_numbers_are_the_digits_at_the_end(tmp_path):
    for name in ("frame_10.png", "frame_9.png", "v2_0011.jpg"):
        (tmp_path / name).touch()
    assert [(number, path.name) for number, path in list_numbered(tmp_path).items()] == [
        (9, "frame_9.png"),
        (10, "frame_10.png"),
        (11, "v2_0011.jpg"),
    ]


def test_ambiguous_and_numberless_frames_are_refused(tmp_path):
    (tmp_path / "1.png").touch()
    (tmp_path / "01.png").touch()
    with pytest.raises(DataError, match=r"01\.png and 1\.png have the same frame number"):
        list_numbered(tmp_path)
    (tmp_path / "01.png").replace(tmp_path / "1.jpg")
    with pytest.raises(DataError, match=r"1\.jpg and 1\.png differ only in format"):
        list_images(tmp_path)
    (tmp_path / "1.jpg").replace(tmp_path / "left.png")
    with pytest.raises(DataError, match=r"left\.png has no frame number"):
        list_numbered(tmp_path)


def test_frames_shrink_by_averaging():
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 200
    assert np.unique(resize_image(stripes, (32, 32))).tolist() == [100]
    assert resize_image(stripes, (64, 64)) is stripes
