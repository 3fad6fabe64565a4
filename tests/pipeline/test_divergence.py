"""A training that diverges in its last step."""

from dataclasses import replace

import lightning.pytorch as pl
import pytest
import torch

from weclick.errors import TrainingError
from weclick.inference.checkpoint import read_checkpoint


class Diverging(pl.Callback):
    """Makes the gradients of the last step infinite."""

    def on_before_optimizer_step(self, trainer, pl_module, optimizer):
        if trainer.global_step == trainer.estimated_stepping_batches - 1:
            next(pl_module.parameters()).grad.fill_(torch.inf)


def test_its_last_step_is_refused_and_its_last_good_checkpoint_stays(settings, run, fit):
    the_run = run()
    with pytest.raises(TrainingError, match=r"weights .* no longer finite at step 10; .*learning_rate \(now "):
        fit(replace(settings(), callbacks=lambda: [Diverging()]), the_run)
    folder = the_run.stage("student")
    assert not (folder / "done.json").exists()
    assert read_checkpoint(folder / "last.ckpt")["global_step"] == 5  # of the first epoch
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]
