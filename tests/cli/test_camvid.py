"""`weclick data camvid`: archives and addresses in, a data set that trains and that `weclick data check` can verify out."""

import hashlib
import http.server
import threading
import zipfile

import cv2
import numpy as np
import pytest

STEMS = ("0001TP_006690", "0016E5_07961", "Seq05VD_f00000")


def png(*shape):
    return cv2.imencode(".png", np.full(shape, 128, np.uint8))[1].tobytes()


@pytest.fixture
def archives(tmp_path):
    """Three labelled frames as published: stills in a folder, masks (all sky) in none."""
    folder = tmp_path / "Down loads ü"
    folder.mkdir()
    for name, inside in (("701_StillsRaw_full", "701_StillsRaw_full/{}.png"), ("LabeledApproved_full", "{}_L.png")):
        with zipfile.ZipFile(folder / f"{name}.zip", "w") as file:
            for stem in STEMS:
                file.writestr(inside.format(stem), png(24, 32, 3))
    return folder


@pytest.fixture
def server(archives):
    """The archives on a server that does not know ranges."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments):
            super().__init__(*arguments, directory=archives)

        def log_message(self, *arguments):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


SIZE = ("--size", "[24,32]")


def test_one_command_prepares_what_the_check_verifies_and_states_the_terms(weclick, archives):
    done = weclick("data", "camvid", "camvid", "--from", *sorted(archives.iterdir()), *SIZE).done()
    lines = done.out.splitlines()
    assert (
        lines[0] == "CamVid is ready in camvid: 3 of 701 labelled frames (train 1, val 1, test 1), 0 neighbour frames"
    )
    assert "read the terms" in done.out
    assert "Brostow" in done.out
    assert lines[-1] == "next: weclick fit --config camvid.yaml --data.root camvid"
    weclick("data", "check", "camvid").done()


def test_a_changed_mask_is_found_by_the_check(weclick, archives, tmp_path):
    weclick("data", "camvid", "camvid", "--from", archives, *SIZE).done()
    (tmp_path / "camvid" / "valannot" / "0016E5_07961.png").write_bytes(png(24, 32)[:-40])
    checked = weclick("data", "check", "camvid")
    assert checked.status == 1
    assert "valannot/0016E5_07961.png differs from checksums.txt" in checked.out


def test_addresses_are_downloaded_compared_and_kept(weclick, archives, server, tmp_path):
    names = ("701_StillsRaw_full.zip", "LabeledApproved_full.zip")
    digests = [hashlib.sha256((archives / name).read_bytes()).hexdigest() for name in names]
    command = ("data", "camvid", "camvid", "--from", *(f"{server}/{name}" for name in names), *SIZE, "--sha256")
    wrong = weclick(*command, digests[0], "0" * 64)
    wrong.refused("camvid-downloads/LabeledApproved_full.zip has the SHA-256", digests[1], "delete it and download it")
    assert not (tmp_path / "camvid").exists()
    assert "camvid-downloads" in weclick(*command, *digests).done().out
    assert {path.name for path in (tmp_path / "camvid-downloads").iterdir()} == set(names)
    assert all(digest in (tmp_path / "camvid" / "CAMVID-TERMS.txt").read_text() for digest in digests)


def test_what_cannot_work_is_refused_before_anything_is_downloaded(weclick, archives, server, tmp_path):
    weclick("data", "camvid", archives, "--from", f"{server}/701_StillsRaw_full.zip").refused("is not empty")
    command = ("data", "camvid", "camvid", "--from", f"{server}/LabeledApproved_full.zip")
    weclick(*command, "--sha256", "12").refused("--sha256 needs", status=2)
    weclick(*command, f"{server}/other/LabeledApproved_full.zip").refused("same name", status=2)
    weclick(*command, tmp_path / "nowhere.zip").refused("nowhere.zip not found")
    weclick("data", "camvid", "camvid").refused("from", status=2)
    weclick(*command, "--size", "[0,5]").refused("size", status=2)
    assert not (tmp_path / "camvid-downloads").exists()


def test_an_interruption_names_what_continues(weclick, server, monkeypatch):
    def interrupt(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("weclick.cli.camvid.download", interrupt)
    weclick("data", "camvid", "camvid", "--from", f"{server}/x.zip").refused("same command", status=130)
