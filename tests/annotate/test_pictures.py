"""The browser shows the pixels that training reads."""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from weclick.annotate.pictures import Cache, Picture, Pictures
from weclick.errors import DataError, OutsideError
from weclick.images import read_image


@pytest.fixture
def pictures(tmp_path):
    return Pictures(tmp_path)


@pytest.fixture
def image():
    return Image.fromarray(np.random.default_rng(0).integers(0, 255, (6, 10, 3), np.uint8))


def shown(picture):
    return cv2.imdecode(np.frombuffer(picture.data, np.uint8), cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION)


def rotated(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


@pytest.mark.parametrize("suffix", ["jpg", "png"])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_usual_pictures_are_sent_byte_for_byte(pictures, image, tmp_path, suffix, mode):
    path = tmp_path / f"a.{suffix}"
    image.convert(mode).save(path)
    assert pictures.size(path) == (6, 10)
    assert pictures.read(path).data == path.read_bytes()


@pytest.mark.parametrize("suffix", ["jpg", "png"])
@pytest.mark.parametrize("orientation", [2, 3, 6, 8])
def test_a_rotated_picture_is_sent_upright_as_training_reads_it(pictures, image, tmp_path, suffix, orientation):
    path = tmp_path / f"a.{suffix}"
    image.save(path, exif=rotated(orientation))
    read = read_image(path)
    assert pictures.size(path) == read.shape[:2] == ((10, 6) if orientation > 4 else (6, 10))
    assert (shown(pictures.read(path)) == read).all()
    assert pictures.read(path).media_type == "image/png"


@pytest.mark.parametrize("kind", ["CMYK", "webp in a jpg"])
def test_pictures_that_browsers_may_show_differently_are_sent_as_training_reads_them(pictures, image, tmp_path, kind):
    path = tmp_path / "a.jpg"
    if kind == "CMYK":
        image.convert("CMYK").save(path)
    else:
        image.save(path, format="webp")
    assert (shown(pictures.read(path)) == read_image(path)).all()
    assert pictures.size(path) == (6, 10)


@pytest.mark.parametrize("content", [b"", b"GIF89a", "missing", "16 bits", "huge", "truncated"])
def test_pictures_that_training_refuses_are_refused(pictures, tmp_path, content, image):
    path = tmp_path / "a.png"
    if content == "truncated":
        image.save(path)
        path.write_bytes(path.read_bytes()[:-20])
    elif content == "16 bits":
        cv2.imwrite(str(path), np.zeros((4, 4, 3), np.uint16))
    elif content == "huge":
        image.save(path)
        data = bytearray(path.read_bytes())
        data[16:24] = b"\x00\x01\x86\xa0" * 2  # 100,000 pixels each way
        path.write_bytes(data)
    elif content != "missing":
        path.write_bytes(content)
    with pytest.raises(DataError, match=r"a\.png"):
        pictures.size(path)
    with pytest.raises(DataError, match=r"a\.png"):
        pictures.read(path)


def test_a_replaced_picture_is_read_again(pictures, image, tmp_path):
    path = tmp_path / "a.png"
    image.save(path)
    before = pictures.read(path)
    image.resize((20, 12)).save(path)
    after = pictures.read(path)
    assert after.data == path.read_bytes() and after.etag != before.etag
    assert pictures.size(path) == (12, 20)


def test_a_link_out_of_the_data_set_is_refused_and_one_within_it_is_not(tmp_path, image):
    root, outside = tmp_path / "root", tmp_path / "outside.png"
    root.mkdir()
    for path in (outside, root / "inside.png"):
        image.save(path)
    (root / "out.png").symlink_to(outside)
    (root / "in.png").symlink_to("inside.png")
    (root / "loop.png").symlink_to("loop.png")
    pictures = Pictures(root)
    assert pictures.size(root / "in.png") == (6, 10)
    with pytest.raises(OutsideError, match="leads out"):
        pictures.read(root / "out.png")
    with pytest.raises(DataError):
        pictures.read(root / "loop.png")
    (tmp_path / "link").symlink_to(root)
    assert Pictures(tmp_path / "link").size(tmp_path / "link" / "inside.png") == (6, 10)


@pytest.mark.parametrize("kind", ["pipe", "folder", "device"])
def test_special_files_are_refused_without_blocking(pictures, tmp_path, kind):
    path = tmp_path / "a.png"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        pictures, path = Pictures(Path("/dev")), Path("/dev/zero")
    for method in (pictures.size, pictures.read):
        with pytest.raises(DataError, match="not a regular file"):
            method(path)


def test_frames_decoded_into_the_users_cache_are_allowed(tmp_path, monkeypatch, image):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "cache" / "weclick" / "film-0123"
    folder.mkdir(parents=True)
    image.save(folder / "0.png")
    assert Pictures(tmp_path / "root").size(folder / "0.png") == (6, 10)


def test_the_cache_holds_the_most_recently_used_pictures_up_to_its_limit():
    cache, made = Cache(limit=25), []

    def get(name):
        def make():
            made.append(name)
            return Picture(bytes(10), "", "")

        return cache.get(name, make)

    for name in "abacaab":
        get(name)
    assert made == ["a", "b", "c", "b"]
    assert cache.bytes == 20
    cache.get("large", lambda: Picture(bytes(99), "", ""))
    assert cache.bytes == 0
