import ctypes
import hashlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weclick.classes import ClassSet
from weclick.clicks import Click, ClickStore, copy_store
from weclick.clicks.records import AcceptedLabel, FrameRecord, TimedClick
from weclick.conventions import FrameKey
from weclick.errors import ClickError, ConflictError, StoreError

A = FrameKey("a", 7)
B = FrameKey("b/Straße 東京 🚗", 0)

CLASSES = 'ClassSet.from_list([{"name": "road"}, {"name": "car", "thing": True}, {"name": "Mauer, rot"}])'
PRELUDE = f"""
import sys
from pathlib import Path
from weclick.classes import ClassSet
from weclick.clicks import Click, ClickStore
from weclick.errors import ClickError
from weclick.conventions import FrameKey
path, classes = Path(sys.argv[1]), {CLASSES}
"""


def start(code, *arguments, **options):
    command = [sys.executable, "-c", PRELUDE + code, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **options)


def obey_permissions():
    # Root may write anywhere; without this capability it may not (CAP_DAC_OVERRIDE, from the next exec on).
    if os.geteuid() == 0:
        ctypes.CDLL(None).prctl(24, 1, 0, 0, 0)


def test_clicks_are_still_there_after_reopening(path, classes):
    with ClickStore.create(path, classes) as store:
        store.add(A, [Click(1.25, 2.0, 0), Click(3.0, 4.5, 2)], size=(10, 20), annotator="ann")
        store.add(B, [Click(5, 6, 1)])
    with ClickStore(path, classes) as store:
        assert store.clicks(A) == [Click(1.25, 2.0, 0), Click(3.0, 4.5, 2)]
        assert store.all_clicks() == {A: store.clicks(A), B: [Click(5.0, 6.0, 1)]}
        assert list(store.all_clicks()) == [A, B]
        assert store.counts() == {"road": 1, "car": 1, "Mauer, rot": 1}
        assert store.frames()[A][:3] == ("done", "ann", (10, 20))
        assert store.frames()[A].updated.endswith("+00:00")
        assert store.frames()[B].size is None
    assert sorted(p.name for p in path.parent.iterdir()) == [path.name]


def test_add_appends_and_replace_replaces(store):
    store.add(A, [Click(1, 1, 0)])
    store.add(A, [Click(2, 2, 1)])
    assert store.clicks(A) == [Click(1, 1, 0), Click(2, 2, 1)]
    store.replace(A, [Click(3, 3, 2)])
    assert store.clicks(A) == [Click(3, 3, 2)]


def test_skipped_frames_are_no_targets_and_keep_their_clicks(store):
    store.add(A, [Click(1, 1, 0)])
    store.add(A, [], status="skipped")
    store.add(B, [], status="todo")
    assert store.statuses() == {A: "skipped", B: "todo"}
    assert store.all_clicks() == {}
    assert store.clicks(A) == [Click(1, 1, 0)]


def test_unknown_frame_has_no_clicks(store):
    assert store.clicks(A) == []


def test_numpy_numbers_are_stored_as_numbers(store):
    key = FrameKey("v", np.int64(3))
    store.add(key, [Click(np.float32(1.5), np.float64(2), np.uint8(1))])
    assert store.all_clicks() == {FrameKey("v", 3): [Click(1.5, 2.0, 1)]}


@pytest.mark.parametrize(
    ("click", "words"),
    [
        (Click(float("nan"), 1, 0), "finite"),
        (Click(1, float("inf"), 0), "finite"),
        (Click(1, 1, 3), "unknown class id 3"),
        (Click(1, 1, -1), "unknown class id -1"),
        (Click(1, 1, 254), "unknown class id 254"),
        (Click(20, 1, 0), "outside the image of 20x10"),
        (Click(1, 9.5, 0), "outside"),
        (Click(-0.51, 1, 0), "outside"),
    ],
)
def test_wrong_click_is_refused_and_nothing_of_the_change_is_stored(store, click, words):
    with pytest.raises(ClickError, match=words):
        store.add(A, [Click(1, 1, 0), click], size=(10, 20))
    assert store.frames() == {} and store.clicks(A) == []
    store.add(A, [Click(1, 1, 0)], size=(10, 20))
    with pytest.raises(ClickError, match=words):
        store.replace(A, [click])
    assert store.clicks(A) == [Click(1, 1, 0)]


