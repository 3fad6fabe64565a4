import shutil
import stat
import zipfile
from collections import namedtuple

import pytest

from weclick.data.archives import unpack
from weclick.errors import DataError, DiskError


@pytest.fixture
def archive(tmp_path):
    return tmp_path / "in ü" / "a b.zip"


def pack(archive, members, method=zipfile.ZIP_STORED):
    archive.parent.mkdir(exist_ok=True)
    with zipfile.ZipFile(archive, "w", method) as file:
        for name, content in members.items():
            file.writestr(name, content)


def unpacked(archive, tmp_path):
    told = []
    unpack(archive, tmp_path / "out", {".png", ".txt"}, lambda *step: told.append(step))
    return {path.relative_to(tmp_path / "out").as_posix() for path in tmp_path.glob("out/**/*") if path.is_file()}, told


def refused(archive, tmp_path, *words):
    with pytest.raises(DataError) as caught:
        unpacked(archive, tmp_path)
    for word in (archive, *words):
        assert str(word) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_wanted_files_are_unpacked_with_their_folders(archive, tmp_path):
    pack(archive, {"ä/b c/1.PNG": b"one", "2.txt": b"three", "3.exe": b"-", ".4.png": b"-", "__MACOSX/._1.png": b"-"})
    assert unpacked(archive, tmp_path) == ({"ä/b c/1.PNG", "2.txt"}, [(3, 8), (8, 8)])
    assert (tmp_path / "out" / "2.txt").read_bytes() == b"three"


@pytest.mark.parametrize("name", ["../evil.png", "a/../../evil.png", "/evil.png"])
def test_an_archive_that_names_files_outside_is_refused_as_a_whole(archive, tmp_path, name):
    pack(archive, {"a.png": b"good", name: b"evil"})
    refused(archive, tmp_path, name, "outside of its folder")
    assert not list(tmp_path.rglob("*.png"))


def test_a_link_in_an_archive_becomes_no_link(archive, tmp_path):
    link = zipfile.ZipInfo("a.png")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    pack(archive, {link: b"/etc/passwd"})
    unpacked(archive, tmp_path)
    assert not (tmp_path / "out" / "a.png").is_symlink()
    assert (tmp_path / "out" / "a.png").read_bytes() == b"/etc/passwd"


def test_a_bomb_is_refused_before_it_is_unpacked(archive, tmp_path):
    pack(archive, {"a.png": bytes(1 << 20)}, zipfile.ZIP_DEFLATED)
    refused(archive, tmp_path, "would unpack to 0.00 GB, too much for")
    assert not (tmp_path / "out").exists()


def test_a_truncated_archive_and_another_file_are_refused(archive, tmp_path):
    pack(archive, {"a.png": b"content"})
    archive.write_bytes(archive.read_bytes()[:-9])
    refused(archive, tmp_path, f"is truncated ({archive.stat().st_size} bytes)", "download it again")
    archive.write_bytes(b"<html>")
    refused(archive, tmp_path, "not a zip archive (6 bytes)")


def test_a_damaged_and_an_encrypted_member_are_named(archive, tmp_path):
    pack(archive, {"a.png": b"good content"})
    whole = archive.read_bytes()
    archive.write_bytes(whole.replace(b"good", b"evil"))
    refused(archive, tmp_path, "damaged at a.png", "CRC")
    locked = bytearray(whole)
    for start, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        locked[locked.index(start) + offset] |= 1
    archive.write_bytes(locked)
    refused(archive, tmp_path, "a.png", "encrypted")


def test_a_full_disk_is_refused_before_anything_is_written(archive, tmp_path, monkeypatch):
    pack(archive, {"a.png": b"content"})
    usage = namedtuple("Usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(0, 0, 6))
    with pytest.raises(DiskError, match=r"a b\.zip, unpacked, needs .* GB free; free some space"):
        unpacked(archive, tmp_path)
    assert not (tmp_path / "out").exists()
