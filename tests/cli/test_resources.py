"""Commands that run out of memory, or lose a loader process: one line with what to do."""

import errno
import os
import re
import signal

import cv2
import numpy as np
import pytest
import torch
from torch.utils.data import get_worker_info

from weclick.cli.main import COMMANDS
from weclick.data.samples import TrainingSamples
from weclick.inference.checkpoint import read_checkpoint

ERRORS = {
    "GPU": torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
    "CPU": RuntimeError(
        "[enforce fail at alloc_cpu.cpp:120] . DefaultCPUAllocator: can't allocate memory: you tried ..."
    ),
    "cuBLAS": RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    "numpy": np._core._exceptions._ArrayMemoryError((1 << 30, 1 << 20), np.dtype("u1")),
    "Python": MemoryError(),
    "OpenCV": cv2.error("OpenCV(5.0.0) alloc.cpp:73: error: (-4:Insufficient memory) Failed to allocate 9 bytes"),
    "loader": MemoryError("Caught MemoryError in DataLoader worker process 0.\nOriginal Traceback ...\nMemoryError"),
    "system": OSError(errno.ENOMEM, os.strerror(errno.ENOMEM)),
}
REDUCED = {
    "fit": "--data.batch_size, --data.draws.crop or --data.size, or --trainer.precision bf16-mixed",
    "test": "--data.batch_size, --data.size or --data.workers",
    "memory": "--data.batch_size, --data.size or --data.workers",
    "predict": "weclick export --size",
    "benchmark": "--size (benchmark student) or --data.batch_size (benchmark train)",
    "export": "--size",
    "data": "more memory",
}


@pytest.fixture
def fail(weclick, monkeypatch):
    """Run a command that raises an error."""

    def call(command, error):
        def main(*arguments):
            raise error

        monkeypatch.setattr(f"{COMMANDS[command].module}.main", main)
        return weclick(command)

    return call


@pytest.mark.parametrize("kind", ERRORS)
def test_out_of_memory_is_one_line_that_names_what_to_reduce(fail, kind):
    fail("fit", ERRORS[kind]).refused_at_once("not enough memory; give a smaller --data.batch_size")


@pytest.mark.parametrize("command", REDUCED)
def test_what_to_reduce_is_an_option_of_the_command(fail, weclick, command):
    line = fail(command, MemoryError()).refused_at_once("not enough memory", REDUCED[command])
    assert line.endswith("(MemoryError)")


def test_loaders_without_shared_memory_name_the_remedy(fail):
    error = RuntimeError(
        "DataLoader worker (pid 7) is killed by signal: Bus error. It is possible that dataloader's workers are "
        "out of shared memory."
    )
    fail("init", error).refused_at_once("not enough shared memory", "--data.workers 0", "--shm-size")


def test_a_killed_loader_process_ends_a_fit_that_can_be_resumed(fit, weclick, monkeypatch, tmp_path):
    draw, drawn = TrainingSamples.__getitem__, iter(range(100))

    def killed(self, key):
        if get_worker_info() is not None and next(drawn) == 5:  # of the second epoch; the first has four samples
            os.kill(os.getpid(), signal.SIGKILL)
        return draw(self, key)

    monkeypatch.setattr(TrainingSamples, "__getitem__", killed)
    options = ("--arm=clicks", "--trainer.max_epochs=2", "--name=run")
    result = fit(*options, "--data.workers=1")
    line = result.refused(
        "the loader process ",
        " was killed, usually because memory ran out",
        "--data.workers, 0 needs",
        "larger /dev/shm",
    )
    assert re.search(r"process \d+ was.*; resume with weclick fit --resume runs/run$", line)
    last = tmp_path / "runs" / "run" / "student" / "last.ckpt"
    assert read_checkpoint(last)["epoch"] == 0
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WANDB_MODE", "disabled")
    weclick("fit", "--resume", "run", "--data.workers", 0).done()
    assert read_checkpoint(last)["epoch"] == 1
