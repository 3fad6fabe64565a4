"""Files that appear whole or not at all, and stay."""

import errno
import os
import stat
from types import SimpleNamespace

import pytest

from weclick.disk import disk_error, disk_errors
from weclick.errors import DataError, DiskError
from weclick.files import (
    atomic_path,
    atomic_path_apart,
    locked,
    new_folder,
    remove_leftovers,
    write_json,
    write_text,
    writing,
)


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


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (errno.ENOSPC, r"the disk / is full \(.* GB free\); free some space there"),
        (errno.EDQUOT, r"the disk / gives you no more space \(quota\)"),
        (errno.EROFS, r"the disk / is read-only; choose another folder"),
        (errno.EFBIG, r"the disk / or your limit \(ulimit -f\)"),
    ],
)
def test_a_disk_that_takes_no_more_is_named_with_the_file_and_nothing_is_left(tmp_path, monkeypatch, code, words):
    def refuse(handle):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os.path, "ismount", lambda path: str(path) == "/")
    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(DiskError, match=rf"{tmp_path}/new/a\.txt cannot be written: {words}"):
        write_text(tmp_path / "new" / "a.txt", "x")
    assert not list((tmp_path / "new").iterdir())


def test_a_disk_without_room_for_more_files_is_not_called_nearly_empty(tmp_path, monkeypatch):
    state = os.statvfs(tmp_path)
    fields = {name: getattr(state, name) for name in dir(state) if name.startswith("f_")}
    monkeypatch.setattr(os, "statvfs", lambda path: SimpleNamespace(**{**fields, "f_files": 9, "f_favail": 0}))
    assert "as many files as it can" in str(disk_error(OSError(errno.ENOSPC, ""), tmp_path))


def test_a_full_disk_is_seen_behind_the_error_of_a_library(tmp_path):
    with pytest.raises(DiskError, match=r"b\.bin cannot be written"), disk_errors(tmp_path / "b.bin"):
        with open("/dev/full", "wb") as stream:  # noqa: PTH123
            try:
                stream.write(bytes(1 << 20))
            except OSError:
                raise RuntimeError("unexpected position") from None


@pytest.mark.parametrize("error", [ValueError("no"), OSError(errno.EIO, "disk"), DataError("no")])
def test_other_errors_are_left_as_they_are(tmp_path, error):
    with pytest.raises(type(error)) as raised, disk_errors(tmp_path):
        raise error
    assert raised.value is error


def test_a_file_on_a_full_disk_that_nobody_can_name_is_a_hint_to_the_doctor():
    assert "weclick doctor" in str(disk_error(OSError(errno.ENOSPC, "No space left on device")))


def test_two_who_write_the_same_file_do_not_share_a_temporary_one(tmp_path):
    with atomic_path(tmp_path / "a.txt") as one:
        one.write_text("first")
        with atomic_path(tmp_path / "a.txt") as other:
            assert other != one
            other.write_text("second")
        assert (tmp_path / "a.txt").read_text() == "second"
    assert (tmp_path / "a.txt").read_text() == "first"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_what_a_killed_process_left_is_not_mixed_with_the_new_content(tmp_path):
    (tmp_path / ".a-writing.txt").write_text("half of an older text that is longer")
    with atomic_path(tmp_path / "a.txt") as temporary, temporary.open("r+") as stream:
        stream.write("new")
    assert (tmp_path / "a.txt").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_a_link_in_the_place_of_a_temporary_file_is_not_followed(tmp_path):
    (tmp_path / "other").write_text("keep")
    (tmp_path / ".a-writing.txt").symlink_to(tmp_path / "other")
    write_text(tmp_path / "a.txt", "x")
    assert (tmp_path / "other").read_text() == "keep"


def test_without_locks_files_are_written_too(tmp_path, monkeypatch):
    def no_locks(handle, operation):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("weclick.files.fcntl.flock", no_locks)
    write_text(tmp_path / "a.txt", "x")
    assert (tmp_path / "a.txt").read_text() == "x"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_leftovers_are_removed_but_not_what_is_being_written(tmp_path):
    for name in (".old-writing.csv", ".clicks.lock", ".hidden.csv", ".lock"):
        (tmp_path / name).touch()
    with atomic_path(tmp_path / "new.csv") as temporary, locked(tmp_path / ".new.lock"):
        remove_leftovers(tmp_path, tmp_path / "nowhere")
        assert {path.name for path in tmp_path.iterdir()} == {temporary.name, ".new.lock", ".hidden.csv", ".lock"}


def test_a_file_written_apart_takes_its_companions_away(tmp_path):
    with atomic_path_apart(tmp_path / "a.db") as path:
        path.write_text("x")
        path.with_name("a.db-journal").touch()
    assert [path.name for path in tmp_path.iterdir()] == ["a.db"]
