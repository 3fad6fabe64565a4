"""Promise 4: a checkpoint is written whole or not at all."""

import errno

import pytest
import torch

from weclick.errors import DiskError
from weclick.inference.checkpoint import read_checkpoint
from weclick.pipeline.checkpoint_io import WholeCheckpointIO


def fail_halfway(checkpoint, stream):
    stream.write(b"half")
    raise OSError(errno.ENOSPC, "No space left on device")


def test_promise_4_a_failing_write_leaves_the_older_checkpoint_and_no_rest(tmp_path, monkeypatch):
    io, path = WholeCheckpointIO(), tmp_path / "a" / "last.ckpt"
    io.save_checkpoint({"step": torch.tensor(1)}, str(path))
    monkeypatch.setattr(torch, "save", fail_halfway)
    with pytest.raises(DiskError, match=r"\.ckpt cannot be written: the disk .* is full"):
        io.save_checkpoint({"step": torch.tensor(2)}, str(path))
    assert torch.load(path, weights_only=True) == {"step": torch.tensor(1)}
    assert [file.name for file in path.parent.iterdir()] == ["last.ckpt"]


def test_promise_4_a_disk_that_fills_up_in_training_costs_only_the_last_epoch(settings, run, fit, monkeypatch):
    the_run, written = run(), []
    save = torch.save

    def until_full(checkpoint, stream):
        if len(written) >= 2:  # last and best of the first epoch
            fail_halfway(checkpoint, stream)
        written.append(stream)
        save(checkpoint, stream)

    with monkeypatch.context() as patch:
        patch.setattr(torch, "save", until_full)
        with pytest.raises(DiskError, match=r"\.ckpt cannot be written: the disk .* is full"):
            fit(settings(), the_run)
    folder = the_run.stage("student")
    assert {read_checkpoint(path)["global_step"] for path in folder.glob("*.ckpt")} == {5}
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]
    fit(settings(), the_run)
    assert read_checkpoint(folder / "last.ckpt")["global_step"] == 10
