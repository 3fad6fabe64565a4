"""Requests of the page and their responses."""

import sqlite3
from contextlib import closing

import cv2
import numpy as np
import pytest

from weclick.annotate.leases import LEASE_SECONDS
from weclick.clicks import Click
from weclick.clicks.records import TimedClick
from weclick.clicks.store import ClickStore
from weclick.conventions import FrameKey
from weclick.images import read_image

from .helpers import ANN, BOB, SIZE, body, click


def test_the_project_names_classes_and_videos(client, catalog):
    project = client.get("/api/project").json()
    assert project["name"] == "data set" and project["overlay"] is False
    assert [(c["id"], c["name"], c["thing"]) for c in project["classes"]] == [
        (0, "ground", False),
        (1, "<script>alert(1)</script>", False),
    ]
    assert project["classes"][0]["color"] == "#800000"
    first = catalog.id_of(FrameKey("東京", 0))
    assert project["videos"][1] == {"name": "東京", "frames": 40, "first": first}


def test_a_frame_that_was_never_saved(client, catalog, key, url):
    frame = client.get(url).json()
    assert {name: frame[name] for name in frame if name != "around"} == {
        **{"id": catalog.id_of(key), "video": "東京", "number": 0, "position": 0, "frames": 40},
        **{"height": SIZE[0], "width": SIZE[1], "status": "todo", "version": 0, "annotator": "", "seconds": 0.0},
        **{"clicks": [], "leased_by": None, "accepted": False, "answers": None},
    }
    assert [offset for offset, _ in frame["around"]] == list(range(16))


def test_a_save_is_in_the_store_when_the_response_arrives(client, store, key, url):
    clicks = [click(1.25, 2.5, 0, 1.5), click(-0.5, 23.4, 1)]
    response = client.put(url, json=body(clicks, status="done", seconds=12.5))
    assert response.status_code == 200
    record = store.frame(key)
    assert (record.status, record.annotator, record.size, record.version, record.seconds) == (
        "done",
        "ann",
        SIZE,
        1,
        12.5,
    )
    assert store.timed_clicks(key) == [TimedClick(Click(1.25, 2.5, 0), 1.5), TimedClick(Click(-0.5, 23.4, 1))]
    assert response.json() == client.get(url).json()
    assert response.json()["clicks"] == clicks and response.json()["version"] == 1


def test_changes_without_a_name_get_the_name_given_at_the_start(serve, store, key, url):
    serve(annotator="carol").put(url, json=body([click()], annotator=""))
    assert store.frame(key).annotator == "carol"


def test_a_save_sent_again_changes_nothing(client, contents, url):
    first = client.put(url, json=body([click()]))
    before = contents()
    again = client.put(url, json=body([click()]))
    assert (again.status_code, again.json()) == (200, first.json())
    assert contents() == before


def test_a_save_from_an_older_version_is_refused_with_the_stored_state(client, contents, url):
    client.put(url, json=body([click()]))
    client.put(url, json=body([click(), click(5, 5)], version=1, client=BOB, annotator="bob"))
    before = contents()
    response = client.put(url, json=body([click(9, 9)], version=1))
    assert response.status_code == 409
    assert "changed by bob" in response.json()["detail"]
    assert response.json()["frame"] == client.get(url).json()
    assert contents() == before


def test_next_returns_the_queue_in_order_and_leases_each_frame(client, catalog):
    queue = list(catalog.upcoming({}))
    first = client.post("/api/next", json={"client": ANN, "annotator": "ann", "after": None}).json()
    assert first["id"] == queue[0] and first["leased_by"] is None
    other = client.post("/api/next", json={"client": BOB, "annotator": "bob", "after": None}).json()
    assert other["id"] == queue[1]
    after = client.post("/api/next", json={"client": ANN, "annotator": "ann", "after": queue[1]}).json()
    assert after["id"] == queue[2]
    assert client.get(f"/api/frames/{queue[0]}").json()["leased_by"] is None
    assert client.get(f"/api/frames/{queue[2]}").json()["leased_by"] == "ann"


def test_next_omits_done_and_skipped_frames_until_none_is_left(client, catalog):
    queue = list(catalog.upcoming({}))
    for position, name in enumerate(queue):
        response = client.post("/api/next", json={"client": ANN, "annotator": "ann", "after": None})
        assert response.json()["id"] == name
        client.put(f"/api/frames/{name}", json=body(status="skipped" if position % 2 else "done"))
    response = client.post("/api/next", json={"client": ANN, "annotator": "ann", "after": None})
    assert (response.status_code, response.content) == (204, b"")


def test_next_omits_unreadable_frames(client, catalog):
    queue = list(catalog.upcoming({}))
    catalog.entry(queue[0]).frame.image.write_bytes(b"")
    catalog.entry(queue[1]).frame.image.unlink()
    assert client.post("/api/next", json={"client": ANN, "annotator": "", "after": None}).json()["id"] == queue[2]


