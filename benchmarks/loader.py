"""Does the data loader keep up? Images per second of student training from disk against the same step on ready tensors.

Interleaves both in one process and prints the medians, their ratio, the network step alone, and peak memory:

    python benchmarks/loader.py --data.root /data/camvid --config camvid.yaml
"""

from __future__ import annotations

import os
import resource
import sys
from itertools import cycle, islice
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

import torch

from weclick.cli.fit import parser
from weclick.cli.options import resolve_configs, to_settings
from weclick.data.synthetic import write_synthetic
from weclick.modules import StudentModule
from weclick.serve.speed import device_name

ROUNDS, STEPS = 5, 6


def main(arguments: list[str]) -> None:
    """Parse a config as ``weclick fit`` does, measure, print."""
    with TemporaryDirectory() as folder:
        if not arguments:
            write_synthetic(Path(folder) / "data", train=24, val=1, frames=2, target=1, size=(256, 512))
            root = str(Path(folder) / "data")
            arguments = [
                "--config",
                "demo.yaml",
                "--data.root",
                root,
                "--data.size",
                "[256,512]",
                "--data.crop",
                "[256,384]",
            ]
        made = parser()
        settings = to_settings(made, made.parse_args(resolve_configs(["--arm", "clicks", *arguments])))
        data = settings.make_data()
        data.open_clicks(Path(folder) / "clicks.sqlite")
        module = StudentModule(data.classes.to_list(), data.size, arm="clicks", **settings.student)
        optimizer = torch.optim.AdamW(module.parameters(), lr=1e-4)
        batches = cycle(data.train_dataloader())
        ready = [finished(next(batches), data) for _ in range(3)]
        rates: dict[str, list[float]] = {"loader": [], "ready": []}
        for _ in range(ROUNDS):
            rates["loader"].append(rate((finished(b, data) for b in islice(batches, STEPS)), module, optimizer))
            rates["ready"].append(rate(islice(cycle(ready), STEPS), module, optimizer))
    loader, tensors = median(rates["loader"]), median(rates["ready"])
    print(f"{device_name(torch.device('cpu'))}, {data.workers} workers, crop {data.crop}, batch {data.batch_size}")
    print(f"from disk   {loader:6.2f} images/s   {sorted(round(r, 2) for r in rates['loader'])}")
    print(f"from memory {tensors:6.2f} images/s   {sorted(round(r, 2) for r in rates['ready'])}")
    print(f"ratio       {loader / tensors:6.3f}")
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB (process {os.getpid()})")


def finished(batch: dict, data) -> dict:  # noqa: ANN001
    """Do what happens to a batch on the device, augmentation included."""
    return data.on_after_batch_transfer(batch, 0)


def rate(batches, module: StudentModule, optimizer: torch.optim.Optimizer) -> float:  # noqa: ANN001
    """Return images per second over training steps on these batches."""
    begin, count = perf_counter(), 0
    for batch in batches:
        loss = sum(module.loss_terms(module(batch["image"]), batch).values())
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        count += len(batch["image"])
    return count / (perf_counter() - begin)


if __name__ == "__main__":
    main(sys.argv[1:])
