"""Data sets: layouts, clip index, click store, transforms."""
