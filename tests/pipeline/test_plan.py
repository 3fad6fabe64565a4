"""The plan of a fit, as it is printed before training, and its times."""

import pytest

from weclick.clicks import Click, ClickStore
from weclick.data.dataset import DataSet
from weclick.pipeline.plan import duration, measured, plan

ALL = ("teacher", "memory", "student")


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.4, "0 s"), (89, "89 s"), (90, "2 min"), (3540, "59 min"), (7500, "2 h 5 min")]
)
def test_durations_are_in_words(seconds, words):
    assert duration(seconds) == words


def test_the_plan_states_frames_clicks_steps_and_disk(settings, run):
    lines = plan(settings(arm="weclick"), run(), ALL)
    text = "\n".join(lines)
    assert lines[0] == "trained from: 10 frames of 30"
    assert lines[1].startswith("clicks: ") and "road" in lines[1]
    # ten frames in batches of two, for two epochs
    assert "teacher: 10 steps, 2 x 5, of 2 frames each" in lines
    assert "student: 10 steps, 2 x 5, of 2 frames each" in lines
    assert "memory: soft labels of 10 frames, 2 neighbours each" in lines
    assert "disk: the memory takes at most" in text and "are free" in text


def test_only_stages_that_are_needed_and_asked_for_are_planned(settings, run):
    text = "\n".join(plan(settings(arm="clicks"), run(), ALL))
    assert "student: " in text and "teacher: " not in text and "memory" not in text
    assert "student: " not in "\n".join(plan(settings(arm="weclick"), run("other"), ("teacher",)))


def test_small_sets_get_more_epochs_and_the_plan_says_so(settings, run):
    chosen = settings(arm="clicks", trainer={"min_steps": 33})
    assert "student: 35 steps, 7 x 5, of 2 frames each" in plan(chosen, run(), ALL)


@pytest.mark.parametrize(("limit", "steps"), [(3, 3), (99, 5), (0.5, 2), (1.0, 5)])
def test_a_limit_of_batches_is_in_the_plan(settings, run, limit, steps):
    chosen = settings(arm="clicks", trainer={"limit_train_batches": limit})
    assert f"student: {2 * steps} steps, 2 x {steps}, of 2 frames each" in plan(chosen, run(), ALL)


def test_classes_with_few_clicks_are_named(settings, run, street):
    made, data = run(), DataSet.open(street)
    names = data.classes.names
    with ClickStore.create(made.clicks, data.classes) as store:
        for frame in data.labelled("train")[:2]:
            clicks = [Click(x, 5, 0) for x in range(10)] + [Click(50, 50, 1)]
            store.add(frame.key, clicks, status="todo", size=(64, 128))
    lines = plan(settings(), made, ALL)
    assert lines[0] == "trained from: 2 frames (2 clicked but not done: no class counts as absent there) of 30"
    assert lines[1] == f"clicks: 22: {names[0]} 20, {names[1]} 2"
    assert lines[2] == f"fewer than 5 clicks, so hardly learned: {names[1]}"


def test_every_stage_is_measured_and_the_last_line_is_the_sum(settings, run):
    lines = list(measured(settings(arm="weclick"), run(), ALL))
    assert [line.partition(":")[0] for line in lines[:3]] == list(ALL)
    assert "s a step, " in lines[0] and "s a frame, " in lines[1] and "s a step, " in lines[2]
    assert lines[3].startswith("together about ") and lines[3].endswith(" on cpu")


def test_measuring_leaves_nothing_in_the_run(settings, run):
    made = run()
    plan(settings(arm="weclick"), made, ALL)
    list(measured(settings(arm="weclick"), made, ALL))
    assert {path.name for path in made.folder.iterdir()} == {"config.yaml", "clicks.sqlite"}
