"""The routes of the Train button: what is started, what is reported, and that hostile requests start nothing."""

import json
from dataclasses import replace
from functools import partial

import cv2
import numpy as np
import pytest
import yaml

from weclick.annotate.training import Training
from weclick.annotate.training_routes import training_routes
from weclick.jobs import Job
from weclick.reporting.stages import StageProgress

from .helpers import ANN
from .test_hostile import HEADERS


@pytest.fixture
def training(root):
    (root / "config.yaml").write_text(yaml.safe_dump({"arm": "accepted"}))
    video = root / "videos" / "東京.mp4"
    return Training(root, root / "config.yaml", root / "runs", {"東京": video})


@pytest.fixture
def started(monkeypatch):
    """The commands of jobs, which are not run: each is finished at once."""
    started = []

    def start(self, steps, facts):
        state = {"steps": steps, "facts": facts, "outcome": "done", "step": len(steps) - 1, "message": ""}
        self._state.parent.mkdir(exist_ok=True)
        self._state.write_text(json.dumps(state))
        started.append(list(map(list, steps)))
        return True

    monkeypatch.setattr(Job, "start", start)
    return started


@pytest.fixture
def client(serve, training):
    return serve(training=partial(training_routes, training))


def set_outcome(training, outcome, message=""):
    file = training.runs / "train.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "outcome": outcome, "step": 0, "message": message}))


def write_run(training, name="train-1"):
    """Write what a finished run leaves."""
    run = training.runs / name
    for folder in ("student", "result/東京", "test", "export"):
        (run / folder).mkdir(parents=True)
    (run / "student/begun.json").write_text('{"epochs": 400}')
    rows = "".join(f"{number},{number},{1 / (number + 1)}\n" for number in range(301))
    (run / "student/metrics.csv").write_text("epoch,step,train/loss\n" + rows)
    cv2.imwrite(str(run / "student/train_samples.png"), np.zeros((4, 4, 3), np.uint8))
    (run / "result/東京/compare.webm").write_bytes(b"0123456789")
    frames = [{"video": "東京", "number": 7, "score": 1.0}, {"video": "gone", "number": 1, "score": 0.5}]
    (run / "suggestions.json").write_text(json.dumps(frames))
    (run / "test/metrics.json").write_text(json.dumps({"iou": {"ground": 0.5, "car": None}}))
    return run


def test_without_a_training_nothing_is_shown(client):
    assert client.get("/api/project").json()["training"]
    assert client.get("/api/training").json()["outcome"] == "none"
    for path in ("samples/student/train_samples", "results/0"):
        assert client.get(f"/api/training/{path}").status_code == 404


def test_a_data_set_that_is_only_annotated_has_no_such_routes(serve):
    client = serve()
    assert not client.get("/api/project").json()["training"]
    assert client.get("/api/training").status_code == client.post("/api/training", json={}).status_code == 404


def test_a_training_is_the_commands_that_a_user_could_give(client, training, started):
    assert client.post("/api/training", json={"resume": False}).json()["run"] == "train-1"
    fit, predict, suggest, test = started[0]
    root, run = str(training.root), str(training.runs / "train-1")
    assert fit[:3] == ["fit", "--config", f"{root}/config.yaml"] and fit[-4:] == [
        "--name",
        "train-1",
        "--resume",
        "train-1",
    ]
    assert fit[fit.index("--report") + 1] == "false"  # the page runs the test after the result videos
    assert predict[0] == "predict" and f"{root}/videos/東京.mp4" in predict and f"{run}/result/東京" in predict
    assert test == ["test", "--run", str(run), "--required", "false"]
    assert suggest[:3] == ["clicks", "suggest", root]


def test_it_is_resumed_with_the_same_commands_and_a_new_one_has_a_new_name(client, training, started):
    client.post("/api/training", json={})
    write_run(training)
    set_outcome(training, "stopped")
    assert client.post("/api/training", json={"resume": True}).json()["run"] == "train-1"
    assert started[1] == started[0]
    set_outcome(training, "failed", f"{training.root}/config.yaml is wrong")
    assert client.get("/api/training").json()["message"] == "config.yaml is wrong"
    assert client.post("/api/training", json={"resume": False}).json()["run"] == "train-2"
    assert client.post("/api/training", json={"resume": True}).json()["run"] == "train-2"  # the first is finished


