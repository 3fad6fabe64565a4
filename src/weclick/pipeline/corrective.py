"""Simulate a person who corrects the preview: clicks where it is wrong, and accepts the result as a label."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from weclick.clicks import Click, ClickStore
from weclick.clicks.corrective import corrective_click
from weclick.clicks.labels import seen_classes
from weclick.clicks.records import AcceptedLabel, Answers, absent_classes, validate_key
from weclick.clicks.sqlite import require_free
from weclick.data.index import Frame, Layout, Split
from weclick.data.masks import load_masks
from weclick.errors import ConfigError, DataError
from weclick.files import atomic_path_apart, writing
from weclick.images import check_same_size, read_image
from weclick.probe.features import ENCODER, FrozenFeatures
from weclick.probe.linear import STEPS, LinearProbe
from weclick.probe.preview import Preview
from weclick.reporting.progress import progress_bar

ANNOTATOR: Final = "simulation"
_REFIT_STEPS: Final = 15
"""Iterations of L-BFGS after each frame; they start from the probe before."""


def simulate_corrective(
    layout: Layout, split: Split, path: Path, *, per_frame: int, accept: bool, min_area: int
) -> int:
    """Create a click store with corrective clicks on all masked frames of a split; return the number of clicks.

    Frame after frame, a click is made where the preview is wrong (:func:`~weclick.clicks.corrective.corrective_click`), and the
    preview updated; after the frame, the probe is fitted to all clicks. As in the page, a class that the preview sees and that is
    not there is answered to be absent, which changes the preview. There is no randomness.

    Args:
        layout: The data set.
        split: Split whose masks say what is wrong.
        path: The new store, written completely or not at all.
        per_frame: Clicks on a frame at most; fewer where nothing is wrong any more.
        accept: Store the preview of each frame, by the final probe, as its accepted label. Without, frames stay unfinished, as
            not every region was clicked.
        min_area: Smallest wrong region that is clicked, in pixels of the mask.

    Raises:
        ClickError: The store exists already, or cannot be written.
        ConfigError: ``per_frame`` or ``min_area`` is not positive.
        DataError: The split has no masks, or one that cannot be used.
    """
    for name, value in (("per_frame", per_frame), ("min_area", min_area)):
        if value < 1:
            raise ConfigError(f"{name} {value} of the click simulation must be at least 1")
    frames = [frame for frame in layout.frames(split) if frame.label is not None]
    if not frames:
        raise DataError(f"{layout.root} has no masks in its {split} split, which show a simulation what is wrong")
    require_free(path)
    annotator, made = Annotator(len(layout.classes), per_frame, min_area), 0
    with writing(path), atomic_path_apart(path) as temporary:
        with ClickStore.create(temporary, layout.classes) as store:
            rule = {"rule": "corrective", "per_frame": per_frame, "min_area": min_area, "encoder": ENCODER}
            store.note(source=ANNOTATOR, **rule)
            with progress_bar("correcting previews") as show:
                for done, frame in enumerate(frames, start=1):
                    image, label = _read(layout, frame)
                    clicks, answers = annotator.click(image, label)
                    made += len(clicks)
                    size = label.shape[:2]
                    store.replace(frame.key, clicks, status="todo", size=size, annotator=ANNOTATOR, answers=answers)
                    show(done, len(frames))
            if accept and made:
                _accept(layout, frames, annotator, store)
        require_free(path)  # again: this takes minutes, and the rename would overwrite a store made meanwhile
    return made


def _accept(layout: Layout, frames: Sequence[Frame], annotator: Annotator, store: ClickStore) -> None:
    """Store the preview of each frame by the final probe."""
    annotator.refit()
    name = f"{ENCODER}, {len(store.records())} clicks"
    with progress_bar("accepting previews") as show:
        for done, frame in enumerate(frames, start=1):
            image, _ = _read(layout, frame)
            preview = annotator.preview(image, store.clicks(frame.key), store.answers(frame.key) or {})
            store.accept(frame.key, preview._replace(probe=name), annotator=ANNOTATOR)
            show(done, len(frames))


class Annotator:
    """A simulated person who clicks frame after frame, and the probe that learns from all clicks so far.

    Args:
        classes: Number of classes.
        per_frame: Clicks on a frame at most.
        min_area: Wrong regions with fewer pixels are left as they are.
    """

    def __init__(self, classes: int, per_frame: int, min_area: int) -> None:
        self.classes, self.per_frame, self.min_area = classes, per_frame, min_area
        self._frozen = FrozenFeatures()
        self._probe: LinearProbe | None = None
        self._clicked: list[tuple[Tensor, Tensor]] = []

    def click(self, image: NDArray[np.uint8], label: NDArray[np.uint8]) -> tuple[list[Click], Answers]:
        """Return clicks on a frame, RGB (H, W, 3), by its mask (H, W), and answers about it; fit the probe to the clicks too."""
        features = self._frozen(image)
        probe = self._probe or LinearProbe.untrained(self.classes, features.channels)
        asked = _Asked(Preview(image, features), probe, label)
        clicks: list[Click] = []
        shown = np.full_like(label, self.classes)  # before the first click of all, nothing is shown
        while len(clicks) < self.per_frame:
            if clicks or self._probe:
                shown = asked.preview(clicks).ids
            click = corrective_click(label, shown, self.min_area)
            if click is None:
                break
            clicks.append(click)
        if clicks:
            ids = torch.tensor([click.class_id for click in clicks])
            self._clicked.append((features.at([(click.x, click.y) for click in clicks]), ids))
            self._probe = probe
            self.refit(steps=_REFIT_STEPS)
        return clicks, dict.fromkeys(asked.absent, False)

    def refit(self, *, steps: int = STEPS) -> None:
        """Fit the probe to all clicks, with so many iterations at most."""
        points, ids = (torch.cat(parts) for parts in zip(*self._clicked, strict=True))
        assert self._probe is not None
        self._probe = self._probe.fitted(points, ids, steps=steps)

    def preview(self, image: NDArray[np.uint8], clicks: Sequence[Click], answers: Answers) -> AcceptedLabel:
        """Return the preview of a frame by the probe as it is now."""
        assert self._probe is not None
        absent = absent_classes(answers)
        return AcceptedLabel(*Preview(image, self._frozen(image)).update(self._probe, clicks, absent))


class _Asked:
    """The preview of a frame, and the classes that it saw and that are not there."""

    def __init__(self, preview: Preview, probe: LinearProbe, label: NDArray[np.uint8]) -> None:
        self._preview, self._probe = preview, probe
        self._there = set(np.unique(label).tolist())
        self.absent: list[int] = []

    def preview(self, clicks: Sequence[Click]) -> AcceptedLabel:
        """Return the preview with these clicks, after the questions about it are answered."""
        while True:
            shown = AcceptedLabel(*self._preview.update(self._probe, clicks, self.absent))
            wrong = [class_id for class_id in seen_classes(shown.ids) if class_id not in self._there]
            if not wrong:
                return shown
            self.absent += wrong


def _read(layout: Layout, frame: Frame) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return image (H, W, 3) and mask (H, W) of a frame."""
    validate_key(frame.key)
    image, (label, _) = read_image(frame.image), load_masks(layout, frame)
    assert frame.label is not None
    check_same_size(image.shape, label.shape, frame.image, frame.label)
    return image, label
