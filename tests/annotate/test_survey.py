"""The survey: frames that the probe is unsure of, and what the last clicks changed."""

import asyncio
import json

import pytest

from weclick.annotate.frames import Frames
from weclick.annotate.pictures import Pictures
from weclick.annotate.preview import PreviewError
from weclick.annotate.survey import FRAMES, Survey
from weclick.annotate.worker import StoreWorker
from weclick.clicks import Click
from weclick.conventions import FrameKey
from weclick.errors import DataError


class Examiner:
    """Stands for the previews: frame n of the video is unsure in n percent; learns after some requests."""

    def __init__(self, learned_after=0):
        self.idle, self.learns, self.examined, self.waits = True, True, [], learned_after

    async def examine(self, version):
        if self.waits:
            self.waits -= 1
            return None
        number = int(version[0].stem)
        self.examined.append(number)
        if number == 3:
            raise DataError("damaged")
        if number == 4:
            raise PreviewError("started again")
        return number / 100, 0.25 if self.examined.count(number) > 1 else None


@pytest.fixture
def survey(catalog, store_path, monkeypatch):
    """Run a coroutine function with the survey of an examiner, which is stopped afterwards."""
    monkeypatch.setattr("weclick.annotate.survey.PAUSE", 0.0)

    def run(examiner, scenario):
        async def main():
            worker = StoreWorker(store_path, catalog.classes)
            survey = Survey(examiner, Frames(catalog, Pictures(catalog.root)), worker)
            survey.start()
            try:
                return await asyncio.wait_for(scenario(survey), 60)
            finally:
                await survey.close()
                worker.close()

        return asyncio.run(main())

    return run


async def until(condition):
    while not condition():
        await asyncio.sleep(0)


async def response(survey):
    return json.loads((await survey.survey()).body)


def test_frames_to_do_are_listed_the_most_unsure_first(survey, catalog, store):
    examiner = Examiner(learned_after=3)

    async def scenario(survey):
        await until(lambda: len(examiner.examined) == min(len(catalog), FRAMES))
        store.add(FrameKey("東京", 39), [Click(1, 1, 0)])
        return await response(survey)

    frames = survey(examiner, scenario)["frames"]
    shares = [frame["unsure"] for frame in frames]
    assert shares == sorted(shares, reverse=True)
    assert frames[0]["number"] == 38  # 39 is done by now
    assert not {3, 4} & {frame["number"] for frame in frames if frame["video"] == "東京"}  # could not be examined
    assert frames[0]["id"] == catalog.id_of(FrameKey("東京", 38))


def test_it_says_what_the_last_clicks_changed(survey, catalog, store):
    examiner = Examiner()

    async def scenario(survey):
        await until(lambda: len(examiner.examined) == min(len(catalog), FRAMES))
        assert (await response(survey))["changed"] is None
        store.add(FrameKey("東京", 1), [Click(1, 1, 0), Click(9, 9, 1)])
        survey.repeat()
        await until(lambda: survey._changed is not None)
        return await response(survey)

    found = survey(examiner, scenario)
    assert (found["changed"], found["clicks"]) == (0.25, 2)


def test_nothing_is_examined_while_somebody_clicks(survey):
    examiner = Examiner()
    examiner.idle = False

    async def scenario(survey):
        for _ in range(200):
            await asyncio.sleep(0)
        before = list(examiner.examined)
        examiner.idle = True
        await until(lambda: examiner.examined)
        return before

    assert survey(examiner, scenario) == []


def test_without_clicks_nothing_is_found(survey):
    examiner = Examiner(learned_after=1)
    examiner.learns = False

    async def scenario(survey):
        await until(lambda: not examiner.waits)
        return await response(survey)

    assert survey(examiner, scenario) == {"frames": [], "changed": None, "clicks": 0}


def test_without_previews_the_survey_is_empty(client):
    assert client.get("/api/survey").json() == {"frames": [], "changed": None, "clicks": 0}
