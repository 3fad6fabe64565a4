import signal
import warnings

import lightning.pytorch as pl
import pytest

from weclick.modules.arms import ARMS
from weclick.pipeline import fit as fitting
from weclick.pipeline.run import Run
from weclick.pipeline.settings import FitSettings
from weclick.synthetic import write_synthetic

NETWORK = {"name": "light", "encoder": "test_efficientnet", "weights": "none", "width": 16}


@pytest.fixture(scope="session")
def street(tmp_path_factory):
    """Ten training snippets of three frames: five batches of two in an epoch."""
    root = tmp_path_factory.mktemp("street") / "data"
    write_synthetic(root, train=10, val=1, frames=3, target=2, size=(64, 128))
    return root


@pytest.fixture(scope="session")
def settings(street, data_options):
    """Return tiny settings on ``street``.

    Keywords replace fields; ``data`` updates options by name, ``teacher`` and ``student`` their terms (a weight or a mapping)
    and, by their names, ``optimiser`` and ``network``.
    """

    def make(**changes):
        data = {
            **{"root": str(street), "size": (64, 128), "crop": (64, 64), "batch_size": 2, "workers": 0},
            **{"min_area": 20, "neighbours": 2},
        }
        fields = {
            "data": data_options(**{**data, **changes.pop("data", {})}),
            "teacher": module_options(**changes.pop("teacher", {})),
            "student": module_options(**changes.pop("student", {})),
            "memory": changes.pop("memory", {}),
            "trainer": {"max_epochs": 2, "accelerator": "cpu", **changes.pop("trainer", {})},
        }
        for option, value in ARMS[changes.get("arm", "clicks")].options.items():
            *groups, name = option.split(".")
            place = fields
            for group in groups:
                place = place.setdefault(group, {})
            place.setdefault(name, value)
        return FitSettings.of({"arm": "clicks", "tracking": {"wandb": "disabled"}, **fields, **changes})

    return make


def module_options(network=None, optimiser=None, **terms):
    terms = {name: term if isinstance(term, dict) else {"weight": term} for name, term in terms.items()}
    return {"network": {**NETWORK, **(network or {})}, "optimiser": optimiser or {}, "terms": terms}


@pytest.fixture
def run(tmp_path):
    """Make a run by name."""
    return lambda name="run": Run.create(tmp_path / "runs" / name, "seed: 0\n")


@pytest.fixture(scope="session")
def fit():
    """Fit all stages, or those named."""

    def call(settings, run, *stages, shard=None):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            fitting.fit(settings, run, stages or ("teacher", "memory", "student"), shard)
        return run

    return call


class SignalAfter(pl.Callback):
    """Sends this process a signal after a number of training steps."""

    def __init__(self, step, signum=signal.SIGTERM):
        self.step, self.signum = step, signum

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        if trainer.global_step == self.step:
            signal.raise_signal(self.signum)  # to this thread: os.kill may reach another one, later


@pytest.fixture
def signal_after():
    """Return settings' ``callbacks`` that send SIGTERM after a number of steps."""
    return lambda step: lambda: [SignalAfter(step)]
