"""The memory: teacher predictions on neighbours, carried to the target, fused, stored."""

from weclick.memory.build import Recall, remember, soft_labels
from weclick.memory.draw import follow_draw
from weclick.memory.fuse import Memory, fuse
from weclick.memory.store import MemoryItem, MemoryStore, items
from weclick.memory.stream import remember_all

__all__ = [
    "Memory",
    "MemoryItem",
    "MemoryStore",
    "Recall",
    "follow_draw",
    "fuse",
    "items",
    "remember",
    "remember_all",
    "soft_labels",
]
