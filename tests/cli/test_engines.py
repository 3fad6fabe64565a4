"""Launchers and engines that run several processes: torchrun, SLURM, Ray; a process that dies; and `weclick.fit`."""

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import yaml

import weclick as package
from weclick.errors import ConfigError, RunError
from weclick.inference.checkpoint import read_checkpoint

TORCHRUN = (sys.executable, "-m", "torch.distributed.run")
ONE_MACHINE = (*TORCHRUN, "--standalone", "--nproc-per-node=2")
OWN_STORE = {"TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1"}
"""Without it a restarted process finds the address of a dead one: https://github.com/pytorch/pytorch/issues/135712"""

SLOW = [f"--{stage}.optimiser.learning_rate=1e-5" for stage in ("teacher", "student")]
"""A rate at which rounding does not grow."""


def config_of(root):
    """Return the options of these tests as a mapping, as a config file holds them."""
    network = {
        "network": {"encoder": "test_efficientnet", "weights": "none", "width": 16},
        "optimiser": {"learning_rate": 1e-5},
    }
    data = {
        **{"root": str(root), "size": [64, 128], "batch_size": 2, "workers": 0},
        **{"draws": {"crop": [64, 64]}, "clicks": {"min_area": 20}},
    }
    trainer = {"max_epochs": 2, "accelerator": "cpu"}
    return {"data": data, "teacher": network, "student": network, "trainer": trainer}


@pytest.fixture(scope="module")
def whole(synthetic_root, tmp_path_factory):
    """A run of two processes that nothing interrupted; only to be read. One process would draw other dropout."""
    folder = tmp_path_factory.mktemp("whole")
    (folder / "tiny.yaml").write_text(yaml.safe_dump(config_of(synthetic_root)), encoding="utf-8")
    command = [sys.executable, "-m", "weclick", "fit", "--config=tiny.yaml", "--trainer.devices=2", "--name=whole"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "WANDB_MODE": "disabled"}
    subprocess.run(command, cwd=folder, env=environment, check=True, timeout=300)
    return folder / "runs" / "whole"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def worker(launcher, rank):
    """Return the id of the process that a launcher has started for a rank."""
    for child in Path(f"/proc/{launcher.pid}/task/{launcher.pid}/children").read_text().split():
        if f"RANK={rank}" in Path(f"/proc/{child}/environ").read_text().split("\0"):
            return int(child)
    raise AssertionError(f"no worker of rank {rank}")


@pytest.mark.slow
def test_the_function_gives_what_the_command_gives(fit, synthetic_root, assert_same_run, tmp_path):
    fit(*SLOW, "--trainer.max_epochs=2", "--name=command").done()
    made = package.fit(config_of(synthetic_root), name="function", runs=tmp_path)
    assert made == tmp_path / "function"
    assert_same_run(made, tmp_path / "runs" / "command")


def test_the_function_refuses_what_the_command_refuses(synthetic_root, tmp_path):
    config = config_of(synthetic_root)
    with pytest.raises(ConfigError, match="devises"):
        package.fit({**config, "trainer": {"devises": 2}}, runs=tmp_path)
    with pytest.raises(ConfigError, match=r"config nothing\.yaml not found"):
        package.fit("nothing.yaml", runs=tmp_path)
    with pytest.raises(RunError, match="no run 'none'"):
        package.fit(config, resume="none", runs=tmp_path)
    with pytest.raises(ConfigError, match=r"trainer options"):
        package.fit(config, strategy="no-such-strategy", runs=tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_part_in_a_mapping_is_found_among_the_shipped_configs(synthetic_root, tmp_path):
    config = {**config_of(synthetic_root), "student": "student/none.yaml"}
    with pytest.raises(ConfigError, match=r"config student/none\.yaml not found; looked in .*configs"):
        package.fit(config, runs=tmp_path)


def test_resume_and_name_must_agree(fit):
    fit("--name=a", "--resume=b").refused_at_once("--name a", "--resume b")


@pytest.mark.slow
def test_two_machines_under_torchrun_give_what_one_machine_gives(start, finish, whole, assert_same_run, tmp_path):
    together = ("--nnodes=2", "--nproc-per-node=1", "--rdzv-backend=c10d", f"--rdzv-endpoint=127.0.0.1:{free_port()}")
    launcher = (*TORCHRUN, *together, "--rdzv-id=job")
    machines = [start(*SLOW, "--trainer.max_epochs=2", launcher=launcher) for _ in range(2)]
    printed = [finish(machine) for machine in machines]
    assert sum(out.count("run: ") for out, _ in printed) == 1
    assert sum(err.count("simulated") for _, err in printed) == 1
    (run,) = (tmp_path / "runs").iterdir()  # one, though its name is made of the time
    assert_same_run(whole, run)


@pytest.mark.slow
def test_torchrun_restarts_a_run_whose_process_died(start, wait_for, whole, assert_same_run, tmp_path):
    restarting = (*ONE_MACHINE, "--max-restarts=1")
    both = ("--name=run", "--resume=run")
    process = start(*SLOW, "--trainer.max_epochs=2", *both, launcher=restarting, variables=OWN_STORE)
    wait_for(process, "epoch 1/")
    os.kill(worker(process, 1), signal.SIGKILL)
    _, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert "weclick: another process of this training ended" in err
    assert_same_run(whole, tmp_path / "runs" / "run", every_row=False)


@pytest.mark.slow
def test_torchrun_stopped_by_a_signal_saves(start, wait_for, tmp_path):
    process = start("--arm=clicks", "--trainer.max_epochs=500", "--name=run", launcher=ONE_MACHINE)
    wait_for(process, "epoch 1/")
    os.kill(worker(process, 1), signal.SIGTERM)  # one process hears of it, all stop
    _, err = process.communicate(timeout=120)
    ours = [line for line in err.splitlines() if line.startswith("weclick: ")]
    assert ours == ["weclick: stopped by SIGTERM; everything is saved; resume with weclick fit --resume runs/run"]
    assert "exitcode  : 143" in err  # torchrun's own status is 1
    assert read_checkpoint(tmp_path / "runs" / "run" / "student" / "last.ckpt")["global_step"] > 0


@pytest.fixture
def scontrol(tmp_path):
    """Put a `scontrol` on the path that notes its arguments; return the file of notes and the variables."""
    notes = tmp_path / "requeued"
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "scontrol").write_text(f'#!/bin/sh\necho "$@" >> "{notes}"\n')
    (folder / "scontrol").chmod(0o755)
    return notes, {"PATH": f"{folder}:{os.environ['PATH']}"}


