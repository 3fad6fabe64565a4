"""The page of ``weclick annotate`` in a real browser, against the real server."""

import json
import math
import re
import sqlite3
from contextlib import closing

import pytest

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

from playwright.sync_api import expect

from weclick.data.index import FrameKey

from .browser import CLASSES, NEEDS_BROWSER, WIDTH, Server, assert_stored, click_marks, marks, write_marked_set

pytestmark = NEEDS_BROWSER


def test_fifty_clicks_on_five_frames_are_stored_as_they_were_clicked(server, visit):
    person = visit(server.url)
    expected = {}

    # first frame: two classes, an undo, a redo, a removal
    key = person.key
    colors = list(marks(key))
    person.press("1")
    clicked = click_marks(person, colors[:5], 0)
    person.press("2")
    clicked += click_marks(person, colors[5:10], 1)
    person.press("Control+z", "Control+z", "Control+Shift+Z", "Control+y")
    person.click((400, 120))
    person.press("Control+z")
    person.click((400, 120))
    person.click((402, 121), button="right")
    expect(person.chip(1).locator(".count")).to_have_text("5")
    expected[key] = clicked

    # second frame: at 400 % or more, moving the picture
    key = person.go("n")
    colors = list(marks(key))
    expected[key], left = [], set(colors[:10])
    person.press("3")
    person.page.mouse.move(640, 360)
    while person.zoom() < 4:
        person.page.mouse.wheel(0, -50)
        person.page.wait_for_timeout(30)
    for shift in ((0, 0), (300, 150), (-600, 0), (0, -300), (600, 0)):
        person.drag((640, 360), (640 + shift[0], 360 + shift[1]), button="middle")
        person.page.mouse.move(640, 200)
        visible = {color: spot for color, spot in person.see().items() if 70 < spot[1] < 640 and 25 < spot[0] < 1255}
        expected[key] += click_marks(person, sorted(left & set(visible)), 2, visible)
        left -= set(visible)
    assert not left

    # third frame: the zoom is unchanged; skipped without a click
    zoom = person.zoom()
    assert zoom >= 4
    skipped = person.go("n")
    assert person.zoom() == zoom
    expected[skipped] = []

    # fourth frame: points added beside the marks and dragged to them
    key = person.go("s")
    person.press("f", "4")
    spots, colors = person.see(), list(marks(key))
    for color in colors[:10]:
        x, y = spots[color]
        person.drag((x + 30, y + 20), (x, y))
        person.drag((x, y), (x, y + 30))
        person.press("Control+z")
    expected[key] = [(*marks(key)[color], 3) for color in colors[:10]]

    # fifth and sixth frame
    for class_key, class_id in (("5", 4), ("a", 10)):
        key = person.go("n")
        person.press(class_key)
        expected[key] = click_marks(person, list(marks(key))[:10], class_id)
    person.saved()
    last = person.key
    assert sum(map(len, expected.values())) == 50

    # reload: the same frame, the same points
    person.page.reload()
    expect(person.chip(10).locator(".count")).to_have_text("10")
    assert person.key == last
    person.go("n")
    for key, clicks in expected.items():
        assert_stored(server, key, clicks)
        assert server.status(key) == ("skipped" if key == skipped else "done")
    with server.store() as store:
        assert len(store.records()) == 50
        assert all(timed.seconds is not None for timed in store.timed_clicks(next(iter(store.all_clicks()))))


def test_a_frame_that_somebody_else_has_leased_is_read_only(server, visit):
    first = visit(server.url)
    first.press("?")
    first["annotator"].fill("Anna <b>")
    first.press("Tab", "Escape")
    first.page.reload()  # takes the lease again, now with a name
    expect(first["number"]).not_to_have_text("")
    key = first.fresh().key
    first.click((640, 360))
    first.saved()
    second = visit(first.page.url)
    assert second.key == key
    expect(second["notice"]).to_contain_text("Anna <b> is working on this frame")
    before = server.clicks(key)
    second.click((300, 300))
    expect(second["toast"]).to_contain_text("Read-only: Anna <b> is working on this frame")
    assert server.clicks(key) == before
    assert second.go("n") != key
    expect(second["notice"]).to_be_hidden()


