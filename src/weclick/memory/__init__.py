"""The memory: teacher predictions on neighbours, carried to the target, fused, stored."""

from weclick.memory.build import Recall, remember, soft_labels
from weclick.memory.connect import connect, places_on_grid
from weclick.memory.draw import follow_draw, inside_frame
from weclick.memory.fuse import PLAIN, Fusion, Memory, fuse
from weclick.memory.restrict import restrict
from weclick.memory.store import MemoryItem, MemoryStore, items
from weclick.memory.stream import remember_all
from weclick.memory.views import from_views

__all__ = [
    "PLAIN",
    "Fusion",
    "Memory",
    "MemoryItem",
    "MemoryStore",
    "Recall",
    "connect",
    "follow_draw",
    "from_views",
    "fuse",
    "inside_frame",
    "items",
    "places_on_grid",
    "remember",
    "remember_all",
    "restrict",
    "soft_labels",
]
