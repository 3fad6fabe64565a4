"""`weclick annotate` as a command: what is refused, what it prints, how it ends."""

import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import urllib.error
import urllib.request

import cv2
import numpy as np
import pytest
from starlette.testclient import TestClient

from weclick.annotate.catalog import Catalog
from weclick.classes import ClassSet
from weclick.cli.main import run
from weclick.clicks import ClickStore
from weclick.clicks.store import CLICKS_FILE
from weclick.conventions import FrameKey
from weclick.data.layouts import open_layout


@pytest.fixture
def root(folder_root, tmp_path):
    """The tiny folder data set without clicks."""
    root = tmp_path / "set"
    root.mkdir()
    for name in ("frames", "classes.yaml", "splits.yaml"):
        copy = shutil.copytree if (folder_root / name).is_dir() else shutil.copy
        copy(folder_root / name, root / name)
    return root


@pytest.fixture
def served(monkeypatch):
    """What would be served, without serving it: application, URL, whether to open it in the browser."""
    served = []

    def serve(app, listening, url, *, open_browser):
        served.append((app, url, open_browser))

    monkeypatch.setattr("weclick.cli.annotate.serve", serve)
    return served


@pytest.fixture
def annotate(weclick):
    return lambda *arguments: weclick("annotate", *arguments, "--port", 0, "--open", "false")


@pytest.fixture
def start(tmp_path):
    started = []

    def call(*arguments):
        command = [sys.executable, "-m", "weclick", "annotate", "--port", "0", "--open", "false", *map(str, arguments)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path, env=environment
        )
        started.append(process)
        return process, process.stdout.readline()

    yield call
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def test_a_missing_data_set_is_refused(annotate):
    annotate("missing").refused_at_once("missing")


def test_wrong_options_are_wrong_usage(annotate, root):
    annotate().refused_at_once("root", status=2)
    annotate(root, "--split", "all").refused_at_once("split", status=2)


def test_a_goal_below_one_and_a_split_without_frames_are_refused(annotate, root):
    for goal in (0, -1):  # before any run is looked at
        annotate(root, "--goal", goal, "--run", "missing").refused_at_once("--goal")
    annotate(root, "--split", "test").refused_at_once("test split", "--split")
    assert not (root / CLICKS_FILE).exists()


def test_a_taken_port_is_refused_before_anything_is_made(weclick, root):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        weclick("annotate", root, "--port", port, "--open", "false").refused_at_once(port, "--port")
    assert not (root / CLICKS_FILE).exists()


def test_frames_that_all_lie_behind_a_link_out_of_the_data_set_are_refused(annotate, root, tmp_path):
    (root / "frames").rename(tmp_path / "elsewhere")
    (root / "frames").symlink_to(tmp_path / "elsewhere")
    annotate(root).refused_at_once("leads out of the data set")


def test_a_damaged_store_is_refused(annotate, root):
    (root / CLICKS_FILE).write_bytes(b"no store at all" * 100)
    annotate(root).refused_at_once(CLICKS_FILE, "choose another file")


def test_an_empty_file_that_a_full_disk_left_behind_becomes_the_store(served, root):
    (root / CLICKS_FILE).touch()
    assert run(["annotate", str(root), "--port", "0"]) == 0
    assert served
    with ClickStore(root / CLICKS_FILE, ClassSet.read(root / "classes.yaml"), readonly=True) as store:
        assert not store.frames()


def test_at_the_default_address_the_browser_is_opened(served, root, capfd):
    assert run(["annotate", str(root), "--port", "0"]) == 0
    _, url, opened = served[0]
    assert opened and "token" not in url
    assert capfd.readouterr().err == ""


def test_a_token_never_stands_on_a_command_line_and_no_network_is_warned_of_where_none_is(served, root, capfd):
    assert run(["annotate", str(root), "--port", "0", "--host", "localhost"]) == 0
    _, url, opened = served[0]
    assert not opened
    out, err = capfd.readouterr()
    assert re.search(r"click at http://localhost:[0-9]+/\?token=[\w-]{43} ", out) and url in out
    assert err == ""


def test_help_says_who_can_reach_the_page(annotate):
    assert "every account of this machine" in " ".join(annotate("--help", "all").done().out.split())


def test_a_store_of_other_classes_is_refused(annotate, root):
    ClickStore.create(root / CLICKS_FILE, ClassSet.from_list([{"name": "dog"}])).close()
    annotate(root).refused_at_once("other classes", "dog")