@settings(deadline=None)
@given(st.floats(-0.5, 19.4999), st.floats(-0.5, 9.4999))
def test_a_click_inside_falls_on_a_pixel(x, y):
    click = Click(x, y, 0)
    assert click.inside((10, 20))
    assert 0 <= click.pixel[0] < 20 and 0 <= click.pixel[1] < 10
    assert max(abs(click.pixel[0] - x), abs(click.pixel[1] - y)) <= 0.5


@pytest.mark.parametrize("key", [FrameKey("", 1), FrameKey("v", -1), FrameKey("v", 2**63), FrameKey("\udcff", 1)])
def test_wrong_frame_key_is_refused(store, key):
    with pytest.raises(ClickError, match="needs a video name"):
        store.add(key, [])


def test_unknown_status_is_refused(store):
    with pytest.raises(ClickError, match=r"'finished'.*todo, done, skipped"):
        store.add(A, [], status="finished")


def test_clicks_made_on_a_scaled_image_are_refused(store):
    store.add(A, [Click(1, 1, 0)], size=(10, 20))
    with pytest.raises(ClickError, match=r"a:7 is 20x10 .* but 40x20"):
        store.add(A, [Click(1, 1, 0)], size=(20, 40))
    store.replace(A, [Click(30, 1, 0)], size=(20, 40))
    assert store.frames()[A].size == (20, 40)


def test_transaction_is_all_or_nothing(store):
    with pytest.raises(KeyboardInterrupt), store.transaction():
        store.add(A, [Click(1, 1, 0)])
        store.note(rule="center")
        raise KeyboardInterrupt
    assert store.frames() == {} and store.provenance == {}
    store.add(A, [Click(1, 1, 0)])
    assert list(store.all_clicks()) == [A]


def test_a_refused_change_inside_a_transaction_changes_nothing(store):
    store.add(A, [Click(1, 1, 0)])
    with store.transaction():
        with pytest.raises(ClickError):
            store.replace(A, [Click(1, 1, 9)])
        store.add(B, [Click(2, 2, 0)])
    assert store.all_clicks() == {A: [Click(1, 1, 0)], B: [Click(2, 2, 0)]}


def test_provenance_is_kept_as_text(store):
    store.note(rule="center", seed=3)
    store.note(seed=4)
    assert store.provenance == {"rule": "center", "seed": "4"}


def test_fingerprint_follows_clicks_and_classes_not_order_or_annotator(tmp_path, classes):
    def fingerprint(name, keys, classes=classes, annotator="", x=1.0):
        with ClickStore.create(tmp_path / name, classes) as store:
            for key in keys:
                store.add(key, [Click(x, 2, 0), Click(3, 4, 1)], annotator=annotator)
            return store.fingerprint()

    same = fingerprint("1", [A, B])
    assert fingerprint("2", [B, A], annotator="someone") == same
    assert fingerprint("3", [A]) != same
    assert fingerprint("4", [A, B], x=1.5) != same
    assert fingerprint("5", [A, B], ClassSet.from_list([{"name": n} for n in "abc"])) != same


def test_fingerprint_distinguishes_finished_frames_from_unfinished_ones(store):
    store.add(A, [Click(1, 2, 0)])
    store.add(B, [Click(3, 4, 1)])
    done = store.fingerprint()
    store.add(B, [], status="todo")
    assert store.fingerprint() != done
    store.add(B, [], status="done")
    assert store.fingerprint() == done
    store.add(FrameKey("c", 0), [], status="todo")  # frames without clicks are not in the hash
    assert store.fingerprint() == done


def test_the_fingerprint_of_a_finished_store_is_that_of_earlier_versions(store):
    store.add(A, [Click(1, 2, 0)])
    content = [store.classes.names, [[*A, 1.0, 2.0, 0]]]
    assert store.fingerprint() == hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]


def test_store_of_other_classes_is_refused_naming_the_difference(store, path):
    with pytest.raises(ClickError, match="class 1 is 'car' in the store and 'bus' in the data set"):
        ClickStore(path, ClassSet.from_list([{"name": "road"}, {"name": "bus"}, {"name": "Mauer, rot"}]))
    with pytest.raises(ClickError, match="3 in the store and 1 in the data set"):
        ClickStore(path, ClassSet.from_list([{"name": "road"}]))