@pytest.fixture
def two_videos(tmp_path):
    started = Server(write_marked_set(tmp_path / "set", videos=("a", "b")))
    yield started
    started.close()


def test_a_picture_that_cannot_be_shown_can_be_skipped(two_videos, visit):
    server = two_videos
    person = visit(server.url)
    person.page.route("**/image", lambda route: route.fulfill(body="no picture", content_type="image/png"))
    key = person.go("PageDown")  # pictures near the first frame are loaded already
    expect(person["notice"]).to_contain_text("cannot be shown")
    person.click((640, 360))
    broken = person.page.url
    person.press("n")
    expect(person["toast"]).to_contain_text("Press Skip to leave the frame out")
    person.page.get_by_role("button", name="Try again").click()
    expect(person["notice"]).to_contain_text("cannot be shown")
    assert (person.page.url, server.status(key)) == (broken, "todo")
    person["notice"].get_by_role("button", name="Skip").click()
    expect(person.page).not_to_have_url(broken)
    assert server.status(key) == "skipped"
    assert server.clicks(key) == []


def test_a_video_with_a_damaged_first_frame_can_be_shown(tmp_path, visit):
    root = write_marked_set(tmp_path / "set", videos=("a", "b", "c"), frames=3)
    for video, numbers in {"a": (0,), "b": (0, 2, 4), "c": (0, 2)}.items():
        for number in numbers:
            (root / "frames" / video / f"{number}.png").write_bytes(b"")
    with closing(Server(root)) as server:
        person = visit(server.url)
        if person.key[0] == "c":
            assert person.go("PageUp") == ("a", 2)
        assert person.go("PageDown") == ("c", 4)
        assert person.go("PageUp") == ("a", 2)
        while "No frames are left" not in person["toast"].inner_text():
            person.press("s")
            person.page.wait_for_timeout(50)
        person.page.goto("about:blank")
        person.page.goto(server.url)
        expect(person["number"]).to_contain_text("2 of 3")


@pytest.mark.parametrize("path", ["next", "frames/*"])
def test_the_reason_why_no_frame_can_be_shown_is_shown(server, visit, path):
    person = visit(server.url)
    id = person.page.url.split("#")[1]
    kept = {"version": 0, "status": "todo", "seconds": 1, "clicks": []}
    if path != "next":
        person.page.evaluate(
            "([id, kept]) => localStorage[`weclick-unsaved-gone.${id}`] = kept", [id, json.dumps(kept)]
        )
    refusal = {"status": 503, "json": {"detail": "the disk is full"}}
    person.page.route(f"**/api/{path}", lambda route: route.fulfill(**refusal))
    person.page.goto("about:blank")
    person.page.goto(server.url)
    expect(person["notice"]).to_contain_text("the disk is full")
    if path != "next":
        expect(person["saved"]).to_be_empty()
    person.page.unroute(f"**/api/{path}")
    person.page.get_by_role("button", name="Try again").click()
    expect(person["number"]).to_contain_text("frame")
    person.errors.clear()


def test_names_of_classes_and_videos_are_text(server, visit):
    person = visit(server.url)
    expect(person.page.locator(".chip .name")).to_have_text(CLASSES)
    while "This is the first video" not in person["toast"].inner_text():
        person.press("PageUp")
        person.page.wait_for_timeout(50)
    assert person.key == ("<img src=x onerror=alert(1)>", 0)
    assert person.page.locator("img").count() == 0
    assert "owned" not in person.page.title()


def test_a_class_is_found_by_name(server, visit):
    person = visit(server.url)
    person.press("/")
    person.page.keyboard.type("class 33")
    expect(person.page.locator(".chip:visible")).to_have_count(1)
    person.press("Enter")
    expect(person.chip(33)).to_have_attribute("aria-pressed", "true")
    expect(person.page.locator(".chip:visible")).to_have_count(len(CLASSES))
    person.press("4")
    expect(person.chip(3)).to_have_attribute("aria-pressed", "true")


