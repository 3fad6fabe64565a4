"""Every click is stored exactly once, even if the page or the server stops in between."""

import pytest

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

from playwright.sync_api import expect

from weclick.clicks import Click
from weclick.data.index import FrameKey

from .browser import NEEDS_BROWSER, Person, assert_stored, click_marks, marks

pytestmark = NEEDS_BROWSER


def test_nothing_is_lost_or_doubled_when_the_server_is_killed(mortal, visit):
    person = visit(mortal.url)
    key, spots = person.key, person.see()
    colors = list(marks(key))
    clicked = click_marks(person, colors[:3], 0, spots)
    person.saved()
    mortal.kill()
    clicked += click_marks(person, colors[3:6], 0, spots)
    expect(person["saved"]).to_have_text("⚠ NOT SAVED")
    with person.page.expect_event("dialog") as dialog:
        person.page.close(run_before_unload=True)
    assert dialog.value.type == "beforeunload"
    dialog.value.dismiss()
    person.press("Control+z")
    person.page.mouse.move(*spots[colors[5]])
    person.press(".")
    expect(person.chip(0).locator(".count")).to_have_text("6")
    mortal.start()
    person.saved()
    assert_stored(mortal, key, clicked)
    assert person.go("n") != key
    assert_stored(mortal, key, clicked)


def test_unsaved_work_survives_the_page(mortal, visit):
    person = visit(mortal.url)
    key, spots = person.key, person.see()
    colors = list(marks(key))
    clicked = click_marks(person, colors[:2], 0, spots)
    person.saved()
    mortal.kill()
    clicked += click_marks(person, colors[2:5], 0, spots)
    expect(person["saved"]).to_have_text("⚠ NOT SAVED")
    person.page.close()  # as in a crash, without a dialog
    mortal.start()
    assert len(mortal.clicks(key)) == 2
    again = Person(person.page.context.new_page(), mortal.url)
    expect(again["toast"]).to_contain_text("Saving the work of your last visit")
    again.saved()
    assert again.key == key
    assert_stored(mortal, key, clicked)
    again.page.reload()
    expect(again["number"]).not_to_have_text("")
    expect(again.chip(0).locator(".count")).to_have_text("5")
    expect(again["toast"]).not_to_contain_text("Saving the work of your last visit")
    assert again.errors == []


def test_a_response_lost_with_the_page_is_no_conflict(server, visit):
    person = visit(server.url).fresh()
    key, spots = person.key, person.see()
    first, later = list(marks(key))[:2]
    responses = []

    def lose(route):
        if put(route) and not responses:
            responses.append(route.fetch())  # stored, but the page gets no response
        route.abort()

    person.page.route("**/api/frames/*", lose)
    clicked = click_marks(person, [first], 0, spots)
    expect(person["saved"]).to_have_text("⚠ NOT SAVED")
    clicked += click_marks(person, [later], 0, spots)
    expect(person.chip(0).locator(".count")).to_have_text("2")
    assert_stored(server, key, clicked[:1])
    person.page.close()
    again = Person(person.page.context.new_page(), server.url)
    again.saved()
    expect(again["notice"]).to_be_hidden()
    assert_stored(server, key, clicked)
    assert again.errors == []


def test_a_second_tab_does_not_take_over_the_work_of_the_first(mortal, visit):
    first = visit(mortal.url)
    key, spots = first.key, first.see()
    mortal.kill()
    clicked = click_marks(first, list(marks(key))[:3], 0, spots)
    expect(first["saved"]).to_have_text("⚠ NOT SAVED")
    mortal.start()
    second = Person(first.page.context.new_page(), mortal.url)
    assert second.key != key
    assert "Saving the work of your last visit" not in second["toast"].inner_text()
    first.saved()
    expect(first["notice"]).to_be_hidden()
    assert_stored(mortal, key, clicked)
    assert second.errors == []


def test_unsaved_work_of_an_open_tab_is_not_taken_over(server, visit):
    first = visit(server.url).fresh()
    key, spots = first.key, first.see()
    first.page.route("**/api/frames/*", lambda route: route.abort() if put(route) else route.fallback())
    clicked = click_marks(first, list(marks(key))[:2], 0, spots)
    expect(first["saved"]).to_have_text("⚠ NOT SAVED")
    second = Person(first.page.context.new_page(), server.url)
    assert second.key != key
    second.fresh().click((640, 360))
    second.saved()
    assert server.clicks(key) == []
    second.page.close()
    first.page.unroute("**/api/frames/*")
    first.saved()
    assert_stored(server, key, clicked)
    assert second.errors == []