def test_an_unreadable_frame_is_logged_once_and_not_offered_until_it_is_restored(client, catalog, caplog):
    def next_frame():
        return client.post("/api/next", json={"client": ANN, "annotator": "", "after": None})

    queue = list(catalog.upcoming({}))
    first, second = (catalog.entry(queue[index]).frame for index in (0, 5))
    whole = first.image.read_bytes()
    first.image.write_bytes(b"")
    second.image.unlink()
    while (response := next_frame()).status_code == 200:
        assert client.put(f"/api/frames/{response.json()['id']}", json=body(status="done")).status_code == 200
    assert client.get("/api/progress").json()["todo"] == 0
    logged = [record.getMessage() for record in caplog.records if record.name.startswith("weclick")]
    assert [line.partition(" cannot be shown: ")[0] for line in logged] == [f"frame {f.key}" for f in (first, second)]
    first.image.write_bytes(whole)
    assert next_frame().json()["id"] == queue[0]
    assert client.get("/api/progress").json()["todo"] == 1


def test_a_leased_frame_can_be_read_but_not_leased_or_changed(client, contents, url):
    assert client.put(f"{url}/lease", json={"client": ANN, "annotator": "ann"}).status_code == 204
    before = contents()
    for path, sent in (
        (f"{url}/lease", {"client": BOB, "annotator": "bob"}),
        (url, body([click()], client=BOB)),
    ):
        response = client.put(path, json=sent)
        assert response.status_code == 409 and "ann is working on this frame" in response.json()["detail"]
        assert response.json()["frame"]["leased_by"] == "ann"
    assert client.request("DELETE", f"{url}/lease", json={"client": BOB}).status_code == 204
    assert client.put(url, json=body([click()], client=BOB)).status_code == 409
    assert contents() == before
    assert client.put(url, json=body([click()])).status_code == 200


def test_a_lease_ends_when_it_is_released_or_not_renewed(client, clock, url):
    def take(who):
        return client.put(f"{url}/lease", json={"client": who, "annotator": who}).status_code

    assert (take(ANN), take(BOB)) == (204, 409)
    clock.now += LEASE_SECONDS - 1
    assert (take(ANN), take(BOB)) == (204, 409)
    clock.now += LEASE_SECONDS
    assert (take(BOB), take(ANN)) == (204, 409)
    assert client.request("DELETE", f"{url}/lease", json={"client": BOB}).status_code == 204
    assert take(ANN) == 204


def test_a_repeated_save_succeeds_even_if_somebody_else_has_leased_the_frame(client, clock, url):
    client.put(url, json=body([click()]))
    clock.now += LEASE_SECONDS
    client.put(f"{url}/lease", json={"client": BOB, "annotator": "bob"})
    assert client.put(url, json=body([click()])).status_code == 200


def test_clicks_of_another_picture_size_are_not_mixed_with_new_ones(client, contents, catalog, key, url):
    client.put(url, json=body([click()]))
    before = contents()
    cv2.imwrite(str(catalog.entry(catalog.id_of(key)).frame.image), np.zeros((2 * SIZE[0], SIZE[1], 3), np.uint8))
    response = client.put(url, json=body([click(), click(5, 5)], version=1))
    assert response.status_code == 422 and "40x24 in the store but 40x48 here" in response.json()["detail"]
    assert contents() == before


def test_an_invalid_click_of_another_program_is_returned(client, store_path, url):
    client.put(url, json=body([click()]))
    with closing(sqlite3.connect(store_path)) as db, db:
        db.execute("UPDATE clicks SET class_id = 999, x = -7.0")
    assert client.get(url).json()["clicks"] == [click(-7, 2, 999)]


def test_versions_prevent_overwriting_after_a_restart_without_leases(serve, url):
    serve().put(f"{url}/lease", json={"client": ANN, "annotator": "ann"})
    restarted = serve()
    assert restarted.put(url, json=body([click()], client=BOB)).status_code == 200
    assert restarted.put(url, json=body([click(7, 7)])).status_code == 409


def test_progress_counts_finished_frames_towards_the_goal(client, catalog, store):
    names = list(catalog.upcoming({}))[:3]
    for name, status, seconds in zip(names, ("done", "skipped", "todo"), (10, 20, 30.5), strict=True):
        client.put(f"/api/frames/{name}", json=body([click(), click(3, 3)], status=status, seconds=seconds))
    store.add(FrameKey("of another split", 1), [Click(1, 1, 0)])
    # 45 frames in all: the skipped one cannot count towards the goal any more
    expected = {"goal": 45, "done": 1, "skipped": 1, "todo": 43, "clicks": 4, "seconds": 60.5}
    found = client.get("/api/progress").json()
    assert sum(found.pop("class_clicks")) == 5
    assert found == expected


def test_a_frame_is_found_by_its_position_in_the_video(client, catalog):
    (video, frames), *_ = catalog.videos.items()
    last = len(frames) - 1
    found = client.get("/api/frames", params={"video": video, "position": last}).json()
    assert (found["video"], found["number"], found["position"]) == (*frames[last].key, last)
    for wrong in ({"video": video, "position": last + 1}, {"video": "other", "position": 0}):
        assert client.get("/api/frames", params=wrong).status_code == 404
    assert client.get("/api/frames", params={"video": video, "position": -1}).status_code == 422