def test_a_click_into_the_picture_ends_the_search_for_a_class(server, visit):
    person = visit(server.url).fresh()
    person.press("/")
    person.page.keyboard.type("class 3")
    expect(person.page.locator(".chip:visible")).to_have_count(6)
    person.click((640, 360))
    expect(person["filter"]).to_be_hidden()
    expect(person.page.locator(".chip:visible")).to_have_count(len(CLASSES))


def test_all_functions_work_without_a_mouse(server, visit):
    person = visit(server.url).fresh()
    key = person.key
    person.press("2", *["Alt+ArrowLeft"] * 4, *["Alt+Shift+ArrowUp"] * 2, ".")
    person.press("1", *["Alt+Shift+ArrowRight"] * 3, ".", "2", "c")
    expect(person.chip(1).locator(".count")).to_have_text("2")
    person.press("Delete", "Control+z", "Control+z", "Control+z")
    expect(person.chip(1).locator(".count")).to_have_text("1")
    person.press("Control+y", "Control+y")
    person.saved()
    (x, y, _), (far_x, far_y, _) = server.clicks(key)
    fit = person.zoom()
    assert math.isclose(x, WIDTH / 2 - 0.5 - 4 * 6 / fit, abs_tol=0.2)
    assert math.isclose(far_x - x, 3 * 48 / fit, abs_tol=0.2)
    assert y == far_y
    person.press("+", "+")
    assert math.isclose(person.zoom(), 2 * fit, rel_tol=0.01)
    person.press("f")
    assert person.zoom() == fit
    person.press("Tab")
    assert person.page.evaluate("document.activeElement.tagName") != "BODY"
    person["canvas"].focus()
    moved = person.go("ArrowRight")
    assert moved == (key[0], key[1] + 2)
    assert person.go("ArrowLeft") == key
    assert person.go("ArrowDown") == (key[0], min(key[1] + 20, 22))
    assert person.go("ArrowUp") == (key[0], max(min(key[1] + 20, 22) - 20, 0))
    assert person.go("Shift+ArrowRight")[0] == key[0]
    while person.key != key:
        person.go("ArrowRight" if person.key[1] < key[1] else "ArrowLeft")
    assert person.go("Enter") != key
    assert server.status(key) == "done"
    assert person.go("p") == key
    assert [click[2] for click in server.clicks(key)] == [1, 1]
    person.press("t")
    expect(person["status"]).to_have_text("to do")


def test_fingers_add_move_remove_and_zoom(server, visit):
    tablet = {
        "viewport": {"width": 820, "height": 1180},
        "has_touch": True,
        "is_mobile": True,
        "device_scale_factor": 2,
    }
    person = visit(server.url, **tablet).fresh()
    key, touches = person.key, person.page.context.new_cdp_session(person.page)

    def touch(kind, *points):
        positions = [{"x": x, "y": y, "id": i} for i, (x, y) in enumerate(points)]
        touches.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": positions})

    spots, colors = person.see(), list(marks(key))
    first, second = spots[colors[0]], spots[colors[1]]
    person.chip(1).tap()
    person.page.touchscreen.tap(*first)
    person.saved()
    assert_stored(server, key, [(*marks(key)[colors[0]], 1)], within=1)
    touch("touchStart", first)
    touch("touchMove", ((first[0] + second[0]) / 2, (first[1] + second[1]) / 2))
    touch("touchMove", second)
    touch("touchEnd")
    person.page.wait_for_timeout(100)
    person.saved()
    assert_stored(server, key, [(*marks(key)[colors[1]], 1)], within=1)
    zoom = person.zoom()
    touch("touchStart", (150, 400), (240, 400))
    touch("touchMove", (105, 400), (285, 400))
    touch("touchEnd")
    person.page.wait_for_timeout(50)
    assert math.isclose(person.zoom(), 2 * zoom, rel_tol=0.03)
    touch("touchStart", (105, 400), (285, 400))
    touch("touchMove", (150, 400), (240, 400))
    touch("touchEnd")
    touch("touchStart", second)
    person.page.wait_for_timeout(650)
    touch("touchEnd")
    person.page.wait_for_timeout(100)
    person.saved()
    assert server.clicks(key) == []
    person.page.get_by_role("button", name="Undo").tap()
    person.page.wait_for_timeout(100)
    person.saved()
    assert len(server.clicks(key)) == 1