def test_missing_store_is_refused_with_a_hint(path, classes):
    with pytest.raises(ClickError, match="not found; make one with `weclick clicks simulate`"):
        ClickStore(path, classes)
    assert not path.exists()


def test_create_refuses_to_overwrite(store, path, classes):
    store.add(A, [Click(1, 1, 0)])
    with pytest.raises(ClickError, match="already exists"):
        ClickStore.create(path, classes)
    assert list(store.all_clicks()) == [A]


def test_create_refuses_the_log_of_a_removed_store(path, classes):
    log = path.with_name(path.name + "-wal")
    log.write_bytes(b"clicks not yet in the file")
    with pytest.raises(ClickError, match="left over"):
        ClickStore.create(path, classes)
    assert log.exists()


@pytest.mark.parametrize("readonly", [False, True])
@pytest.mark.parametrize("content", [b"", b"video,number,x,y\n" * 100, b"SQLite format 3\0" + bytes(5000)])
def test_file_that_is_no_store_is_refused_and_not_changed(path, classes, content, readonly):
    path.write_bytes(content)
    with pytest.raises(ClickError, match=path.name):
        ClickStore(path, classes, readonly=readonly)
    assert path.read_bytes() == content


def test_foreign_database_is_refused_and_not_changed(path, classes):
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE frames (video TEXT)")
    db.close()
    before = path.read_bytes()
    with pytest.raises(ClickError, match="is not a click store"):
        ClickStore(path, classes)
    assert path.read_bytes() == before


def test_store_of_another_version_is_refused(store, path, classes):
    store.close()
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(ClickError, match="version 99"):
        ClickStore(path, classes)


@pytest.mark.parametrize("damage", ["cut", "zeros"])
def test_damaged_store_is_refused_naming_it(store, path, classes, damage):
    for number in range(300):
        store.add(FrameKey("v", number), [Click(1, 1, 0)] * 5)
    store.close()
    content = path.read_bytes()
    half = len(content) // 2
    path.write_bytes(content[:half] if damage == "cut" else content[:half] + bytes(4096) + content[half + 4096 :])
    with pytest.raises(ClickError, match=rf"{path.name}.*restore a copy"):
        ClickStore(path, classes, readonly=True)


def test_readonly_store_sees_later_clicks_and_refuses_changes(store, path, classes):
    with ClickStore(path, classes, readonly=True) as reader:
        store.add(A, [Click(1, 1, 0)])
        assert list(reader.all_clicks()) == [A]
        with pytest.raises(ClickError, match="read-only"):
            reader.add(A, [Click(2, 2, 0)])
    assert store.clicks(A) == [Click(1, 1, 0)]


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_readonly_works_where_nothing_can_be_written_and_writing_is_refused(store, path, kind):
    store.add(A, [Click(1, 1, 0)])
    store.close()
    path.chmod(0o444)
    if kind == "folder":
        path.parent.chmod(0o555)
    code = """
with ClickStore(path, classes, readonly=True) as store:
    print(len(store.all_clicks()))
for make in (ClickStore, ClickStore.create):
    try:
        make(path if make is ClickStore else path.with_name("new.sqlite"), classes).close()
        print("made")
    except ClickError as error:
        print("refused")
"""
    try:
        output, _ = start(code, path, preexec_fn=obey_permissions).communicate()
    finally:
        path.parent.chmod(0o755)
    assert output.split() == ["1", "refused", "made" if kind == "file" else "refused"]


def test_readonly_refuses_to_miss_clicks_that_are_still_in_the_log(store, path, tmp_path):
    store.add(A, [Click(1, 1, 0)])
    folder = tmp_path / "copy"
    folder.mkdir()
    for suffix in ("", "-wal"):
        shutil.copy(path.with_name(path.name + suffix), folder)
    folder.chmod(0o555)
    code = """
try:
    print(len(ClickStore(path, classes, readonly=True).all_clicks()))
except ClickError as error:
    print("refused")
"""
    try:
        output, _ = start(code, folder / path.name, preexec_fn=obey_permissions).communicate()
    finally:
        folder.chmod(0o755)
    assert output.strip() == "refused"