def test_a_store_that_cannot_be_made_is_refused(annotate, root):
    annotate(root, "--store", "/proc/clicks.sqlite").refused_at_once("/proc/clicks.sqlite")


def test_a_store_of_a_newer_version_is_refused(annotate, root):
    ClickStore.create(root / CLICKS_FILE, ClassSet.read(root / "classes.yaml")).close()
    with sqlite3.connect(root / CLICKS_FILE) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    annotate(root).refused_at_once("version 99", "update weclick")


def test_nothing_of_the_training_is_imported(root):
    program = """
import sys
from weclick.cli.annotate import main
try:
    main("annotate", ["--help"])  # the parser looks up what types name
except SystemExit:
    print(*sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not {"torch", "lightning"} & set(done.stdout.split())


@pytest.mark.slow
@pytest.mark.parametrize(("signum", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_with_everything_saved(start, root, signum, status):
    process, line = start(root)
    url = re.fullmatch(r"click at (http://127\.0\.0\.1:[0-9]+/) \(Ctrl-C stops it\); clicks go to (.*)\n", line)
    assert url[2] == str(root / CLICKS_FILE)
    with urllib.request.urlopen(url[1] + "api/project", timeout=30) as result:
        assert b'"ground"' in result.read()
    process.send_signal(signum)
    out, err = process.communicate(timeout=60)
    assert process.returncode == status, err
    assert (out, err) == (f"next: weclick annotate {root}\n", "")  # nothing is clicked yet
    assert not list(root.glob("*-wal"))
    with ClickStore(root / CLICKS_FILE, ClassSet.read(root / "classes.yaml")) as store:
        assert store.frame(FrameKey("a", 0)).version == 0


@pytest.mark.slow
def test_another_host_needs_the_token_that_is_printed_once(start, root):
    process, line = start(root, "--host", "0.0.0.0")
    address, token = re.match(r"click at http://[^:]+:([0-9]+)/\?token=([\w-]{43}) ", line).groups()
    url = f"http://127.0.0.1:{address}/api/project"
    with pytest.raises(urllib.error.HTTPError, match="401") as refused:
        urllib.request.urlopen(url, timeout=30)
    refused.value.close()
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=30) as result:
        assert result.status == 200
    process.terminate()
    _, err = process.communicate(timeout=60)
    assert "can be reached from the network" in err and token not in err


@pytest.mark.slow
def test_a_run_shows_what_its_student_sees_and_orders_the_frames(start, weclick, trained, synthetic_root, tmp_path):
    root = shutil.copytree(synthetic_root, tmp_path / "set")
    run = ["--run", "done", "--runs", trained]
    listed = weclick("clicks", "suggest", root, *run, "--count", 3).done().out.splitlines()
    _, line = start(root, *run)
    url = re.match(r"click at (http://127\.0\.0\.1:[0-9]+)/ ", line)[1]
    frame = _request(url, "/api/next", {"client": "a-browser", "annotator": "", "after": None})
    assert f"{frame['video']}:{frame['number']}" == listed[1].split()[0]
    with urllib.request.urlopen(f"{url}/api/frames/{frame['id']}/overlay", timeout=30) as result:
        overlay = cv2.imdecode(np.frombuffer(result.read(), np.uint8), cv2.IMREAD_UNCHANGED)
    assert overlay.shape == (frame["height"], frame["width"], 4)
    assert _request(url, "/api/project")["overlay"]


@pytest.mark.slow
def test_an_overlay_can_be_had_without_another_order(served, trained, synthetic_root, tmp_path):
    root = shutil.copytree(synthetic_root, tmp_path / "set")
    catalog = Catalog(open_layout("auto", root), root / CLICKS_FILE)
    options = ["--run", "done", "--runs", str(trained), "--port", "0"]
    firsts = []
    for more in ([], ["--suggest", "false"]):
        assert run(["annotate", str(root), *options, *more]) == 0
        app, url, _ = served.pop()
        with TestClient(app, base_url=url) as page:
            assert page.get("/api/project").json()["overlay"]
            body = {"client": "a-browser", "annotator": "", "after": None}
            firsts.append(page.post("/api/next", json=body).json()["id"])
    assert firsts[0] != firsts[1] == next(catalog.upcoming({}))


def _request(url, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url + path, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as result:
        return json.loads(result.read())
