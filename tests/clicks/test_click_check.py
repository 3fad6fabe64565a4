import sqlite3

import numpy as np
import pytest

from weclick.clicks import Click, Pictures, StoreStats, check_clicks, clicking_seconds, export_csv, stats
from weclick.clicks.records import TimedClick
from weclick.conventions import FrameKey
from weclick.errors import ClickError

A = FrameKey("a", 7)
B = FrameKey("b", 0)


def kinds(store, frames=None):
    return [finding.kind for finding in check_clicks(store, frames)]


def label(value=0, size=(10, 20)):
    return np.full(size, value, np.uint8)


def test_good_clicks_give_no_finding(store):
    store.add(A, [Click(5, 5, 0), Click(9, 9, 1)], size=(10, 20))
    store.add(B, [], status="todo")
    truth = label()
    truth[9, 9] = 1
    assert check_clicks(store, {A: lambda: (truth, None), B: None}) == []


@pytest.mark.parametrize(("x", "expected"), [(6.4, ["duplicate"]), (7.0, ["duplicate"]), (7.1, [])])
def test_two_clicks_of_a_class_within_two_pixels_are_duplicates(store, x, expected):
    store.add(A, [Click(5, 5, 0), Click(x, 5, 0)])
    assert kinds(store) == expected


def test_two_classes_on_one_pixel_are_a_conflict(store):
    store.add(A, [Click(5.4, 5, 0), Click(4.6, 5, 1), Click(6, 5, 2)])
    (finding,) = check_clicks(store)
    assert finding.kind == "conflict" and finding.key == A
    assert str(finding) == "a:7: road and car are clicked on one pixel, at (5.4, 5) and (4.6, 5)"


def test_done_frames_without_clicks_and_unfinished_frames_with_clicks_are_reported(store):
    store.add(A, [])
    store.add(B, [Click(1, 1, 0)], status="todo")
    assert kinds(store) == ["empty", "unfinished"]
    assert str(check_clicks(store)[1]) == "b:0: has 1 clicks but is still to do, so no class counts as absent"


def test_skipped_frames_are_not_checked(store):
    store.add(A, [Click(5, 5, 0), Click(5, 5, 0)])
    store.add(A, [], status="skipped")
    assert check_clicks(store, {}) == []


def test_frames_missing_from_the_data_set_are_reported(store):
    store.add(A, [Click(5, 5, 0)])
    assert kinds(store, {}) == ["missing-frame"]
    assert kinds(store, {A: None}) == []
    assert kinds(store) == []


def test_clicks_outside_the_mask_are_reported_when_no_size_is_stored(store):
    store.add(A, [Click(25, 5, 0), Click(5, 5, 0)])
    assert kinds(store) == []
    assert kinds(store, {A: lambda: (label(), None)}) == ["outside"]


def test_clicks_outside_the_picture_are_reported_without_size_and_mask(store, pictures):
    store.add(A, [Click(5000, 5, 0), Click(5, 5, 0)])
    (finding,) = check_clicks(store, {A: None}, pictures.size)
    assert str(finding) == "a:7: click at (5000, 5) is outside the image of 20x10 pixels"


def test_a_picture_whose_size_differs_from_the_clicked_one_is_reported_without_a_mask(store, pictures):
    store.add(A, [Click(5, 5, 0)], size=(20, 40))
    (finding,) = check_clicks(store, {A: None}, pictures.size)
    assert str(finding) == "a:7: clicked at 40x20, but its picture has 20x10 pixels"


def test_a_clicked_picture_that_cannot_be_read_is_a_finding(store, tmp_path):
    store.add(A, [Click(5, 5, 0)])
    (finding,) = check_clicks(store, {A: None}, Pictures(tmp_path, {A: tmp_path / "gone.png"}).size)
    assert finding.kind == "unreadable" and "gone.png" in str(finding)


def two_cars(ids):
    truth, instances = label(), np.zeros((10, 20), np.int32)
    truth[5, 5:7] = 1
    instances[5, 5:7] = ids
    return {A: lambda: (truth, instances)}


