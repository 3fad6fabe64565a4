"""The memory: teacher predictions on neighbours, carried to the target, fused, stored."""

from weclick.memory.connect import connect
from weclick.memory.draws import follow_draw, inside_frame
from weclick.memory.fuse import PLAIN, Fusion, Memory, fuse
from weclick.memory.item import MemoryItem, dequantise, quantise
from weclick.memory.online import SoftLabels, online_memory, soft_labels
from weclick.memory.refine import refine
from weclick.memory.restrict import restrict
from weclick.memory.store import MemoryStore
from weclick.memory.stream import stream_memory
from weclick.memory.views import average_views

__all__ = [
    "PLAIN",
    "Fusion",
    "Memory",
    "MemoryItem",
    "MemoryStore",
    "SoftLabels",
    "average_views",
    "connect",
    "dequantise",
    "follow_draw",
    "fuse",
    "inside_frame",
    "online_memory",
    "quantise",
    "refine",
    "restrict",
    "soft_labels",
    "stream_memory",
]
