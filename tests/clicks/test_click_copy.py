import pytest

from weclick.clicks import Click, ClickStore, copy_store
from weclick.conventions import FrameKey
from weclick.errors import ClickError, DataError

A, B = FrameKey("a", 7), FrameKey("b", 0)


def test_a_copy_made_during_a_transaction_holds_the_state_before_it(store, path, classes, tmp_path):
    store.add(A, [Click(1.0, 1.0, 0)], size=(10, 20), annotator="ann")
    stored, out = store.fingerprint(), tmp_path / "run" / "clicks.sqlite"
    with store.transaction():
        store.add(B, [Click(2.0, 2.0, 1)])
        copy_store(path, out, classes)
    with ClickStore(out, classes, readonly=True) as copy:
        assert copy.fingerprint() == stored != store.fingerprint()
        assert copy.frames() == {A: store.frame(A)}
        assert [file.name for file in out.parent.iterdir()] == [out.name]  # it needs no log to be read


def test_the_error_names_a_path_that_cannot_be_written(store, path, classes, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(DataError, match=r"file/clicks\.sqlite cannot be written"):
        copy_store(path, tmp_path / "file" / "clicks.sqlite", classes)


def test_a_missing_store_is_not_copied(classes, tmp_path):
    with pytest.raises(ClickError, match="not found"):
        copy_store(tmp_path / "none.sqlite", tmp_path / "copy.sqlite", classes)
    assert not list(tmp_path.iterdir())