def test_what_came_of_it_is_reported(client, training, started, catalog):
    client.post("/api/training", json={})
    write_run(training)
    found = client.get("/api/training").json()
    assert found["results"] == ["東京"]
    assert [(one["video"], one["number"]) for one in found["suggestions"]] == [("東京", 7)]  # not what is gone
    assert found["scores"] == [{"name": "ground", "value": 0.5}, {"name": "car", "value": None}]
    assert found["measured_with"] == "masks"
    assert found["samples"] == [{"stage": "student", "name": "train_samples"}]
    stage = found["stages"][0]
    assert (stage["epoch"], stage["epochs"]) == (301, 400)
    assert len(stage["losses"]) <= 200 and stage["losses"][-1] == pytest.approx(1 / 301)
    assert client.get("/api/training/samples/student/train_samples").headers["content-type"] == "image/png"
    part = client.get("/api/training/results/0", headers={"Range": "bytes=2-4"})
    assert (part.status_code, part.content, part.headers["content-type"]) == (206, b"234", "video/webm")
    offered = client.post("/api/next", json={"client": ANN, "annotator": "", "after": None}).json()
    assert (offered["video"], offered["number"]) == ("東京", 7)  # first


def test_promise_12_scores_of_held_out_clicks_are_named_as_such(client, training, started):
    client.post("/api/training", json={})
    metrics = {"measured_with": "clicks", "iou": {"ground": None}, "class_accuracy": {"ground": 0.75}}
    (write_run(training) / "test/metrics.json").write_text(json.dumps(metrics))
    found = client.get("/api/training").json()
    assert found["scores"] == [{"name": "ground", "value": 0.75}] and found["measured_with"] == "clicks"


def test_the_time_left_is_that_of_the_epochs_since_it_was_started(client, training, started):
    client.post("/api/training", json={})
    write_run(training)
    state = training.job.state()
    stage = training_stage(epochs=10, done=4, begun=100.0, updated=300.0)
    assert training.seconds_left(state_with(state, started=200.0, epochs={"student": 2}), stage) == 300.0
    assert training.seconds_left(state_with(state, started=0.0, epochs={}), stage) == 300.0
    assert training.seconds_left(state_with(state, started=0.0, epochs={"student": 4}), stage) is None


def training_stage(epochs, done, begun, updated):
    return StageProgress("student", False, epochs, (0.1,) * done, (), begun, updated)


def state_with(state, **facts):
    return replace(state, facts=facts)


def test_an_export_is_started_and_its_files_are_named_without_the_servers_folders(client, training, started):
    assert client.post("/api/training/export", json={}).json()["outcome"] == "none"
    assert started == []  # there is nothing to export
    client.post("/api/training", json={})
    run = write_run(training)
    (run / "export/model.onnx").touch()
    assert client.get("/api/training").json()["export"]["outcome"] == "none"
    export = client.post("/api/training/export", json={}).json()["export"]
    assert started[1] == [["export", "--run", str(run)]]
    assert export == {"outcome": "done", "message": "", "files": ["runs/train-1/export/model.onnx"]}


HOSTILE = [("GET", ""), ("POST", ""), ("DELETE", ""), ("POST", "/export"), ("GET", "/results/0")]


@pytest.mark.parametrize(("method", "path"), HOSTILE)
def test_foreign_requests_are_refused(client, serve, training, started, method, path):
    guarded = serve(token="a-token-nobody-guesses", training=partial(training_routes, training))
    body = {"json": {}} if method != "GET" else {}
    cases = [
        (client, 400, {"Host": "evil.example"}),
        (client, 403, {"Origin": "http://evil.example"}),
        (guarded, 401, {}),
    ]
    for asked, status, headers in cases:
        response = asked.request(method, f"/api/training{path}", headers=headers, **body)
        assert response.status_code == status
        assert {name: response.headers[name] for name in HEADERS} == HEADERS
    assert started == []


def test_forms_and_unknown_fields_start_nothing(client, started):
    assert client.post("/api/training", content="", headers={"Content-Type": "text/plain"}).status_code == 415
    for body in ({"resume": 1}, {"resume": "true"}, {"x": 1}, [], "resume"):
        assert client.post("/api/training", json=body).status_code == 422
    assert started == []


@pytest.mark.parametrize(
    "name", ["..%2f..", "%2e%2e%2fconfig.yaml", "last.ckpt", "train_samples.png", "%00", "-1", "1"]
)
def test_no_path_leads_to_another_file(client, training, started, name):
    client.post("/api/training", json={})
    write_run(training)
    for path in (f"samples/student/{name}", f"samples/{name}/train_samples", f"results/{name}"):
        assert client.get(f"/api/training/{path}").status_code in (404, 422)