def test_nothing_acknowledged_is_lost_on_kill_9(store, path, classes):
    store.close()
    code = """
store = ClickStore(path, classes)
for number in range(10**6):
    store.add(FrameKey("v", number), [Click(1.0, 2.0, 1)])
    print(number, flush=True)
"""
    with start(code, path) as process:
        acknowledged = [process.stdout.readline() for _ in range(50)]
        process.kill()
        acknowledged += process.stdout.readlines()
    with ClickStore(path, classes) as store:
        assert {FrameKey("v", int(line)) for line in acknowledged} <= store.all_clicks().keys()
        store.add(A, [Click(1, 1, 0)])


def test_several_processes_write_at_once(store):
    code = """
with ClickStore(path, classes) as store:
    for number in range(20):
        store.add(FrameKey("v", number), [Click(1.0, 2.0, 1)], annotator=sys.argv[2])
"""
    processes = [start(code, store.path, name) for name in "abc"]
    assert [process.wait() for process in processes] == [0, 0, 0]
    assert [len(clicks) for clicks in store.all_clicks().values()] == [3] * 20
    for process in processes:
        process.stdout.close()


def test_full_disk_is_refused_and_the_store_stays_whole(store, path, classes):
    store.add(A, [Click(1, 1, 0)])
    store.close()
    code = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
store = ClickStore(path, classes)
try:
    store.add(FrameKey("b", 0), [Click(1.0, 2.0, 1)] * 10_000)
except ClickError as error:
    print(error)
