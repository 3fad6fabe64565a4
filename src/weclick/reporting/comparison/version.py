"""The version of the code that made a table."""

from __future__ import annotations

import subprocess
from importlib.metadata import version
from pathlib import Path


def code_version() -> str:
    """Return weclick's version, with the commit if it runs from a checkout; "-dirty" if files differ from the commit."""
    root = Path(__file__).resolve().parents[4]
    # an installed package may lie inside a repository that is not weclick's, such as a user's with a venv in it
    commit = _commit(root) if (root / "src" / "weclick").is_dir() else None
    return f"weclick {version('weclick')}" + (f" (commit {commit})" if commit else "")


def _commit(root: Path) -> str | None:
    command = ["git", "--no-optional-locks", "-C", str(root), "describe", "--always", "--dirty", "--exclude=*"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None