def test_unreadable_work_of_an_earlier_visit_is_reported_and_not_removed(server, visit):
    person = visit(server.url)
    broken = {"weclick-unsaved-gone.x": "{", "weclick-unsaved-gone.y": '{"version": 0, "seconds": 1}'}
    person.page.evaluate("kept => Object.assign(localStorage, kept)", broken)
    person.page.reload()
    expect(person["number"]).to_contain_text("frame")
    expect(person["toast"]).to_contain_text("cannot be read")
    person.saved()
    assert person.page.evaluate("kept => Object.keys(kept).every((key) => localStorage[key] === kept[key])", broken)


@pytest.mark.parametrize("choice", ["Keep mine", "Use the stored version"])
def test_the_person_decides_between_two_states_of_a_frame(server, visit, choice):
    person = visit(server.url).fresh()
    spots, key = person.see(), person.key
    mine, later = list(marks(key))[:2]
    clicked = click_marks(person, [mine], 0, spots)
    person.saved()
    with server.store() as store:
        store.add(FrameKey(*key), [Click(5.0, 5.0, 7)])
    clicked += click_marks(person, [later], 0, spots)
    expect(person["notice"]).to_contain_text(key[0])
    expect(person["saved"]).not_to_have_text("✓ saved")
    person.page.get_by_role("button", name=choice).click()
    person.saved()
    expect(person["notice"]).to_be_hidden()
    if choice == "Keep mine":
        assert_stored(server, key, clicked)
    else:
        assert_stored(server, key, [clicked[0], (5.0, 5.0, 7)])
        expect(person.chip(7).locator(".count")).to_have_text("1")


def test_the_person_decides_about_a_refused_save(server, visit):
    person = visit(server.url).fresh()
    key, spots = person.key, person.see()
    refusal = {"status": 422, "json": {"detail": "no such class"}}
    person.page.route("**/api/frames/*", lambda route: route.fulfill(**refusal) if put(route) else route.fallback())
    clicked = click_marks(person, list(marks(key))[:2], 0, spots)
    person.press("n")
    expect(person["notice"]).to_contain_text("no such class")
    person.page.get_by_role("button", name="Continue").click()
    expect(person["notice"]).to_be_hidden()
    there, back = ("ArrowRight", "ArrowLeft") if key[1] < 22 else ("ArrowLeft", "ArrowRight")
    person.go(there)
    expect(person["saved"]).to_have_text("⚠ NOT SAVED")
    assert person.go(back) == key
    person.page.unroute("**/api/frames/*")
    person.press("Control+z")
    person.saved()
    assert_stored(server, key, clicked[:1])
    person.go("n")


def put(route):
    return route.request.method == "PUT"


SAVER = """async (responses) => {
    const { Saver } = await import("/page/saver.js");
    const { ApiError } = await import("/page/api.js");
    const work = { id: "a", changes: 0, version: 0 };
    const sent = [];
    let faults = 0;
    const saver = new Saver(
        () => ({ changes: work.changes, status: "todo", clicks: [] }),
        async (id, content) => {
            sent.push(content.changes);
            const response = responses.shift() ?? { version: 7 };
            if (response.status === undefined) return response;
            throw new ApiError("refused", response.status, response.frame ?? null);
        },
        () => { if (faults-- > 0) throw new Error("fault"); },
        () => {},
    );
    const save = () => saver.save(work);
    const pause = (seconds) => new Promise((resolve) => setTimeout(resolve, 1000 * seconds));
"""


def test_a_response_without_a_version_is_invalid(server, visit):
    script = SAVER + "save(); await pause(0.1); save(); await saver.stored('a'); return [sent, work.version]; }"
    assert visit(server.url).page.evaluate(script, [{}, {"status": 401}]) == [[1, 1, 1, 2], 7]


def test_an_error_in_the_page_does_not_end_saving(server, visit):
    script = (
        SAVER
        + """
        save();
        faults = 1;
        await saver.stored("a");
        await pause(0.1);
        save();
        await saver.stored("a");
        return [sent, saver.unsaved];
    }"""
    )
    person = visit(server.url)
    assert person.page.evaluate(script, []) == [[1, 2], 0]
    assert person.errors == ["fault"]
    person.errors.clear()


