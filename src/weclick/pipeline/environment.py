"""What a stage of a run was made with: versions and hardware, a line per fit."""

from __future__ import annotations

import json
import platform
from datetime import datetime
from importlib.metadata import requires
from pathlib import Path
from typing import Any, Final

from packaging.requirements import Requirement

from weclick.files import writing
from weclick.inference.speed import device_name
from weclick.machine import process_rank, usable_cores
from weclick.pipeline.doctor.packages import installed
from weclick.pipeline.settings import FitSettings
from weclick.reporting.comparison.version import code_version

ENVIRONMENTS: Final = "environments.jsonl"
"""File in the folder of a stage: a JSON object for each fit that worked on it, oldest first."""


def record_environment(settings: FitSettings, folder: Path) -> None:
    """Append what this fit runs with to ``environments.jsonl`` in the folder of a stage.

    A single short write: several processes may build parts of a memory at a time. Of a training, the first process writes.
    """
    if process_rank() > 0:
        return
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / ENVIRONMENTS
    with writing(file), file.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(environment(settings)) + "\n")


def environment(settings: FitSettings) -> dict[str, Any]:
    """Return time, seed, versions of weclick (with its commit in a checkout) and of what it depends on, and hardware."""
    needed = (Requirement(text) for text in requires("weclick") or ())
    names = sorted(one.name for one in needed if one.marker is None)
    return {
        "started": datetime.now().astimezone().isoformat(timespec="seconds"),
        "weclick": code_version(),
        "seed": settings.seed,
        "device": device_name(settings.device),
        "cores": usable_cores(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "packages": {name: installed(name) for name in names},
    }
