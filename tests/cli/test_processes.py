"""The command line as a process: start-up, signals, kill -9, several devices."""

import csv
import json
import shutil
import signal
import subprocess
import sys
import time

import cv2
import numpy as np
import pytest

from weclick.inference.checkpoint import read_checkpoint

HEAVY = ("torch", "lightning", "numpy", "cv2", "jsonargparse")


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_and_version_import_nothing_heavy(option):
    program = f"import sys; from weclick.cli.main import run; run([{option!r}]); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not set(HEAVY) & set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize(
    ("command", "status"),
    [
        ("clicks stats {root}", 0),
        ("clicks check {root}", 1),
        ("clicks export {root} {out}/clicks.csv", 0),
        ("clicks import {root} {out}/clicks.csv --replace true", 0),
        ("clicks import --help", 0),
        ("clicks paint", 2),
        ("data check {root}", 0),
        ("data paint", 2),
    ],
)
def test_what_needs_no_network_does_not_wait_for_torch(folder_root, tmp_path, command, status):
    root = shutil.copytree(folder_root, tmp_path / "set")
    (tmp_path / "clicks.csv").write_text("video,number,x,y,class,annotator\na,2,3,3,car,\n")
    arguments = [part.format(root=root, out=tmp_path) for part in command.split()]
    program = (
        f"import sys; from weclick.cli.main import run; status = run({arguments!r}); "
        "print(); print(status, *{'torch', 'lightning'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == str(status), done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(("signum", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_training_with_everything_saved(start, wait_for, tmp_path, signum, status):
    process = start("--arm=clicks", "--name=run", "--trainer.max_epochs=500")
    wait_for(process, "epoch 1/")
    process.send_signal(signum)
    _, err = process.communicate(timeout=60)
    assert process.returncode == status, err
    assert err.splitlines()[-1].startswith("weclick: stopped by SIG")
    assert err.splitlines()[-1].endswith("resume with weclick fit --resume runs/run")
    assert "weights_only" not in err
    assert "Traceback" not in err
    assert read_checkpoint(tmp_path / "runs" / "run" / "student" / "last.ckpt")["global_step"] > 0


@pytest.mark.slow
def test_a_killed_memory_build_goes_on_and_gives_the_same_store(start, wait_for, fit, trained, tmp_path):
    shutil.copytree(trained / "done", tmp_path / "runs" / "run")
    shutil.rmtree(tmp_path / "runs" / "run" / "memory")
    process = start("--resume=run", "--stage=memory", "--data.batch_size=1")
    wait_for(process, "memory: 4 of 4")
    stored = tmp_path / "runs" / "run" / "memory"
    while not list(stored.glob("*/*.npz")) and process.poll() is None:
        time.sleep(0.001)
    process.kill()
    process.communicate()
    fit("--resume", "run", "--stage", "memory").done()
    assert contents(stored) == contents(trained / "done" / "memory")


def contents(store):
    import numpy as np

    items = {path.relative_to(store): dict(np.load(path)) for path in store.glob("*/[!.]*.npz")}
    return {name: {key: array.tobytes() for key, array in item.items()} for name, item in items.items()}


@pytest.mark.slow
def test_two_processes_train_together(start, weclick, synthetic_root, tmp_path):
    process = start("--name=run", "--trainer.devices=2", "--trainer.strategy=ddp", "--data.batch_size=2")
    out, err = process.communicate(timeout=180)
    assert process.returncode == 0, err
    assert out.count("run: ") == 1
    run = tmp_path / "runs" / "run"
    for stage in ("teacher", "student"):
        with (run / stage / "metrics.csv").open() as stream:
            rows = list(csv.DictReader(stream))
        assert len([row for row in rows if row["val/miou"]]) == 1
        assert read_checkpoint(run / stage / "last.ckpt")["global_step"] == 2  # 4 frames, 2 processes, batches of 1
    assert len(list((run / "memory").glob("*/*.npz"))) == 4
    assert {path.name for path in (tmp_path / "runs").iterdir()} == {"run"}
    assert not list(tmp_path.rglob("*-v1.ckpt"))
    weclick("test").done()
    metrics = json.loads((run / "test" / "metrics.json").read_text())
    assert metrics["evaluated"]["frames"] == len(list(synthetic_root.glob("gtFine/val/*/*_labelIds.png")))


@pytest.mark.slow
def test_a_refusal_of_two_processes_is_one_line(start, folder_root, tmp_path):
    root = shutil.copytree(folder_root, tmp_path / "set")
    for mask in (root / "masks").rglob("*.png"):
        cv2.imwrite(str(mask), np.zeros((32, 64), np.uint8))
    options = ("--data.root", root, "--data.size=[32,64]", "--data.draws.crop=[32,64]")
    process = start("--arm=full", *options, "--trainer.devices=2", "--trainer.strategy=ddp")
    _, err = process.communicate(timeout=180)
    assert process.returncode == 1, err
    assert err.count("weclick: nothing can be learned") == err.count("weclick: ") == 1
