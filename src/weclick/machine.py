"""Which of several processes of one training this is."""

from __future__ import annotations

import os


def process_rank() -> int:
    """Return this process's rank; 0 is the one the user started, and the only one that talks and writes."""
    return int(os.environ.get("RANK") or os.environ.get("LOCAL_RANK") or 0)
