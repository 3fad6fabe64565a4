"""The preview in a real browser: it follows the clicks, is accepted by a key, and survives a killed server."""

import numpy as np
import pytest

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

from playwright.sync_api import expect

from weclick.data.index import FrameKey

from .browser import CLASSES, NEEDS_BROWSER, Server, write_marked_set

pytestmark = NEEDS_BROWSER
SPOT = (900, 200)
"""A place inside the frame, away from the clicks."""
LOADING = 90_000  # milliseconds; the process of the preview starts beside everything else


@pytest.fixture
def previewing(tmp_path):
    started = Server(write_marked_set(tmp_path / "set", videos=("a",)), "--preview", "true")
    yield started
    started.close()


def colour_at(person, spot):
    """Return the colour of the canvas, which covers the window, at a place."""
    return person.page.evaluate(
        "([x, y]) => [...document.getElementById('canvas').getContext('2d').getImageData(x, y, 1, 1).data]", spot
    )


def wait_for_other_colour(person, spot, before, timeout=LOADING):
    for _ in range(timeout // 50):
        if (now := colour_at(person, spot)) != before:
            return now
        person.page.wait_for_timeout(50)
    raise AssertionError(f"the colour at {spot} stays {before}")


def wait_for_preview(person):
    """Wait until the overlay shows the points as they are: then it can be accepted."""
    expect(person.page.locator("[data-command=accept]")).to_be_enabled(timeout=LOADING)


def accept(person):
    wait_for_preview(person)
    person.go("Enter")


def accepted(server):
    with server.store() as store:
        return store.accepted()


def test_the_overlay_follows_the_clicks_and_is_accepted(previewing, visit):
    person = visit(previewing.url)
    first = person.key
    expect(person["preview"]).to_have_text("preview: click an object first", timeout=LOADING)
    plain = colour_at(person, SPOT)
    person.press("Enter")  # nothing to accept yet
    expect(person["toast"]).to_contain_text("no preview of these points")
    assert person.key == first

    person.press("1")
    person.click((500, 300))
    one = wait_for_other_colour(person, SPOT, plain)
    wait_for_preview(person)
    person.press("v")
    assert wait_for_other_colour(person, SPOT, one) == plain
    person.press("Enter")  # nothing is accepted that is not seen
    expect(person["toast"]).to_contain_text("Press V to see it")
    assert (accepted(previewing), person.key) == ([], first)
    person.press("v")
    assert wait_for_other_colour(person, SPOT, plain) == one
    person.press("]")
    assert wait_for_other_colour(person, SPOT, one) != plain
    person.press("[")

    person.press("2")
    person.click((910, 210))  # class 2 at the spot
    two = wait_for_other_colour(person, SPOT, one)
    person.press("Control+z")
    assert wait_for_other_colour(person, SPOT, two) == one
    person.saved()

    accept(person)
    assert accepted(previewing) == [FrameKey(*first)]
    assert previewing.status(first) == "done"
    person.go("p")
    assert person.key == first
    expect(person["status"]).to_have_text("✓ accepted")
    person.click((700, 400))  # another click: the label is no longer that of the clicks
    expect(person["status"]).to_have_text("to do")
    person.saved()
    assert accepted(previewing) == []

    accept(person)
    assert accepted(previewing) == [FrameKey(*first)]
    person.go("p")
    person.go("n")  # done instead of accepted
    assert (accepted(previewing), previewing.status(first)) == ([], "done")


def test_labels_accepted_before_and_after_the_server_is_killed(previewing, visit):
    person = visit(previewing.url)
    first = person.key
    person.press("1")
    person.click((500, 300))
    accept(person)
    second = person.key
    person.press("2")
    person.click((910, 210))
    wait_for_preview(person)
    person.saved()
    previewing.kill()
    assert accepted(previewing) == [FrameKey(*first)]
    person.press("Enter")
    expect(person["saved"]).to_have_text("⚠ NOT SAVED")
    # the server has never shown that preview: it stores the clicks, and the page asks for the preview again
    with person.page.expect_response(
        lambda response: response.url.endswith("/preview") and response.ok, timeout=LOADING
    ):
        previewing.start()
    person.saved()
    assert accepted(previewing) == [FrameKey(*first)]
    assert (previewing.status(second), len(previewing.clicks(second))) == ("todo", 1)
    expect(person["status"]).to_have_text("to do")
    accept(person)
    assert accepted(previewing) == [FrameKey(*first), FrameKey(*second)]


def test_a_question_is_answered_by_a_key_changes_the_overlay_and_is_stored(previewing, visit):
    person = visit(previewing.url)
    first, question = person.key, person["questions"]
    person.press("1")
    person.click((500, 300))
    person.press("2")
    person.click((910, 210))
    person.go("n")
    second = person.key
    for _ in range(LOADING // 500):  # until the first frame has been learned from: the frames are alike
        person.press("v", "v")
        person.page.wait_for_timeout(500)
        if CLASSES[1] in question.inner_text():
            break
    expect(question).to_contain_text("road: seen, not clicked")
    expect(question).to_contain_text(f"{CLASSES[1]}: seen, not clicked")
    person.press("x")
    expect(question).to_contain_text("road: not there")
    accept(person)
    with previewing.store() as store:
        assert store.answers(FrameKey(*second)) == {0: False, 1: None}
        assert store.answers(FrameKey(*first)) in (None, {})  # points and preview agreed, so there was nothing to ask
        assert set(np.unique(store.label(FrameKey(*second)).ids)) == {1}

    person.go("p")
    expect(question).to_contain_text("road: not there")
    question.get_by_role("button", name="Withdraw").click()
    expect(question).to_contain_text("road: seen, not clicked", timeout=LOADING)
    expect(person["status"]).to_have_text("to do")  # the label was accepted with that answer
    person.press("n")  # a frame without points asks for it twice
    person.go("n")
    with previewing.store() as store:
        assert store.answers(FrameKey(*second)) == {0: None, 1: None}

    bar = '#survey button[title^="a, frame {}:"]'.format
    here = person.key[1]
    expect(person.page.locator(bar(second[1]))).to_have_count(0, timeout=LOADING)  # finished: no longer in the strip
    expect(person.page.locator(f"#survey button:not({bar(here)})").first).to_be_visible(timeout=LOADING)
    person.go("u")  # to a frame that the strip shows
    assert person.key not in (first, second)


def test_without_a_preview_enter_finishes_a_frame_as_before(server, visit):
    person = visit(server.url).fresh()
    key = person.key
    person.press("1")
    person.click((500, 300))
    expect(person.page.locator("[data-command=accept]")).to_be_hidden()
    person.go("Enter")
    assert server.status(key) == "done"
    assert accepted(server) == []
