"""The preview of what clicks mean, and labels that are accepted with it, over the API and in a worker process."""

import sqlite3
import time
from contextlib import closing
from multiprocessing import active_children

import cv2
import numpy as np
import pytest

from weclick.annotate.preview import preview_picture
from weclick.classes import ClassSet
from weclick.clicks import Click
from weclick.clicks.records import AcceptedLabel
from weclick.conventions import IGNORE_INDEX, FrameKey

from .helpers import ANN, SIZE, body, click

CLICKS = [click(3, 3, 0), click(30, 20, 1)]


@pytest.fixture
def previewing(serve):
    return serve(preview=True)


def ask(client, url, clicks):
    return client.post(f"{url}/preview", json={"client": ANN, "clicks": clicks})


def pixels(response):
    return cv2.imdecode(np.frombuffer(response.content, np.uint8), cv2.IMREAD_UNCHANGED)


def test_a_preview_follows_the_clicks_and_is_accepted_with_a_save(previewing, store, catalog, key, url):
    assert previewing.get("/api/project").json()["preview"] is True
    assert ask(previewing, url, []).status_code == 204  # before the first click of all
    assert not store.frames()  # asking stores nothing

    response = ask(previewing, url, CLICKS)
    assert response.status_code == 200 and response.headers["content-type"] == "image/png"
    shown = pixels(response)
    assert shown.shape == (*SIZE, 4)
    for made in CLICKS:  # certain where it was clicked, so not hatched
        colour = catalog.classes[made["class_id"]].color
        assert shown[int(made["y"]), int(made["x"])].tolist() == [*reversed(colour), 255]

    accepted = {**body(CLICKS, status="done"), "accept": True}
    frame = previewing.put(url, json=accepted).json()
    assert (frame["status"], frame["accepted"]) == ("done", True)
    label = store.label(key)
    assert label.ids.shape == SIZE and [label.ids[3, 3], label.ids[20, 30]] == [0, 1]

    again = previewing.put(url, json=accepted).json()  # the response was lost
    assert again["version"] == frame["version"]

    # accepted again from the stored label, without a preview of the same clicks at hand
    known = {**accepted, "version": frame["version"], "seconds": 3.0}
    assert previewing.put(url, json=known).json()["accepted"] is True

    # the stored label is shown with its clicks, and removed by other clicks
    store.accept(key, label._replace(ids=np.ones(SIZE, np.uint8), confidence=np.full((1, 1), 255, np.uint8)))
    assert (pixels(ask(previewing, url, CLICKS))[..., :3] == catalog.classes[1].color[::-1]).all()
    version = previewing.get(url).json()["version"]
    changed = previewing.put(url, json=body(CLICKS[:1], version=version)).json()
    assert (changed["accepted"], store.label(key)) == (False, None)


def test_an_absent_class_is_not_in_the_preview_that_is_accepted(previewing, store, key, url):
    everything = ask(previewing, url, CLICKS)
    assert everything.headers["X-Seen-Classes"] == "0,1"
    without = previewing.post(f"{url}/preview", json={"client": ANN, "clicks": CLICKS[:1], "absent": [1]})
    assert without.headers["X-Seen-Classes"] == "0"
    accepted = {**body(CLICKS[:1], status="done"), "accept": True}
    assert (
        previewing.put(url, json=accepted).json()["accepted"] is False
    )  # that preview was not shown without the answer
    known = {**accepted, "version": 1, "answers": [{"class_id": 1, "present": False}]}
    assert previewing.put(url, json=known).json()["accepted"] is True
    assert (store.label(key).ids == 0).all()


def test_clicks_on_one_frame_are_learned_for_all_others(previewing, catalog, store, url):
    other = f"/api/frames/{catalog.id_of(FrameKey('東京', 2))}"
    previewing.put(url, json=body(CLICKS, status="done"))
    deadline = time.monotonic() + 60
    while (response := ask(previewing, other, [])).status_code != 200:
        assert time.monotonic() < deadline
    assert pixels(response).shape == (*SIZE, 4)


def test_what_is_stored_at_the_start_is_learned(serve, catalog, store, key):
    store.add(key, [Click(3, 3, 0), Click(30, 20, 1)])
    store.add(FrameKey("of another data set", 1), [Click(1, 1, 0)])
    client, other = serve(preview=True), f"/api/frames/{catalog.id_of(FrameKey('東京', 2))}"
    deadline = time.monotonic() + 60
    while ask(client, other, []).status_code != 200:
        assert time.monotonic() < deadline


def test_a_killed_worker_is_one_clear_line_and_started_again(previewing, url):
    assert ask(previewing, url, CLICKS).status_code == 200
    [worker] = active_children()
    worker.kill()
    worker.join()
    statuses = {ask(previewing, url, CLICKS).status_code for _ in range(3)}
    assert 200 in statuses and statuses <= {200, 503}


