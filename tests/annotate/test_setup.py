"""The setup of a project: videos are decoded, classes named, then the page for clicking answers."""

import cv2
import numpy as np
import pytest
from starlette.testclient import TestClient

from weclick.annotate.security import Access
from weclick.annotate.setup import Setup
from weclick.classes import ClassSet
from weclick.cli.start import _open_page, make_parser
from weclick.data.project import make_classes, make_project

from .helpers import HERE
from .test_hostile import HEADERS

ACCESS = Access(frozenset({"127.0.0.1"}), 8765)
OPTIONS = make_parser().parse_args(["video", "--preview", "false"])
NAMES = {"classes": [{"name": "road", "thing": False}, {"name": "<b>car", "thing": True}]}


@pytest.fixture
def project(tmp_path):
    path = tmp_path / "a&b.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (64, 48))
    for _ in range(4):
        writer.write(np.zeros((48, 64, 3), np.uint8))
    writer.release()
    return make_project(tmp_path / "p", [path])


@pytest.fixture
def serve(project):
    """Start the application, without the preview's process."""
    clients = []

    def start(access=ACCESS):
        app = Setup(project, access, lambda: _open_page(project, access, OPTIONS))
        clients.append(TestClient(app, base_url=HERE))
        return clients[-1].__enter__()

    yield start
    for client in clients:
        client.__exit__(None, None, None)


def wait(client, ready):
    """Ask how far the project is until that is so."""
    while not ready(progress := client.get("/api/setup").json()):
        assert not progress["problem"]
    return progress


def test_the_page_for_clicking_follows_once_classes_are_named(serve, project):
    client = serve()
    progress = wait(client, lambda progress: progress["done"] == 4)
    assert (progress["videos"], progress["named"], progress["ready"]) == (["a&b"], False, False)
    assert "weclick start" in client.get("/").text
    assert client.get("/api/project").status_code == 503  # a page that was open before waits
    assert client.put("/api/frames/0", json={}).status_code == 503

    response = client.post("/api/setup", json=NAMES)
    assert response.status_code == 200, response.text
    classes = ClassSet.read(project.folder / "classes.yaml")
    assert [(c.name, c.thing) for c in classes] == [("road", False), ("<b>car", True)]
    assert ["#{:02x}{:02x}{:02x}".format(*c.color) for c in classes] == progress["colors"][:2]
    wait(client, lambda progress: progress["ready"])
    found = client.get("/api/project").json()
    assert found["training"] and [c["name"] for c in found["classes"]] == ["road", "<b>car"]
    assert "weclick annotate" in client.get("/").text
    assert client.get("/api/progress").json()["goal"] == 4


def test_a_project_with_classes_goes_on_by_itself(serve, project):
    project.name_classes(make_classes(["road"]))
    client = serve()
    wait(client, lambda progress: progress["ready"])
    assert client.post("/api/setup", json=NAMES).status_code == 422  # clicks refer to the classes that are there
    assert ClassSet.read(project.folder / "classes.yaml").names == ("road",)


def test_what_cannot_be_decoded_is_told_without_the_servers_folders(serve, project, tmp_path):
    video = project.folder / "videos" / "a&b.avi"
    video.unlink()
    video.write_bytes(b"RIFF" * 100)
    client = serve()
    problem = ""
    while not problem:
        problem = client.get("/api/setup").json()["problem"]
    assert "videos/a&b.avi" in problem and str(tmp_path) not in problem and "\n" not in problem
    assert client.get("/api/project").json()["detail"] == problem


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"classes": []},
        {"classes": [{"name": " "}]},
        {"classes": [{"name": "a"}, {"name": "a"}]},
        {"classes": [{"name": "a\nb"}]},
        {"classes": [{"name": "a" * 61}]},
        {"classes": [{"name": 1}]},
        {"classes": [{"name": "a", "thing": "yes"}]},
        {"classes": [{"name": "a", "color": [0, 0, 0]}]},
        {"classes": [{"name": f"class {number}"} for number in range(256)]},
        {"classes": ["a"]},
        {"classes": {"name": "a"}},
    ],
)
def test_bad_classes_are_refused_in_one_line_and_nothing_is_written(serve, project, body):
    response = serve().post("/api/setup", json=body)
    assert response.status_code == 422
    assert "\n" not in response.json()["detail"]
    assert not project.has_classes


def test_foreign_requests_are_refused(serve, project):
    client = serve()
    for status, headers in ((400, {"Host": "evil.example"}), (403, {"Origin": "http://evil.example"})):
        for response in (
            client.get("/api/setup", headers=headers),
            client.post("/api/setup", json=NAMES, headers=headers),
        ):
            assert response.status_code == status
            assert {name: response.headers[name] for name in HEADERS} == HEADERS
    assert client.post("/api/setup", content="{}", headers={"Content-Type": "text/plain"}).status_code == 415
    assert client.get("/page/..%2f..%2fsetup.py").status_code == 404
    guarded = serve(Access(frozenset({"127.0.0.1"}), 8765, "a-token-nobody-guesses"))
    assert guarded.get("/api/setup").status_code == guarded.post("/api/setup", json=NAMES).status_code == 401
    assert not project.has_classes