store.add(FrameKey("c", 0), [Click(1.0, 2.0, 1)])
"""
    output, _ = start(code, path).communicate()
    assert "this change was not stored" in output and path.name in output
    with ClickStore(path, classes) as store:
        assert list(store.all_clicks()) == [A, FrameKey("c", 0)]


# Saving: compare and swap


def save(store, clicks, version=0, status="todo", annotator="ann", seconds=0.0, size=(10, 20)):
    timed = [click if isinstance(click, TimedClick) else TimedClick(click) for click in clicks]
    return store.save(A, timed, version=version, status=status, size=size, annotator=annotator, seconds=seconds)


def made(path):
    """Return x, annotator and times of every click, as another program reads them."""
    with closing(sqlite3.connect(path)) as db:
        return db.execute("SELECT x, annotator, created, seconds FROM clicks ORDER BY id").fetchall()


def test_a_saved_frame_has_its_version_and_times(store):
    assert store.frame(A) == FrameRecord() and store.frame(A).version == 0
    record = save(store, [TimedClick(Click(1, 2, 0), 1.5), Click(3, 4, 1)], status="done", seconds=9.5)
    assert record == store.frame(A) == store.frames()[A]
    assert (record.status, record.annotator, record.size, record.version, record.seconds) == (
        "done",
        "ann",
        (10, 20),
        1,
        9.5,
    )
    assert store.timed_clicks(A) == [TimedClick(Click(1, 2, 0), 1.5), TimedClick(Click(3, 4, 1), None)]
    assert store.clicks(A) == [Click(1, 2, 0), Click(3, 4, 1)]


def test_every_change_by_anyone_is_a_new_version(store):
    store.add(A, [Click(1, 1, 0)])
    store.replace(A, [Click(2, 2, 0)])
    assert store.frame(A).version == 2
    assert save(store, [Click(3, 3, 0)], version=2, seconds=4.0).version == 3
    store.add(A, [], status="skipped")
    assert (store.frame(A).version, store.frame(A).seconds) == (4, 4.0)


def test_a_save_from_another_version_is_refused_naming_the_other_annotator(store):
    save(store, [Click(1, 1, 0)])
    save(store, [Click(2, 2, 0)], version=1, annotator="bob")
    for version in (0, 1, 3):
        with pytest.raises(ConflictError, match="changed by bob meanwhile: it has version 2"):
            save(store, [Click(3, 3, 0)], version=version)
    assert store.clicks(A) == [Click(2, 2, 0)] and store.frame(A).version == 2


def test_a_save_sent_again_changes_nothing_whatever_its_version(store):
    first = save(store, [Click(1, 1, 0)], seconds=2.0)
    for version in (0, 1, 7):
        assert save(store, [Click(1, 1, 0)], version=version, seconds=2.0) == first
    assert save(store, [Click(1, 1, 0)], version=1, seconds=3.0).version == 2  # more time spent is a change


def test_clicks_that_stay_keep_their_annotator_and_order(store, path):
    save(store, [TimedClick(Click(1, 1, 0), 1.0), TimedClick(Click(2, 2, 0), 2.0), Click(3, 3, 0)])
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE clicks SET created = 'earlier'")
    kept = [TimedClick(Click(2, 2, 0), 2.0), Click(9, 9, 1), Click(3, 3, 0), Click(1, 1, 0)]
    save(store, kept, version=1, annotator="bob")
    assert [click for click, _ in store.timed_clicks(A)] == [c[0] if isinstance(c, TimedClick) else c for c in kept]
    rows = made(path)
    assert [(x, who, seconds) for x, who, _, seconds in rows] == [
        *((2.0, "ann", 2.0), (9.0, "bob", None), (3.0, "ann", None), (1.0, "ann", None)),
    ]
    assert [created == "earlier" for _, _, created, _ in rows] == [True, False, True, True]


@pytest.mark.parametrize("click", [Click(float("nan"), 1, 0), Click(1, 1, 3), Click(20, 1, 0)])
def test_a_wrong_click_is_not_saved(store, click):
    save(store, [Click(1, 1, 0)])
    with pytest.raises(ClickError):
        save(store, [Click(1, 1, 0), click], version=1)
    assert store.clicks(A) == [Click(1, 1, 0)] and store.frame(A).version == 1


def test_clicks_of_another_size_are_not_saved_beside_existing_ones(store):
    save(store, [Click(1, 1, 0)])
    for clicks in ([Click(1, 1, 0)], [Click(1, 1, 0), Click(2, 2, 0)]):
        with pytest.raises(ClickError, match="is 20x10 in the store but 40x10 here"):
            save(store, clicks, version=1, status="done", size=(10, 40))
    assert (store.frame(A).size, store.frame(A).version) == ((10, 20), 1)
    save(store, [], version=1, size=(10, 40))
    assert save(store, [Click(30, 2, 0)], version=2, size=(10, 40)).size == (10, 40)


def test_progress_counts_some_frames_only_and_no_clicks_of_skipped_ones(store):
    assert store.progress({A, B}) == (0, 0, 0, 0.0)
    save(store, [Click(1, 1, 0), Click(2, 2, 0)], seconds=2.5)
    store.add(B, [Click(1, 1, 0)], status="skipped")
    store.add(FrameKey("c", 1), [Click(1, 1, 0)])
    assert store.progress({A, B}) == (0, 1, 2, 2.5)
    assert store.progress([FrameKey("c", 1)]) == (1, 0, 1, 0.0)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.lists(st.integers(0, 5), max_size=6), max_size=6))
def test_the_store_holds_what_was_saved_last(saves):
    classes = ClassSet.from_list([{"name": "road"}])
    with tempfile.TemporaryDirectory() as folder, ClickStore.create(Path(folder) / "c", classes) as store:
        version = 0
        for places in saves:
            clicks = [Click(float(x), 0.0, 0) for x in places]
            version = save(store, clicks, version=version, size=(1, 6)).version
            assert store.clicks(A) == clicks


# Earlier versions


V1 = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE provenance (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE frames (
    video TEXT NOT NULL, number INTEGER NOT NULL, status TEXT NOT NULL CHECK (status IN ('todo', 'done', 'skipped')),
    annotator TEXT NOT NULL, height INTEGER, width INTEGER, updated TEXT NOT NULL, PRIMARY KEY (video, number));
CREATE TABLE clicks (
    id INTEGER PRIMARY KEY, video TEXT NOT NULL, number INTEGER NOT NULL,
    x REAL NOT NULL CHECK (typeof(x) = 'real'), y REAL NOT NULL CHECK (typeof(y) = 'real'),
    class_id INTEGER NOT NULL CHECK (typeof(class_id) = 'integer'), annotator TEXT NOT NULL, created TEXT NOT NULL);
CREATE INDEX clicks_of_frame ON clicks (video, number);
PRAGMA application_id = 0x57436C6B;
PRAGMA user_version = 1;
INSERT INTO meta VALUES ('classes', '["road", "car", "Mauer, rot"]');
INSERT INTO provenance VALUES ('rule', 'center');
INSERT INTO frames VALUES ('a', 7, 'done', 'ann', 10, 20, '2024-01-01T00:00:00+00:00');
INSERT INTO clicks VALUES (1, 'a', 7, 1.5, 2.0, 1, 'ann', '2024-01-01T00:00:00+00:00');
"""


