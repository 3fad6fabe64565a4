"""The clicks that are trained from: read from a store once, reduced to the budget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from weclick.clicks import Click, ClickStore, FrameRecord
from weclick.clicks.budget import within_budget
from weclick.conventions import FrameKey, Size
from weclick.data.dataset import DataSet
from weclick.data.options import ClickOptions


@dataclass(frozen=True)
class TargetClicks:
    """Clicks to train from.

    Args:
        clicks: By target, in source pixels: those on training frames, within the budget.
        unfinished: Targets that are clicked but not done: a class without a click there may still be present.
        incomplete: Targets on which a region may lack its click: the unfinished ones, or all where clicks were left out.
        sizes: (H, W) each frame was clicked at, where the store has it.
        stored: All clicks of the store, also those that are not trained from.
        store: Where they come from.
    """

    clicks: Mapping[FrameKey, Sequence[Click]] = field(default_factory=dict)
    unfinished: frozenset[FrameKey] = frozenset()
    incomplete: frozenset[FrameKey] = frozenset()
    sizes: Mapping[FrameKey, Size] = field(default_factory=dict)
    stored: Mapping[FrameKey, Sequence[Click]] = field(default_factory=dict)
    store: Path | None = None

    @property
    def complete(self) -> frozenset[FrameKey]:
        """Targets on which every region has its click."""
        return frozenset(self.clicks.keys() - self.incomplete)

    @classmethod
    def read(cls, store: Path, dataset: DataSet, options: ClickOptions, *, seed: int) -> TargetClicks:
        """Read a click store.

        Raises:
            ClickError: The store cannot be opened, or is of other classes.
        """
        with ClickStore(store, dataset.classes, readonly=True) as opened:
            # frames first: one that somebody finishes in between then counts as unfinished
            frames, stored = opened.frames(), opened.all_clicks()
        train = {frame.key for frame in dataset.layout.frames("train")}
        own = {key: clicks for key, clicks in stored.items() if key in train}
        clicks = within_budget(own, share=options.frame_share, count=options.per_frame, seed=seed)
        unfinished = frozenset(key for key in clicks if frames.get(key, FrameRecord()).status != "done")
        incomplete = unfinished if options.per_frame is None else frozenset(clicks)
        sizes = {key: frame.size for key, frame in frames.items() if frame.size is not None}
        return cls(clicks, unfinished, incomplete, sizes, stored, store)
