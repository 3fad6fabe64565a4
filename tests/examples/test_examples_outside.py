"""The examples of parts, used from outside of the package: copied to a folder of their own, by class path or entry point."""

import json
import os
import shutil
import subprocess
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import cv2
import numpy as np
import pytest
import yaml

from weclick.cli.main import run

EXAMPLES = Path(__file__).parents[2] / "examples"
TINY = [
    *("--data.size=[64,128]", "--data.draws.crop=[64,64]", "--data.batch_size=2", "--data.workers=0"),
    *("--data.clicks.min_area=20", "--trainer.max_epochs=1", "--trainer.accelerator=cpu"),
    *(f"--{stage}.network.encoder=test_efficientnet" for stage in ("teacher", "student")),
    *("--teacher.network.weights=none", "--student.network.weights=none", "--student.network.width=16"),
]


@pytest.fixture
def outside(forked, tmp_path):
    """Run weclick as a process of its own, in a folder with copies of the examples."""
    for file in EXAMPLES.glob("*.py"):
        shutil.copy(file, tmp_path)

    def call(*arguments, path=""):
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "WANDB_MODE": "disabled"}
        if path:
            environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(path), environment.get("PYTHONPATH")]))
        process = forked("-m", "weclick", *arguments, cwd=tmp_path, env=environment)
        out, err = process.communicate(timeout=300)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    return call


def test_every_example_is_short_and_named_in_a_guide():
    guides = [EXAMPLES.parent / name for name in ("CONTRIBUTING.md", "docs/cluster.md")]
    text = "".join(guide.read_text(encoding="utf-8") for guide in guides)
    files = sorted(EXAMPLES.glob("*.py"))
    assert len(files) == 7
    for file in files:
        assert len(file.read_text(encoding="utf-8").splitlines()) < 60
        assert file.name in text


@pytest.mark.slow
def test_network_loss_flow_and_augmentation_by_class_path(outside, synthetic_root, tmp_path):
    modules = [f"--import={name}" for name in ("tiny_network", "entropy_loss", "global_flow", "haze_augmentation")]
    config = {
        "arm": "weclick",
        "data": {"draws": {"colour": {"class_path": "haze_augmentation.Haze", "init_args": {"most": 0.3}}}},
        "student": {
            "network": {"name": {"class_path": "tiny_network.TinyNet", "init_args": {"width": 8}}},
            "terms": {"extra": [{"class_path": "entropy_loss.Entropy", "init_args": {"weight": 0.1, "start": 0.0}}]},
        },
        "memory": {"flow": {"class_path": "global_flow.GlobalShift"}},
    }
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    fit = ["fit", "--config", "own.yaml", "--data.root", synthetic_root, *TINY, "--name", "own"]
    done = outside(*modules, *fit)
    assert done.returncode == 0, done.stderr
    run = tmp_path / "runs" / "own"
    assert json.loads((run / "memory" / "manifest.json").read_text())["flow"] == "global-shift-64"
    header = (run / "student" / "metrics.csv").read_text().splitlines()[0]
    assert "train/loss_entropy" in header
    source = next((synthetic_root / "leftImg8bit_sequence" / "val").rglob("*.png")).parent
    for command in (["test"], ["predict", "--source", source, "--out", "labels", "--max_frames", "2"]):
        assert outside(*modules, *command).returncode == 0
    assert len(list((tmp_path / "labels" / "labels").glob("*.png"))) == 2

    refused = outside("predict", "--source", source, "--out", "other")  # without --import nothing is imported
    assert refused.returncode == 1
    assert "give weclick --import tiny_network" in refused.stderr
    assert "train again" not in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.fixture
def flat(tmp_path):
    """A folder in the flat layout, with two frames of each of three videos."""
    rng, root = np.random.default_rng(0), tmp_path / "flat"
    root.mkdir()
    (root / "classes.yaml").write_text("[ground, car]", encoding="utf-8")
    for video in ("a", "b", "val"):
        for number in range(2):
            cv2.imwrite(str(root / f"{video}-{number}.png"), rng.integers(0, 255, (64, 128, 3), np.uint8))
            cv2.imwrite(str(root / f"{video}-{number}.mask.png"), np.eye(64, 128, dtype=np.uint8))
    return root


