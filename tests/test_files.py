"""Files that appear whole or not at all, and stay."""

import errno
import os
import stat

import pytest

from weclick.errors import DataError
from weclick.files import atomic_path, new_folder, write_json, write_text, writing


def refuse_folders(monkeypatch, code):
    """Let the file system answer the syncing of a folder with an error."""
    sync = os.fsync

    def fsync(handle):
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            raise OSError(code, os.strerror(code))
        sync(handle)

    monkeypatch.setattr(os, "fsync", fsync)


def test_the_file_appears_when_the_block_ends_with_the_permissions_of_the_user(tmp_path):
    with atomic_path(tmp_path / "new" / "a.txt") as temporary:
        temporary.write_text("x")
        assert temporary.suffix == ".txt" and not (tmp_path / "new" / "a.txt").exists()
    (tmp_path / "plain").touch()
    assert (tmp_path / "new" / "a.txt").stat().st_mode == (tmp_path / "plain").stat().st_mode
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["a.txt"]


def test_what_need_not_be_durable_is_not_waited_for_and_still_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda handle: pytest.fail("waited for the disk"))
    with atomic_path(tmp_path / "a.txt", durable=False) as temporary:
        temporary.write_text("x")
        assert not (tmp_path / "a.txt").exists()
    assert (tmp_path / "a.txt").read_text() == "x"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_failing_block_leaves_the_older_file_and_no_rest(tmp_path, error):
    write_text(tmp_path / "a", "older")
    with pytest.raises(error), atomic_path(tmp_path / "a") as temporary:
        temporary.write_text("newer")
        raise error
    assert (tmp_path / "a").read_text() == "older"
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_content_is_synced_before_the_rename_and_the_folder_after_it(tmp_path, monkeypatch):
    path, synced = tmp_path / "a", []
    monkeypatch.setattr(os, "fsync", lambda handle: synced.append((os.fstat(handle).st_ino, path.exists())))
    write_text(path, "x")
    assert synced == [(path.stat().st_ino, False), (tmp_path.stat().st_ino, True)]


@pytest.mark.parametrize("code", [errno.EINVAL, errno.ENOTSUP, errno.EACCES])
def test_a_file_system_that_cannot_sync_folders_is_good_enough(tmp_path, monkeypatch, code):
    refuse_folders(monkeypatch, code)
    write_text(tmp_path / "a", "x")
    assert (tmp_path / "a").read_text() == "x"


def test_a_folder_that_cannot_be_opened_is_good_enough(tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError(errno.EACCES, "no")

    with monkeypatch.context() as patched, atomic_path(tmp_path / "a") as temporary:
        temporary.write_text("x")
        patched.setattr("weclick.files.os.open", refuse)
    assert (tmp_path / "a").read_text() == "x"


def test_a_failing_disk_is_not_kept_quiet(tmp_path, monkeypatch):
    refuse_folders(monkeypatch, errno.EIO)
    with pytest.raises(OSError, match="rror"):
        write_text(tmp_path / "a", "x")


def test_not_a_number_becomes_null(tmp_path):
    write_json(tmp_path / "a.json", {"miou": [float("nan"), 0.5]})
    assert "null" in (tmp_path / "a.json").read_text()


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match=r"b\.txt cannot be written: "), writing(tmp_path / "file" / "b.txt"):
        write_text(tmp_path / "file" / "b.txt", "x")


def test_a_new_folder_appears_whole_and_replaces_only_what_it_may(tmp_path):
    place = tmp_path / "made"
    for text in ("first", "second"):
        with new_folder(place, "thing", replace=text == "second") as made:
            (made / "file").write_text(text)
    assert (place / "file").read_text() == "second"
    with pytest.raises(DataError, match="is not empty"), new_folder(place, "thing"):
        pytest.fail("entered")
    with pytest.raises(KeyError), new_folder(place, "thing", replace=True) as made:
        (made / "file").write_text("third")
        raise KeyError
    assert (place / "file").read_text() == "second"
    assert list(tmp_path.iterdir()) == [place]


def test_a_folder_that_cannot_be_replaced_stays(tmp_path, monkeypatch):
    place = tmp_path / "made"
    place.mkdir()
    (place / "file").write_text("first")
    rename = type(place).rename

    def refuse(path, target):
        if path.name == "made" and path != place:
            raise PermissionError(errno.EPERM, "no")
        return rename(path, target)

    monkeypatch.setattr(type(place), "rename", refuse)
    with pytest.raises(DataError, match="cannot be written"), new_folder(place, "thing", replace=True):
        pass
    assert (place / "file").read_text() == "first"
    assert list(tmp_path.iterdir()) == [place]