def test_a_conflict_ends_a_failure_and_overwriting_waits_for_the_lease(server, visit):
    leased = {"status": 409, "frame": {"version": 3, "leased_by": "Anna"}}
    stale = {"status": 409, "frame": {"version": 3, "leased_by": None}}
    script = (
        SAVER
        + """
        save();
        const before = [await saver.stored("a"), saver.failure, saver.unsaved, saver.conflicts.length];
        saver.overwrite("a");
        const waiting = [await saver.stored("a"), saver.failure, saver.problem, saver.unsaved, saver.conflicts.length];
        while (!saver.conflicts.length) await pause(0.1);
        const after = work.version;
        saver.overwrite("a");
        return [before, waiting, after, await saver.stored("a"), saver.conflicts.length, work.version];
    }"""
    )
    result = visit(server.url).page.evaluate(script, [{"status": 0}, leased, leased, stale])
    assert result == [[False, None, 1, 1], [False, None, "refused", 1, 0], 0, True, 0, 7]


def test_a_conflict_with_an_identical_stored_frame_counts_as_saved(server, visit):
    same = {"status": 409, "frame": {"version": 5, "leased_by": "Anna", "status": "todo", "clicks": []}}
    script = SAVER + "save(); return [await saver.stored('a'), saver.unsaved, saver.conflicts.length, work.version]; }"
    assert visit(server.url).page.evaluate(script, [same]) == [True, 0, 0, 5]


@pytest.mark.parametrize(
    ("status", "frame", "failure"), [(409, {"version": 3, "leased_by": "Anna"}, None), (503, None, "refused")]
)
def test_a_waiting_frame_does_not_delay_others(server, visit, status, frame, failure):
    script = """async ([status, frame]) => {
        const { Saver } = await import("/page/saver.js");
        const { ApiError } = await import("/page/api.js");
        const sent = [], failures = [];
        const send = async (id) => {
            sent.push(id);
            if (id === "slow") throw new ApiError("refused", status, frame);
            return { version: 1 };
        };
        const changed = () => saver.failure === failures.at(-1) || failures.push(saver.failure);
        const saver = new Saver(() => ({ status: "done", clicks: [] }), send, changed, () => {});
        const work = (id) => ({ id, changes: 0, version: 0 });
        saver.resume(work("slow"), { owner: "gone", kept: {} });
        await new Promise((resolve) => setTimeout(resolve));
        saver.save(work("quick"));
        return [await saver.stored("quick"), sent, failures.at(-1), saver.problem, saver.unsaved];
    }"""
    result = visit(server.url).page.evaluate(script, [status, frame])
    assert result == [True, ["slow", "quick"], failure, "refused", 1]


NAVIGATION = """async () => {
    const { Navigation } = await import("/page/navigation.js");
    const { ApiError } = await import("/page/api.js");
    const around = { a: [[0, "a"], [1, "b"]], b: [[-1, "a"], [0, "b"]] };
    const stored = { a: 3, b: 0 }, leases = [], messages = [];
    const frame = (id) => ({ id, version: stored[id], status: "todo", clicks: [], around: around[id], leased_by: null });
    let down = false, unsaved = false, show = async () => ({});
    const api = {
        lease: async (id) => { leases.push(id); },
        frame: async (id) => { if (down) throw new ApiError("gone"); return frame(id); },
    };
    const navigation = new Navigation({
        api, videos: [], now: () => 0, leaving() {}, shown() {}, locked() {},
        showMessage: (text) => messages.push(text),
        saver: { isUnsaved: () => unsaved, problem: null }, pictures: { get: (id) => show(id), preload() {} },
    });
    await navigation.start("a");
    await new Promise((resolve) => setTimeout(resolve));
"""


def test_a_frame_read_before_a_save_finished_does_not_replace_newer_work(server, visit):
    script = (
        NAVIGATION
        + """
        const { work } = navigation;
        await navigation.step(1);
        show = async () => { work.version = 4; return {}; };
        await navigation.step(-1);
        const continued = navigation.work === work;
        stored.a = 5;
        await navigation.refresh();
        return [continued, navigation.work === work];
    }"""
    )
    assert visit(server.url).page.evaluate(script) == [True, False]


def test_the_lease_follows_the_current_frame(server, visit):
    script = (
        NAVIGATION
        + """
        leases.length = 0;
        show = async () => { await navigation.renewLease(); return {}; };
        await navigation.step(1);
        const moving = [...leases];
        down = true;
        await navigation.step(-1);
        return [moving, leases, messages];
    }"""
    )
    assert visit(server.url).page.evaluate(script) == [["b", "b"], ["b", "b", "a", "b"], ["gone"]]


def test_a_hidden_tab_holds_a_lease_until_the_frame_is_stored(server, visit):
    script = (
        NAVIGATION
        + """
        leases.length = 0;
        Object.defineProperty(document, "hidden", { value: true });
        unsaved = true;
        await navigation.renewLease();
        unsaved = false;
        await navigation.renewLease();
        return leases;
    }"""
    )
    assert visit(server.url).page.evaluate(script) == ["a"]
