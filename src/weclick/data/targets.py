"""The clicks to train from: read from a store once, and reduced to the budget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from weclick.clicks import Click, ClickStore, FrameRecord
from weclick.clicks.budget import within_budget
from weclick.clicks.records import Answers, absent_classes
from weclick.conventions import FrameKey, Size
from weclick.data.dataset import DataSet
from weclick.data.options import ClickOptions


@dataclass(frozen=True)
class TargetClicks:
    """Clicks to train from.

    Args:
        clicks: By target, in source pixels: clicks on training frames, within the budget.
        unfinished: Targets with clicks whose status is not done; a class without a click may still be present there.
        incomplete: Targets where a region may have no click: the unfinished ones, those with an accepted label, or all if the
            budget leaves out clicks.
        accepted: Targets with an accepted label, some without a click; none under a budget, as all clicks made the labels.
        answers: Of a person, about classes of a target.
        held_out: Clicks of the training frames that the store holds out from training; with no target among them.
        sizes: (H, W) of the image that each frame was clicked on, if the store has it.
        stored: All clicks of the store, including those that are not trained from.
        store: File of the store.
    """

    clicks: Mapping[FrameKey, Sequence[Click]] = field(default_factory=dict)
    unfinished: frozenset[FrameKey] = frozenset()
    incomplete: frozenset[FrameKey] = frozenset()
    accepted: frozenset[FrameKey] = frozenset()
    answers: Mapping[FrameKey, Answers] = field(default_factory=dict)
    held_out: Mapping[FrameKey, Sequence[Click]] = field(default_factory=dict)
    sizes: Mapping[FrameKey, Size] = field(default_factory=dict)
    stored: Mapping[FrameKey, Sequence[Click]] = field(default_factory=dict)
    store: Path | None = None

    @property
    def complete(self) -> frozenset[FrameKey]:
        """Targets where every region has a click."""
        return frozenset(self.clicks.keys() - self.incomplete)

    def present(self, key: FrameKey, classes: int) -> NDArray[np.bool_]:
        """Return the classes that may be in a target, bool (C,); all False if no class is known to be absent.

        A class is absent if a person said so; in a complete target also if it has no click and no open question.
        """
        answers, incomplete = self.answers.get(key, {}), key in self.incomplete
        absent = absent_classes(answers)
        if incomplete and not absent:
            return np.zeros(classes, bool)
        present = np.full(classes, incomplete)
        present[list(answers)] = True
        present[absent] = False
        present[[click.class_id for click in self.clicks.get(key, ())]] = True
        return present

    @classmethod
    def read(cls, store: Path, dataset: DataSet, options: ClickOptions, *, seed: int) -> TargetClicks:
        """Read the clicks to train from.

        Raises:
            ClickError: The store cannot be opened, or is of other classes.
        """
        with ClickStore(store, dataset.classes, readonly=True) as opened:
            # frames first: a frame that is finished between the two reads then counts as unfinished, the safe side
            frames, stored, accepted = opened.frames(), opened.all_clicks(), frozenset(opened.accepted())
            answers, aside = opened.all_answers(), opened.held_out()
        frames_of_train = {frame.key for frame in dataset.layout.frames("train")}
        held_out = {key: stored.get(key, []) for key in sorted(aside & frames_of_train)}
        train = frames_of_train - aside
        own = {key: clicks for key, clicks in stored.items() if key in train}
        clicks = within_budget(own, share=options.frame_share, count=options.per_frame, seed=seed)
        unfinished = frozenset(key for key in clicks if frames.get(key, FrameRecord()).status != "done")
        accepted = accepted & train if options.per_frame is None and options.frame_share == 1 else frozenset()
        clicks = {**{key: [] for key in sorted(accepted)}, **clicks}
        incomplete = unfinished | accepted if options.per_frame is None else frozenset(clicks)
        sizes = {key: frame.size for key, frame in frames.items() if frame.size is not None}
        return cls(clicks, unfinished, incomplete, accepted, answers, held_out, sizes, stored, store)