def test_space_plays_the_frames_around_until_it_is_released(server, visit):
    person = visit(server.url).fresh()
    label = person["number"].inner_text()
    person.page.keyboard.down(" ")
    expect(person["number"]).to_contain_text("▶")
    person.click((640, 360))
    person.page.keyboard.up(" ")
    expect(person["number"]).to_have_text(label)
    assert person.page.locator(".count:not(:empty)").count() == 0


def test_the_slider_shows_the_frames_of_the_video_and_gives_the_keys_back(server, visit):
    person = visit(server.url)
    video, _ = person.key
    frames = int(re.search(r"of (\d+)$", person["number"].inner_text())[1])
    person["scrub"].fill(str(frames - 1))
    expect(person["number"]).to_have_text(re.compile(rf" · {frames} of {frames}$"))
    assert person.key[0] == video
    person["scrub"].dispatch_event("change")
    person.press("ArrowLeft")
    expect(person["number"]).to_have_text(re.compile(rf" · {frames - 1} of {frames}$"))
    expect(person["scrub"]).to_have_value(str(frames - 2))


def test_a_class_with_few_clicks_is_marked_once_something_is_clicked(mortal, visit):
    person = visit(mortal.url)
    first, second = person.chip(0), person.chip(1)
    expect(first).to_have_attribute("title", re.compile("once$"))
    assert first.get_attribute("data-few") is None
    person.press("1")
    person.click((400, 300))
    expect(first).to_have_attribute("title", re.compile(r"1 click in all frames: too few to learn the class from$"))
    expect(second).to_have_attribute("title", re.compile(r"No clicks in all frames: too few to learn the class from$"))
    assert first.get_attribute("data-few") == second.get_attribute("data-few") == ""
    person.click((500, 300))
    person.click((600, 300))
    expect(first).to_have_attribute("title", re.compile("once$"))
    assert first.get_attribute("data-few") is None
    assert second.get_attribute("data-few") == ""


def test_the_help_lists_every_key(server, visit):
    person = visit(server.url)
    person.press("?")
    expect(person["help"]).to_be_visible()
    bindings = person.page.evaluate("import('/page/keys.js').then(({BINDINGS}) => BINDINGS)")
    keys = [key for binding in bindings for key in binding["keys"]]
    assert len(keys) == len(set(keys))
    for binding in bindings:
        if binding["command"] != "overlay":
            expect(person["help"]).to_contain_text(binding["description"])
    assert person["help"].evaluate("dialog => dialog.scrollHeight <= dialog.clientHeight")
    person.press("Escape")
    expect(person["help"]).to_be_hidden()


def test_long_pauses_are_not_counted(server, visit):
    person = visit(server.url)
    script = """async () => {
        const { Stopwatch } = await import("/page/stopwatch.js");
        const stopwatch = new Stopwatch();
        stopwatch.activity(1);
        stopwatch.start(100);
        stopwatch.activity(104);
        stopwatch.activity(1000);
        const lap = stopwatch.lap(1001);
        stopwatch.stop(1002);
        stopwatch.start(5000);
        return [lap, stopwatch.lap(5003), stopwatch.seconds(9000)];
    }"""
    assert person.page.evaluate(script) == [4 + 10 + 1, 1 + 3, 4 + 10 + 1 + 1 + 3 + 10]