def test_the_mask_decides_whether_two_near_clicks_are_on_one_object(store):
    store.add(A, [Click(5, 5, 1), Click(6, 5, 1)], size=(10, 20))
    assert kinds(store) == ["duplicate"]
    assert kinds(store, two_cars((7, 7))) == ["duplicate"]
    assert kinds(store, two_cars((7, 8))) == []
    assert kinds(store, two_cars((0, 0))) == ["duplicate"]
    assert kinds(store, two_cars((0, 8))) == []


def test_two_near_clicks_on_separate_regions_are_no_duplicate(store):
    truth = label()
    truth[4], truth[6] = 2, 2
    store.add(A, [Click(5, 4, 2), Click(5, 6, 2)], size=(10, 20))
    assert kinds(store, {A: lambda: (truth, None)}) == []
    truth[5] = 2
    assert kinds(store, {A: lambda: (truth, None)}) == ["duplicate"]


def test_a_frame_whose_mask_is_void_needs_no_click(store):
    store.add(A, [], status="done", size=(10, 20))
    assert kinds(store, {A: None}) == ["empty"]
    assert kinds(store, {A: lambda: (label(255), None)}) == []
    assert kinds(store, {A: lambda: (label(0), None)}) == ["empty"]


def test_clicks_made_at_another_size_are_reported(store):
    store.add(A, [Click(25, 5, 0)], size=(20, 40))
    assert kinds(store, {A: lambda: (label(), None)}) == ["size"]


def test_clicks_that_disagree_with_the_mask_are_counted_and_ignored_pixels_are_not(store):
    truth = label(0)
    truth[:, 10:] = 255
    store.add(A, [Click(5, 5, 0), Click(1, 1, 1), Click(8, 8, 2), Click(15, 5, 1)], size=(10, 20))
    (finding,) = check_clicks(store, {A: lambda: (truth, None)})
    assert str(finding) == "a:7: 2 of 4 clicks have another class than the mask"


def test_clicks_written_by_another_program_are_checked(store, path):
    store.add(A, [Click(1, 1, 0)], size=(10, 20))
    with sqlite3.connect(path) as db:
        db.execute("INSERT INTO clicks VALUES (NULL, 'a', 7, 500.0, 5.0, 77, 'tool', '', NULL)")
    db.close()
    assert sorted(kinds(store)) == ["outside", "unknown-class"]
    assert stats(store).clicks == 2
    for use in (store.all_clicks, lambda: export_csv(store, path.with_name("clicks.csv"))):
        with pytest.raises(ClickError, match=r"frame a:7: .*unknown class id 77.*clicks check"):
            use()


def test_a_click_at_infinity_is_outside(store, path):
    store.add(A, [Click(1, 1, 0), Click(9, 9, 1)], size=(10, 20))
    with sqlite3.connect(path) as db:
        db.execute("UPDATE clicks SET x = 9e999 WHERE class_id = 0")
    db.close()
    assert kinds(store) == ["outside"]


def test_stats_by_hand(store):
    store.add(A, [Click(5, 5, 0), Click(9, 9, 0), Click(1, 1, 1)])
    store.add(B, [Click(1, 1, 0)])
    store.add(FrameKey("c", 1), [Click(1, 1, 0)], status="skipped")
    store.add(FrameKey("c", 2), [], status="todo")
    store.note(rule="center")
    assert stats(store) == StoreStats(
        frames={"todo": 1, "done": 2, "skipped": 1},
        clicks=4,
        unknown=0,
        clicks_per_class={"road": 3, "car": 1, "Mauer, rot": 0},
        clicks_per_frame=(1, 2.0, 3),
        never_clicked=("Mauer, rot",),
        labels=0,
        provenance={"rule": "center"},
    )


def test_stats_of_an_empty_store(store):
    empty = stats(store)
    assert empty.clicks == 0 and empty.clicks_per_frame is None and len(empty.never_clicked) == 3


def test_the_time_spent_is_known_only_where_it_was_measured_on_every_frame_that_is_used(store):
    assert clicking_seconds(store) is None
    options = {"version": 0, "size": (10, 20), "annotator": "bob"}
    store.save(A, [TimedClick(Click(5, 5, 0), 2.0)], status="done", seconds=30.0, **options)
    store.save(B, [], status="skipped", seconds=12.5, **options)
    assert clicking_seconds(store) == 42.5
    store.add(FrameKey("imported", 1), [Click(5, 5, 0)])
    assert clicking_seconds(store) is None