def test_bad_requests_are_refused_and_change_nothing(previewing, contents, catalog, url):
    before = contents()
    assert ask(previewing, url, [click(class_id=2)]).status_code == 422  # the data set has two classes
    assert ask(previewing, url, [click(x=1000)]).status_code == 422
    assert previewing.post(f"{url}/preview", json={"client": ANN, "clicks": [], "absent": [2]}).status_code == 422
    assert ask(previewing, "/api/frames/unknown", CLICKS).status_code == 404
    assert previewing.post(f"{url}/preview", content="clicks=1").status_code == 415
    assert previewing.post(f"{url}/preview", json={"clicks": []}).status_code == 422
    catalog.videos["東京"][0].image.write_bytes(b"no picture")
    assert ask(previewing, url, CLICKS).status_code == 422
    assert contents() == before


def test_without_a_preview_nothing_can_be_accepted(client, contents, url):
    assert client.get("/api/project").json()["preview"] is False
    before = contents()
    assert ask(client, url, CLICKS).status_code == 404
    assert contents() == before
    frame = client.put(url, json={**body(CLICKS, status="done"), "accept": True}).json()
    assert (frame["status"], frame["accepted"], len(frame["clicks"])) == ("todo", False, 2)


def test_only_a_preview_that_was_shown_is_accepted_and_the_clicks_are_stored_anyway(previewing, store, key, url):
    assert ask(previewing, url, CLICKS[:1]).status_code == 200
    frame = previewing.put(url, json={**body(CLICKS, status="done"), "accept": True}).json()
    assert (frame["status"], frame["accepted"], len(frame["clicks"])) == ("todo", False, 2)
    frame = previewing.put(url, json={**body(CLICKS, version=1, status="todo"), "accept": True}).json()
    assert (frame["status"], frame["accepted"]) == ("todo", False)
    assert ask(previewing, url, CLICKS).status_code == 200
    accepted = {**body(CLICKS, version=frame["version"], status="done"), "accept": True}
    frame = previewing.put(url, json=accepted).json()
    assert frame["accepted"] is True
    # done without accepting: the label goes
    frame = previewing.put(url, json=body(CLICKS, version=frame["version"], status="done")).json()
    assert (frame["status"], frame["accepted"], store.label(key)) == ("done", False, None)


def test_clicks_of_other_programs_do_not_end_learning(serve, catalog, store, store_path, key):
    store.add(key, [Click(3, 3, 0), Click(30, 20, 1)])
    with closing(sqlite3.connect(store_path)) as db, db:
        for wrong in ("-1, 3.0", "77, 3.0", "0, 9e9", "0, 9e999"):
            class_id, x = wrong.split(", ")
            db.execute(
                f"INSERT INTO clicks SELECT NULL, video, number, {x}, y, {class_id}, '', '', NULL FROM clicks LIMIT 1"
            )
    client, other = serve(preview=True), f"/api/frames/{catalog.id_of(FrameKey('東京', 2))}"
    deadline = time.monotonic() + 60
    while (response := ask(client, other, [])).status_code != 200:
        assert response.status_code == 503 and "learning" in response.json()["detail"]
        assert time.monotonic() < deadline


def test_unsure_pixels_are_hatched_and_unknown_ones_transparent():
    classes = ClassSet.from_list([{"name": "road", "color": [1, 2, 3]}, {"name": "car", "color": [4, 5, 6]}])
    ids = np.zeros((32, 64), np.uint8)
    ids[:, 32:], ids[:8] = 1, IGNORE_INDEX
    confidence = np.full((8, 16), 255, np.uint8)
    confidence[4:] = 50
    picture = cv2.imdecode(
        np.frombuffer(preview_picture(AcceptedLabel(ids, confidence), classes), np.uint8), cv2.IMREAD_UNCHANGED
    )
    assert (picture[:8, :, 3] == 0).all()
    assert (picture[8:14, :32] == [3, 2, 1, 255]).all() and (picture[8:14, 32:] == [6, 5, 4, 255]).all()
    assert 0.4 < (picture[20:, :, 3] == 0).mean() < 0.6


def test_a_large_preview_is_reduced():
    classes = ClassSet.from_list([{"name": "road"}])
    large = AcceptedLabel(np.zeros((1080, 1920), np.uint8), np.full((270, 480), 255, np.uint8))
    picture = cv2.imdecode(np.frombuffer(preview_picture(large, classes), np.uint8), cv2.IMREAD_UNCHANGED)
    assert picture.shape[:2] == (540, 960)