def test_zooming_keeps_the_position_under_the_cursor(server, visit):
    person = visit(server.url)
    script = """async () => {
        const { fit, toClick, toScreen, toSource, viewOfNext, zoomAt } = await import("/page/view.js");
        const size = { width: 320, height: 200 }, box = { left: 0, top: 50, width: 640, height: 500 };
        const view = fit(size, box), at = { x: 100, y: 120 };
        const closer = zoomAt(view, at, 3, size, box);
        const twice = { width: 640, height: 400 };
        return {
            view, corner: toSource(view, { x: 0, y: 100 }), centre: toScreen(view, { x: 0, y: 0 }),
            before: toSource(view, at), after: toSource(closer, at), zoom: closer.zoom,
            border: toClick({ x: 400, y: -3 }, size), next: viewOfNext(closer, size, twice, box).zoom,
        };
    }"""
    result = person.page.evaluate(script)
    assert result["view"] == {"zoom": 2, "x": 0, "y": 100, "fitted": True}
    assert result["corner"] == {"x": -0.5, "y": -0.5}
    assert result["centre"] == {"x": 1, "y": 101}
    assert result["before"] == pytest.approx(result["after"])
    assert (result["zoom"], result["next"]) == (6, 3)
    assert result["border"] == {"x": 319.499, "y": -0.5}


def test_a_drag_is_saved_when_another_frame_is_shown_meanwhile(server, visit):
    person = visit(server.url).fresh()
    key, spots = person.key, person.see()
    start, end = (spots[color] for color in list(marks(key))[:2])
    person.click(start)
    person.page.mouse.move(*start)
    person.page.mouse.down()
    person.page.mouse.move(*end, steps=4)
    person.go("n")
    person.page.mouse.up()
    assert_stored(server, key, [(*list(marks(key).values())[1], 0)])


def test_only_a_nearby_point_is_removed(server, visit):
    person = visit(server.url).fresh()
    x, y = person.see()[next(iter(marks(person.key)))]
    count = person.chip(0).locator(".count")
    person.click((x, y))
    person.click((x + 40, y), button="right")
    person.press("2")
    person.click((x + 4, y))
    expect(person["toast"]).to_contain_text("Changed road to <script>")
    expect(person.chip(1).locator(".count")).to_have_text("1")
    person.press("Control+z")
    expect(count).to_have_text("1")
    person.page.keyboard.down("Control")
    person.click((x + 20, y))
    person.page.keyboard.up("Control")
    expect(person["toast"]).to_contain_text("Removed: road")
    expect(count).to_have_text("")


def test_an_unknown_class_can_be_changed(server, visit):
    person = visit(server.url).fresh()
    key, spots = person.key, person.see()
    first, second = list(marks(key))[:2]
    clicked = click_marks(person, [first, second], 0, spots)
    person.saved()
    with closing(sqlite3.connect(server.root / "clicks.sqlite")) as store, store:
        store.execute("UPDATE clicks SET class_id = 99 WHERE video = ? AND number = ?", key)
    person.page.reload()
    expect(person["number"]).to_contain_text("frame")
    person.page.mouse.move(*spots[first])
    person.press("1", "c")
    expect(person["toast"]).to_contain_text("Changed unknown class to road")
    expect(person["notice"]).to_contain_text("unknown class id 99")
    person.page.get_by_role("button", name="Continue").click()
    person.page.mouse.move(*spots[second])
    person.press("Delete")
    expect(person["toast"]).to_contain_text("Removed: unknown class")
    person.saved()
    assert_stored(server, key, clicked[:1])


def test_keys_do_not_change_points_out_of_view(server, visit):
    person = visit(server.url).fresh()
    spots = person.see()
    x, y = max(spots.values())
    person.click((x, y))
    person.page.mouse.move(x - 300, y)
    person.press(*["+"] * 8, "2")
    for key in ("Delete", "c"):
        person.press(key)
        expect(person["toast"]).to_have_text("No point is visible.")
        expect(person["toast"]).to_be_empty()
    expect(person.chip(0).locator(".count")).to_have_text("1")
    person.press("f", "Delete")
    expect(person.chip(0).locator(".count")).to_have_text("")


