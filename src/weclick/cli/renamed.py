"""Options of earlier versions, and what replaced them: refused by name, never accepted."""

from __future__ import annotations

from typing import Final

_MODULE: Final = {
    "network": "network.name",
    "encoder": "network.encoder",
    "pretrained": "network.weights",
    "width": "network.width",
    "strides": "network.strides",
    "scale": "network.scale",
    "compile": "network.compile",
    "learning_rate": "optimiser.learning_rate",
    "weight_decay": "optimiser.weight_decay",
    "warmup": "optimiser.warmup",
    "ema": "optimiser.ema",
    "supervised_weight": "terms.supervised.weight",
    "balanced": "terms.supervised.balance",
    "terms.supervised.balanced": "terms.supervised.balance",
    "absence_weight": "terms.absence.weight",
    "crf_weight": "terms.crf.weight",
    "crf_ramp": "terms.crf.ramp",
    "kd_weight": "terms.kd.weight",
    "mfd_weight": "terms.mfd.weight",
    "etc_weight": "terms.etc.weight",
    "temperature": "terms.kd.temperature",
    "network.pretrained": "network.weights",
    "channels_last": "",
}
_DATA: Final = {
    "click_rule": "clicks.rule",
    "click_min_area": "clicks.min_area",
    "click_radius": "clicks.radius",
    "frame_share": "clicks.frame_share",
    "clicks_per_frame": "clicks.per_frame",
    "crop": "draws.crop",
    "scale": "draws.scale",
    "flip": "draws.flip",
    "photometric": "draws.colour",
    "unlabelled": "draws.unlabelled",
    "carried": "draws.carried",
    "neighbours": "clips.neighbours",
    "stride": "clips.stride",
    "sides": "clips.sides",
    "max_damaged": "",
}

RENAMED: Final = {
    **{f"data.{old}": f"data.{new}" if new else "" for old, new in _DATA.items()},
    **{
        f"{stage}.{old}": f"{stage}.{new}" if new else ""
        for stage in ("teacher", "student")
        for old, new in _MODULE.items()
    },
    "data.clicks": "data.clicks.store",
}
"""Successors by the earlier dotted name; empty where the option is now a constant."""


def successor(option: str) -> str | None:
    """Return a sentence that names the successor of an option of an earlier version; None for any other.

    Example:
        >>> successor("student.kd_weight")
        'student.kd_weight is now student.terms.kd.weight'
        >>> successor("data.batch_size")
    """
    if option not in RENAMED:
        return None
    return f"{option} is now {RENAMED[option]}" if RENAMED[option] else f"{option} is no longer an option; leave it out"
