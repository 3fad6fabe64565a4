"""A small project with a file of every kind that weclick reads: what the tables of bad inputs are made from."""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path

import cv2
import numpy as np

from weclick.cli.main import COMMANDS

from .fork import forked

for module in (
    "cli.fit_run",
    "pipeline.export",
    "pipeline.package",
    "pipeline.memory_quality",
    "annotate.api",
    "data.check",
):
    import_module(f"weclick.{module}")  # here, so that forked commands need not
for command in COMMANDS.values():
    import_module(command.module)

SIZE = (64, 128)
VIDEOS, FRAMES = ("a", "b"), 5

FIT = (
    *("fit", "--data.root", "street", "--arm", "weclick", "--trainer.max_epochs=1", "--trainer.accelerator=cpu"),
    *(
        "--data.size=[64,128]",
        "--data.draws.crop=[64,64]",
        "--data.batch_size=2",
        "--data.workers=0",
        "--memory.flow=dis",
    ),
    *("--data.clips.neighbours=1",),
    *(
        f"--{stage}.network.{option}"
        for stage in ("teacher", "student")
        for option in ("encoder=test_efficientnet", "weights=none", "width=16")
    ),
)
"""A training of seconds; later options win."""

MADE = (
    ("clicks", "simulate", "street", "--min_area", "20"),
    (*FIT, "--name", "done", "--report", "false"),
    *(
        ("clicks", "export", "street", name, "--format", kind)
        for name, kind in (
            ("clicks.csv", "csv"),
            ("clicks.xml", "cvat"),
            ("coco.json", "coco"),
            ("studio.json", "label-studio"),
            ("labelme", "labelme"),
        )
    ),
)
"""What makes the rest of the project from its pictures."""

PUBLISHED = (("package", "done", "--out", "published"),)
"""Makes exported models and a published folder, which takes as long as all the rest."""


def make_pictures(folder: Path) -> None:
    """Write the data set ``street``, with a mask for every frame, and the film ``film.mp4``."""
    rng = np.random.default_rng(0)
    root = folder / "street"
    for video in VIDEOS:
        for kind in ("frames", "masks"):
            (root / kind / video).mkdir(parents=True)
        for number in range(FRAMES):
            image, mask = rng.integers(0, 255, (*SIZE, 3), np.uint8), np.zeros(SIZE, np.uint8)
            mask[16:48, 8 + 4 * number : 72 + 4 * number] = 1
            cv2.imwrite(str(root / "frames" / video / f"{number}.png"), image)
            cv2.imwrite(str(root / "masks" / video / f"{number}.png"), mask)
    (root / "classes.yaml").write_text("[ground, car]\n", encoding="utf-8")
    (root / "splits.yaml").write_text("train: [a]\nval: [b]\n", encoding="utf-8")
    film = cv2.VideoWriter(str(folder / "film.mp4"), cv2.VideoWriter_fourcc(*"mp4v"), 10, (SIZE[1], SIZE[0]))
    for _ in range(3):
        film.write(rng.integers(0, 255, (*SIZE, 3), np.uint8))
    film.release()


def make_project(folder: Path, *, published: bool = True) -> None:
    """Make the whole project in an empty folder.

    Raises:
        AssertionError: A command failed.
    """
    make_pictures(folder)
    log = folder.with_name("made.out")
    for command in (*MADE, *(PUBLISHED if published else ())):
        status = os.waitstatus_to_exitcode(os.waitpid(forked(command, folder, log), 0)[1])
        if status:
            raise AssertionError(
                f"weclick {' '.join(command)} ended with {status}: {log.with_suffix('.err').read_text()}"
            )