@pytest.mark.parametrize(("number", "media"), [(0, "image/png"), (1, "image/jpeg")])
def test_a_picture_is_sent_unchanged_and_only_once(client, catalog, number, media):
    key = FrameKey("東京", number)
    url = f"/api/frames/{catalog.id_of(key)}/image"
    response = client.get(url)
    assert response.content == catalog.entry(catalog.id_of(key)).frame.image.read_bytes()
    assert response.headers["content-type"] == media
    assert response.headers["cache-control"] == "private, no-cache"
    assert response.headers["etag"].startswith('"')
    again = client.get(url, headers={"If-None-Match": response.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_an_overlay_shows_the_prediction_in_the_classes_colours(serve, url):
    ids = np.zeros(SIZE, np.uint8)
    ids[:, 20:] = 1
    ids[0, 0] = 255
    predicted = []

    def predict(path):
        predicted.append(path)
        return ids

    client = serve(predict=predict)
    assert client.get("/api/project").json()["overlay"] is True
    for _ in range(2):
        response = client.get(f"{url}/overlay")
        assert response.headers["content-type"] == "image/png"
        pixels = cv2.imdecode(np.frombuffer(response.content, np.uint8), cv2.IMREAD_UNCHANGED)
    assert len(predicted) == 1 and predicted[0].name == "0.png"
    assert pixels[5, 5].tolist() == [0, 0, 128, 255] and pixels[5, 25].tolist() == [0, 128, 0, 255]
    assert pixels[0, 0, 3] == 0


def test_the_overlay_of_a_replaced_picture_is_updated(serve, catalog, key, url):
    path = catalog.entry(catalog.id_of(key)).frame.image
    client = serve(predict=lambda path: np.uint8(read_image(path)[..., 0] > 127))
    before = client.get(f"{url}/overlay").content
    cv2.imwrite(str(path), np.zeros((*SIZE, 3), np.uint8))
    assert client.get(f"{url}/overlay").content != before


def test_without_a_prediction_there_is_no_overlay(client, url):
    response = client.get(f"{url}/overlay")
    assert response.status_code == 404 and "--run" in response.json()["detail"]


def test_a_damaged_picture_is_one_clear_line_without_the_servers_folders(client, catalog, key, url, root):
    path = catalog.entry(catalog.id_of(key)).frame.image
    path.write_bytes(b"no picture")
    for response in (client.get(url), client.get(f"{url}/image"), client.put(url, json=body([click()]))):
        assert response.status_code == 422
        assert "damaged" in response.json()["detail"] and str(root) not in response.json()["detail"]


def test_or_later_returns_the_first_readable_frame_of_a_video(client, catalog, key, url):
    frames = catalog.videos[key.video]
    assert client.get(url, params={"or_later": True}).json()["number"] == 0
    for frame in frames[:3]:
        frame.image.write_bytes(b"")
    frame = client.get(url, params={"or_later": True}).json()
    assert (frame["video"], frame["number"], frame["position"]) == (key.video, 3, 3)
    for frame in frames[3:]:
        frame.image.unlink()
    assert client.get(url, params={"or_later": True}).status_code == 422


def test_a_busy_store_is_reported_and_nothing_is_acknowledged(serve, monkeypatch, store, url):
    monkeypatch.setattr("weclick.clicks.sqlite.BUSY_SECONDS", 0.05)
    client = serve()
    with store.transaction():
        response = client.put(url, json=body([click()]))
        assert response.status_code == 503 and "another process is writing" in response.json()["detail"]
        assert client.get(url).json()["version"] == 0
    assert client.put(url, json=body([click()])).status_code == 200


def test_an_unexpected_error_is_one_line_without_traceback(client, monkeypatch, url, capfd):
    def broken(store, among):
        raise ZeroDivisionError("secret")

    monkeypatch.setattr(ClickStore, "progress", broken)
    response = client.get("/api/progress")
    assert response.status_code == 500 and "secret" not in response.text
    assert "Traceback" not in capfd.readouterr().err
    assert client.get(url).status_code == 200


def test_the_page_is_served_and_nothing_beside_it(client, monkeypatch, tmp_path):
    page = tmp_path / "page"
    page.mkdir()
    (page / "index.html").write_text("<!doctype html>")
    (page / "app.js").write_text("export const x = 1;")
    (tmp_path / "secret.js").write_text("secret")
    monkeypatch.setattr("weclick.annotate.api.PAGE", page)
    assert client.get("/").text == "<!doctype html>"
    assert client.get("/").headers["content-type"].startswith("text/html")
    script = client.get("/page/app.js")
    assert script.headers["content-type"].startswith("text/javascript")
    assert script.headers["cache-control"] == "no-cache"
    assert client.head("/page/app.js").headers["content-length"] == script.headers["content-length"]
    assert (client.head("/").status_code, client.head("/").content) == (200, b"")
    for name in ("missing.js", "..%2fsecret.js", "%2e%2e/secret.js", "../secret.js", "..", ".", "%00", "//etc/passwd"):
        response = client.get(f"/page/{name}")
        assert ("secret" not in response.text and response.status_code == 404) or response.text == "<!doctype html>"
