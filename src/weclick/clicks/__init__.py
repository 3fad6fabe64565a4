"""Clicks: the store, simulation from masks, import and export, checks."""

from weclick.clicks.check import Finding, StoreStats, check_clicks, clicking_seconds, stats
from weclick.clicks.exchange import (
    FORMATS,
    Format,
    FormatName,
    Pictures,
    export_csv,
    format_of,
    format_to_write,
    import_csv,
    open_or_create,
)
from weclick.clicks.records import Click, ClickRecord, FrameRecord, Status
from weclick.clicks.simulate import Rule, simulate_clicks, simulate_store
from weclick.clicks.sqlite import copy_store
from weclick.clicks.store import CLICKS_FILE, ClickStore, store_path

__all__ = [
    "CLICKS_FILE",
    "FORMATS",
    "Click",
    "ClickRecord",
    "ClickStore",
    "Finding",
    "Format",
    "FormatName",
    "FrameRecord",
    "Pictures",
    "Rule",
    "Status",
    "StoreStats",
    "check_clicks",
    "clicking_seconds",
    "copy_store",
    "export_csv",
    "format_of",
    "format_to_write",
    "import_csv",
    "open_or_create",
    "simulate_clicks",
    "simulate_store",
    "stats",
    "store_path",
]
