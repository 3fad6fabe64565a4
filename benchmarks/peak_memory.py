"""Measure whether peak memory grows with a data set: the same commands on a set of the demo's length and on longer ones.

Each stage of ``weclick fit`` and ``weclick predict`` runs in a process of its own, with the same number of training steps for
all lengths; validation, memory and prediction cover the whole set. Loader workers are 0, so that one process holds everything.
Prints the peak resident set of each process, and its ratio to that of the shortest set.

    python benchmarks/peak_memory.py [--lengths 1 20]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import cv2

from weclick.images import read_image

SNIPPETS, VALIDATED, FRAMES, TARGET = 48, 8, 12, 7
"""The lengths of ``weclick data synthetic``, which makes the demo."""
SIZE: Final = "[64,128]"
EPOCHS, STEPS = 2, 12
STAGES: Final = ("teacher", "memory", "student")
OPTIONS: Final = (
    *f"--config demo.yaml --arm beyond --data.root set --data.size {SIZE} --data.draws.crop [64,96]".split(),
    *f"--data.workers 0 --trainer.max_epochs {EPOCHS} --trainer.limit_train_batches {STEPS}".split(),
    *"--trainer.check_val_every_n_epoch 1 --report false --tracking.wandb disabled".split(),
)
PREDICT: Final = "predict --run run --source video.mp4 --out seen --labels true --overlay true".split()


def make_set(folder: Path, length: int) -> None:
    """Write a set of ``length`` times the demo's snippets, its clicks, and its training frames as one video."""
    counts = ("--train", SNIPPETS * length, "--val", VALIDATED * length, "--frames", FRAMES, "--target", TARGET)
    peak(folder, "data", "synthetic", "set", *map(str, counts), "--size", SIZE)
    peak(folder, "clicks", "simulate", "set", "--min_area", "20")
    frames = sorted((folder / "set/leftImg8bit_sequence/train").glob("*/*.png"))
    height, width = read_image(frames[0]).shape[:2]
    video = cv2.VideoWriter(str(folder / "video.mp4"), cv2.VideoWriter.fourcc(*"mp4v"), 25, (width, height))
    for frame in frames:
        video.write(cv2.cvtColor(read_image(frame), cv2.COLOR_RGB2BGR))
    video.release()


def measure(folder: Path) -> dict[str, float]:
    """Run all commands on a set, and return the peak of each in MB."""
    peaks = {
        stage: peak(folder, "fit", *OPTIONS, "--name", "run", "--resume", "run", "--stage", stage) for stage in STAGES
    }
    peaks["predict"] = peak(folder, *PREDICT)
    return peaks


def peak(folder: Path, *arguments: str) -> float:
    """Run ``weclick`` in a folder, and return its peak resident set in MB."""
    # a process inherits the peak of the one that starts it, so nothing here imports torch
    with (folder / "log").open("a") as log:
        process = subprocess.Popen([sys.executable, "-m", "weclick", *arguments], cwd=folder, stdout=log, stderr=log)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(
            f"weclick {' '.join(arguments)} ended with {process.returncode}: {(folder / 'log').read_text()}"
        )
    return usage.ru_maxrss / (1024 if sys.platform == "linux" else 1024**2)


def main() -> None:
    """Make the sets, measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--lengths", type=int, nargs="+", default=[1, 20], help="multiples of the demo; default: 1 20")
    table = {}
    for length in parser.parse_args().lengths:
        with TemporaryDirectory() as folder:
            make_set(Path(folder), length)
            table[length] = measure(Path(folder))
    first, last = table[min(table)], table[max(table)]
    for command, base in first.items():
        values = ", ".join(f"{length}x {peaks[command]:.0f} MB" for length, peaks in table.items())
        print(f"{command:8} {values}, ratio {last[command] / base:.3f}")


if __name__ == "__main__":
    main()
