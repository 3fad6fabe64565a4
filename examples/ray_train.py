"""Train on the workers of a Ray cluster; a run whose worker dies is resumed from its last checkpoint.

    pip install 'weclick[ray]'
    python ray_train.py --config camvid.yaml --name on-ray --workers 2

Start it in a folder that all machines share. It connects to the cluster of RAY_ADDRESS, else it starts Ray on this machine.
"""

from __future__ import annotations

import argparse
import logging
import os
from pathlib import Path
from typing import Any

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # Ray reads it when it is imported: nothing is sent

import ray
from ray.train import FailureConfig, RunConfig, ScalingConfig
from ray.train.lightning import RayDDPStrategy, RayLightningEnvironment
from ray.train.torch import TorchTrainer


def train(options: dict[str, Any]) -> None:
    """Train in one worker, together with the others."""
    import weclick

    logging.getLogger("lightning").propagate = False  # or Ray prints each line again
    os.chdir(options["folder"])  # a worker starts elsewhere
    # the same name in both: starts the run, or resumes it after a failure
    both = {"name": options["name"], "resume": options["name"]}
    weclick.fit(options["config"], strategy=RayDDPStrategy(), plugins=[RayLightningEnvironment()], **both)


def main() -> None:
    """Parse the command line, and train."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", required=True, help="YAML file or name of a config")
    parser.add_argument("--name", required=True, help="name of the run")
    parser.add_argument("--workers", type=int, default=2, help="processes over all machines")
    parser.add_argument("--gpu", action="store_true", help="give each worker a GPU")
    options = vars(parser.parse_args())
    ray.init()
    TorchTrainer(
        train,
        train_loop_config={**options, "folder": str(Path.cwd())},
        scaling_config=ScalingConfig(num_workers=options["workers"], use_gpu=options["gpu"]),
        run_config=RunConfig(
            name=options["name"],
            storage_path=str(Path("runs", "ray").resolve()),  # Ray's own notes
            failure_config=FailureConfig(max_failures=3),
        ),
    ).fit()


if __name__ == "__main__":
    main()