def task(rank, port, restarts=0):
    """Return the variables that srun sets for one of two tasks on one machine."""
    counts = {"SLURM_NTASKS": "2", "SLURM_NTASKS_PER_NODE": "2", "SLURM_NNODES": "1", "SLURM_NODEID": "0"}
    job = {"SLURM_JOB_ID": "4711", "SLURM_JOB_NAME": "night", "SLURM_RESTART_COUNT": str(restarts)}
    place = {"SLURM_PROCID": str(rank), "SLURM_LOCALID": str(rank), "MASTER_PORT": str(port)}
    return {**counts, **job, **place, "SLURM_NODELIST": "127.0.0.1"}


@pytest.mark.slow
def test_slurm_requeues_a_job_whose_time_ends_and_it_goes_on(
    start, wait_for, finish, whole, scontrol, assert_same_run, tmp_path
):
    notes, path = scontrol
    command = (*SLOW, "--trainer.max_epochs=2", "--name=night-4711", "--resume=night-4711")
    port = free_port()
    tasks = [start(*command, variables={**path, **task(rank, port)}) for rank in range(2)]
    wait_for(tasks[0], "epoch 1/")
    for process in tasks:
        process.send_signal(signal.SIGUSR1)
    errors = [process.communicate(timeout=120)[1] for process in tasks]
    assert [process.returncode for process in tasks] == [138, 138], errors
    assert notes.read_text() == "requeue 4711\n"
    assert "stopped by SIGUSR1; everything is saved" in errors[0]
    assert "SLURM job 4711 is requeued" in errors[0]
    assert "weclick: " not in errors[1]
    port = free_port()
    for process in [start(*command, variables={**path, **task(rank, port, 1)}) for rank in range(2)]:
        finish(process)
    assert notes.read_text() == "requeue 4711\n"
    assert_same_run(whole, tmp_path / "runs" / "night-4711")


@pytest.mark.slow
def test_both_processes_build_the_memory_of_a_resumed_run(start, finish, trained, tmp_path):
    shutil.copytree(trained / "done", tmp_path / "runs" / "run")
    shutil.rmtree(tmp_path / "runs" / "run" / "memory")
    (tmp_path / "noting.py").write_text(
        "from weclick.machine import process_rank\nfrom weclick.memory.store import MemoryStore\n\n"
        "write = MemoryStore.write\n\n\n"
        "def noting(store, key, item):\n    write(store, key, item)\n"
        "    with open('written', 'a') as stream:\n        stream.write(f'{process_rank()}\\n')\n\n\n"
        "MemoryStore.write = noting\n"
    )
    finish(start("--resume=run", "--stage=memory", "--trainer.devices=2", before=("--import", "noting")))
    assert sorted((tmp_path / "written").read_text().split()) == ["0", "0", "1", "1"]


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed: pip install 'weclick[ray]'")
def test_ray_goes_on_after_a_worker_died(synthetic_root, whole, assert_same_run, tmp_path):
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(config_of(synthetic_root)), encoding="utf-8")
    example = Path(__file__).parents[2] / "examples" / "ray_train.py"
    # its sockets need a short path; its token for other processes belongs into no user's home
    with tempfile.TemporaryDirectory(prefix="ray", dir="/tmp", ignore_cleanup_errors=True) as short:
        own = {"RAY_TMPDIR": short, "HOME": str(tmp_path), "RAY_DEDUP_LOGS": "0", "PYTHONUNBUFFERED": "1"}
        environment = {**os.environ, "WANDB_MODE": "disabled", "OMP_NUM_THREADS": "1", **own}
        command = [sys.executable, example, "--config", "tiny.yaml", "--name", "run", "--workers", "2"]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        with subprocess.Popen(command, cwd=tmp_path, env=environment, **pipes) as process:
            try:
                printed = end_a_worker(process)
                assert process.wait(timeout=60) == 0, printed
            finally:
                process.kill()
    assert "[FailurePolicy] RETRY" in printed
    assert printed.count("simulated") == 1
    assert_same_run(whole, tmp_path / "runs" / "run", every_row=False)


def end_a_worker(process):
    """Kill the worker of rank 1 after the first epoch, and return all that is printed."""
    lines, second = [], None
    for line in process.stdout:
        lines.append(line)
        if "world_rank=1" in line and second is None:
            second = int(line.split("pid=")[2].split(")")[0])
        if "epoch 1/" in line and second:
            os.kill(second, signal.SIGKILL)
            second = 0
    return "".join(lines)