@pytest.mark.slow
def test_a_layout_by_class_path(outside, flat):
    root = flat
    for command in (["data", "check", root], ["clicks", "simulate", root]):
        done = outside("--import", "flat_layout", *command, "--layout", "flat_layout.FlatLayout")
        assert done.returncode == 0, done.stderr
    refused = outside("data", "check", root, "--layout", "flat")
    assert refused.returncode == 1
    assert "unknown layout 'flat'; choose one of: cityscapes, camvid, folder" in refused.stderr
    layout = ["--data.layout", "{class_path: flat_layout.FlatLayout}", "--data.root", root]
    done = outside("--import", "flat_layout", "fit", *layout, *TINY, "--arm", "clicks", "--name", "flat")
    assert done.returncode == 0, done.stderr
    tested = outside("--import", "flat_layout", "test", "--run", "flat")
    assert tested.returncode == 0, tested.stderr
    assert "on the val split" in tested.stdout


@pytest.fixture
def web_server(flat):
    """Serve the flat folder; returns its address and the list of paths that were fetched."""
    fetched = []

    class Handler(SimpleHTTPRequestHandler):
        def do_GET(self):
            fetched.append(self.path)
            super().do_GET()

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=flat)) as server:
        Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_address[1]}", fetched
        server.shutdown()


@pytest.mark.slow
def test_frames_may_lie_on_a_server_and_are_fetched_once(outside, flat, web_server, tmp_path):
    address, fetched = web_server
    root = tmp_path / "remote"
    root.mkdir()
    shutil.copy(flat / "classes.yaml", root)
    lines = [
        f"{'val' if video == 'val' else 'train'},{video},{n},{address}/{video}-{n}.png,{address}/{video}-{n}.mask.png"
        for video in ("a", "b", "val")
        for n in range(2)
    ]
    (root / "frames.csv").write_text("\n".join(["split,video,number,image,mask", *lines]), encoding="utf-8")
    options = [
        "--data.layout",
        "{class_path: remote_frames.RemoteLayout}",
        "--data.root",
        root,
        *TINY,
        "--arm",
        "clicks",
        "--name",
        "remote",
    ]
    for command, needed in ((["fit", *options], 12), (["test", "--run", "remote"], 0)):
        fetched.clear()
        done = outside("--import", "remote_frames", *command)
        assert done.returncode == 0, done.stderr
        assert len(set(fetched)) == needed  # val frames and their masks are in the cache since validation


@pytest.fixture
def installed(tmp_path):
    """A folder with an installed package whose entry points bring a network and a loss term."""
    packages = tmp_path / "packages"
    info = packages / "outsider-1.0.dist-info"
    info.mkdir(parents=True)
    for name in ("tiny_network", "entropy_loss"):
        shutil.copy(EXAMPLES / f"{name}.py", packages)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: outsider\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[weclick.networks]\ntiny = tiny_network:TinyNet\n\n[weclick.losses]\nentropy = entropy_loss:Entropy\n"
    )
    return packages


@pytest.mark.slow
def test_an_installed_package_brings_its_parts_by_entry_points(outside, installed, synthetic_root, tmp_path):
    parts = ["--student.network.name", "tiny", "--student.terms.extra", "[entropy]"]
    options = ["fit", "--data.root", synthetic_root, *TINY, *parts, "--arm", "clicks", "--name", "installed"]
    done = outside(*options, path=installed)
    assert done.returncode == 0, done.stderr
    assert outside("test", "--run", "installed", path=installed).returncode == 0
    refused = outside(*options[:-1], "other", "--student.terms.extra", "[]")  # not installed here
    assert refused.returncode == 1
    assert "unknown network 'tiny'; choose one of: light, lraspp," in refused.stderr


@pytest.mark.parametrize(
    ("name", "reason"),
    [("nowhere", "No module named"), ("broken", "ZeroDivisionError"), ("", "Empty module name")],
)
def test_a_module_that_cannot_be_imported_is_refused_in_one_line(outside, tmp_path, name, reason):
    (tmp_path / "broken.py").write_text("1 / 0\n")
    refused = outside("--import", name, "data", "check", ".")
    assert refused.returncode == 1
    assert reason in refused.stderr
    assert len(refused.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize("name", ["subprocess.Popen", "os.system", "json.JSONDecoder"])
def test_a_config_runs_nothing_that_is_no_network(synthetic_root, monkeypatch, capfd, tmp_path, name):
    monkeypatch.chdir(tmp_path)
    part = f"{{class_path: {name}, init_args: {{args: [touch, {tmp_path / 'ran'}]}}}}"
    options = ["--data.root", str(synthetic_root), *TINY, "--arm", "clicks", f"--student.network.name={part}"]
    assert run(["fit", *options]) == 1
    assert "CONTRIBUTING.md describes what a network needs" in capfd.readouterr().err
    assert not (tmp_path / "ran").exists()