def test_input_before_the_first_frame_causes_no_error(server, visit):
    person = visit(server.url)
    waiting = []
    person.page.route("**/api/next", lambda route: waiting.append(route))
    with person.page.expect_request("**/api/next"):
        person.page.goto("about:blank")
        person.page.goto(server.url)
    person.page.mouse.move(640, 360)
    person.page.mouse.wheel(0, -50)
    person.click((640, 360))
    person.click((640, 360), button="right")
    person.drag((640, 360), (600, 300), button="middle")
    person.press("n", "Delete", "c", ".", "Control+z", "f", "Alt+ArrowUp", "o", "2", "?")
    expect(person["help"]).to_be_visible()
    person.press("Escape")
    waiting[0].fallback()
    expect(person["number"]).to_contain_text("frame")
    expect(person.chip(1)).to_have_attribute("aria-pressed", "true")


def test_the_play_button_works_without_a_pointer(server, visit):
    person = visit(server.url)
    button = person.page.get_by_role("button", name="Hold to play")
    for key in ("Enter", "Space"):
        button.press(key)
        expect(person["number"]).to_contain_text("▶")
        person.click((640, 360))
        expect(person["toast"]).to_contain_text("press play again")
        button.press(key)
        expect(person["number"]).to_contain_text("frame")


def test_no_prediction_is_requested_for_frames_that_are_only_passed(server, visit):
    videos = visit(server.url).page.evaluate("fetch('/api/project').then((response) => response.json())")["videos"]
    person = visit(f"{server.url}#{videos[1]['first']}")
    requested = []
    person.page.route("**/overlay", lambda route: (requested.append(route.request.url), route.fulfill(status=404)))
    person.press("PageDown", "PageUp", "o")
    expect(person["toast"]).to_contain_text("No prediction")
    for key in ("PageDown", "PageUp", "PageDown"):
        before, url = len(requested), person.page.url
        person.press(key)
        expect(person.page).not_to_have_url(url)
    person.page.wait_for_timeout(1000)
    assert requested[-1].split("/")[-2] == person.page.url.split("#")[1]
    assert before <= 2


def test_a_name_is_kept_in_memory_if_the_storage_is_full(server, visit):
    person = visit(server.url)
    person.page.evaluate("() => { Storage.prototype.setItem = () => { throw new Error('full') } }")
    person.press("?")
    person["annotator"].fill("Berta")
    person.press("Tab")
    assert person.page.evaluate("import('/page/help.js').then(({ annotator }) => annotator())") == "Berta"


def test_control_characters_in_a_stored_name_are_replaced(server, visit):
    person = visit(server.url)
    person.page.evaluate("localStorage['weclick-annotator'] = 'Ann\\tB'")
    person.page.reload()
    expect(person["number"]).to_contain_text("frame")
    person.fresh().click((640, 360))
    person.saved()
    with server.store() as store:
        assert store.frame(FrameKey(*person.key)).annotator == "Ann B"


def test_the_position_of_a_key_counts_only_if_it_types_no_latin_letter(server, visit):
    script = """async () => {
        const { chords } = await import("/page/keys.js");
        return [["o", "KeyS"], ["1", "Digit1"], ["ы", "KeyS"], ["&", "Digit1"]].map(([key, code]) => chords({ key, code }));
    }"""
    assert visit(server.url).page.evaluate(script) == [["o"], ["1"], ["ы", "s"], ["&", "1"]]


def test_loading_a_picture_times_out(server, visit):
    person = visit(server.url)
    routes = []
    person.page.route("**/never", lambda route: routes.append(route))
    script = """async () => {
        const { Pictures } = await import("/page/pictures.js");
        return new Pictures(() => "/never", 0.1).get("a").then(() => "loaded", () => "timed out");
    }"""
    assert person.page.evaluate(script) == "timed out"
    routes[0].abort()