V2 = f"""{V1}
ALTER TABLE frames ADD COLUMN version INTEGER NOT NULL DEFAULT 0;
ALTER TABLE frames ADD COLUMN seconds REAL NOT NULL DEFAULT 0;
ALTER TABLE clicks ADD COLUMN seconds REAL;
UPDATE frames SET version = 1;
PRAGMA user_version = 2;
"""


@pytest.fixture(params=[V1, V2], ids=["version 1", "version 2"])
def old(path, request):
    with closing(sqlite3.connect(path)) as db:
        db.executescript(request.param)
    return path


def same_as_before(store):
    record = store.frame(A)
    assert record == store.frames()[A]
    assert record == ("done", "ann", (10, 20), "2024-01-01T00:00:00+00:00", 1, 0.0)
    assert store.timed_clicks(A) == [TimedClick(Click(1.5, 2.0, 1), None)]
    assert store.all_clicks() == {A: [Click(1.5, 2.0, 1)]}
    assert store.provenance == {"rule": "center"}
    assert store.accepted() == [] and store.label(A) is None
    content = [store.classes.names, [[*A, 1.5, 2.0, 1]]]
    assert store.fingerprint() == hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]


def test_a_store_of_an_earlier_version_is_migrated_when_opened_for_writing(old, classes):
    for _ in range(2):
        with ClickStore(old, classes) as store:
            same_as_before(store)
    with ClickStore(old, classes) as store:
        assert save(store, [Click(1.5, 2, 1), Click(2, 2, 0)], version=1).version == 2
        store.accept(A, AcceptedLabel(np.ones((10, 20), np.uint8), np.full((5, 10), 255, np.uint8)))
    with ClickStore(old, classes, readonly=True) as store:
        assert store.accepted() == [A]


def test_a_store_of_an_earlier_version_is_read_without_changing_it(old, classes):
    before = old.read_bytes()
    with ClickStore(old, classes, readonly=True) as store:
        same_as_before(store)
        with pytest.raises(ClickError):
            store.add(A, [])
    assert old.read_bytes() == before


def test_a_copy_of_a_store_of_an_earlier_version_holds_the_same(old, classes, tmp_path):
    copy_store(old, tmp_path / "copy.sqlite", classes)
    with ClickStore(tmp_path / "copy.sqlite", classes, readonly=True) as store:
        same_as_before(store)


@pytest.mark.parametrize("version", [1, 2])
def test_a_migration_that_fails_leaves_the_earlier_version(path, classes, version):
    with closing(sqlite3.connect(path)) as db:
        db.executescript({1: V1, 2: V2}[version])
        db.execute("CREATE TABLE labels (video TEXT)")  # the last step of the migration will fail on this
    with pytest.raises(StoreError, match="table labels already exists"):
        ClickStore(path, classes)
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (version,)
        assert ("version" in [row[1] for row in db.execute("PRAGMA table_info(frames)")]) == (version == 2)


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM meta",
        "UPDATE meta SET value = '['",
        "UPDATE meta SET value = '3'",
        "UPDATE meta SET value = x'ff00'",
        "UPDATE frames SET video = x'ff00'",
        "UPDATE clicks SET annotator = x'ff00'",
        "UPDATE frames SET height = 'tall'",
    ],
)
@pytest.mark.parametrize("readonly", [False, True])
def test_a_store_with_values_of_another_type_is_refused(store, path, classes, statement, readonly):
    store.add(FrameKey("v", 1), [Click(1, 1, 0)], size=(10, 20))
    store.close()
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute(statement)
    with pytest.raises(ClickError, match=rf"{path.name} is damaged .*restore a copy"):
        ClickStore(path, classes, readonly=readonly)
