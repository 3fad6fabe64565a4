import os
from pathlib import Path

import pytest

from weclick.cli.main import run

TINY = [
    *("--data.batch_size=2", "--data.workers=0", "--trainer.accelerator=cpu", "--trainer.max_epochs=1"),
    *(f"--{stage}.network.{option}" for stage in ("teacher", "student") for option in ("weights=none", "width=16")),
    "--trainer.max_steps=1",
]
"""One step with the smallest network."""


def root_of(variable):
    """Return the data set's folder, or skip the test by name."""
    if variable not in os.environ:
        pytest.skip(f"{variable} is not set")
    return Path(os.environ[variable]).resolve()


@pytest.fixture(scope="session")
def camvid():
    return root_of("WECLICK_CAMVID")


@pytest.fixture(scope="session")
def cityscapes():
    return root_of("WECLICK_CITYSCAPES")


@pytest.fixture
def weclick(monkeypatch, tmp_path):
    """Run a command line in process, in an empty folder, and expect it to succeed."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        assert run([str(argument) for argument in arguments]) == 0

    return call


@pytest.fixture
def fit(weclick):
    """Run a tiny `weclick fit`; later options win."""
    return lambda config, root, *options: weclick("fit", "--config", config, "--data.root", root, *TINY, *options)
