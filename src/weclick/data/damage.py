"""Telling frames that cannot be learned from, counting them, and stopping when they are too many."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

from weclick.clicks import Click
from weclick.conventions import Size
from weclick.errors import DataError


def refuse_other_picture(image: Path, size: Size, clicks: Sequence[Click], clicked: Size | None) -> None:
    """Refuse a picture of ``size`` that its clicks were not made on, as far as ``clicked``, the size then, and they tell.

    Raises:
        DataError: It has another size, or a click lies outside of it.
    """
    outside = next((click for click in clicks if not click.inside(size)), None)
    if clicked is not None and clicked != size:
        found = f"its clicks were made on {clicked[1]}x{clicked[0]}"
    elif outside is not None:
        found = f"a click lies outside of it, at ({outside.x:g}, {outside.y:g})"
    else:
        return
    raise DataError(
        f"{image} is {size[1]}x{size[0]} but {found}; click it anew, or simulate from a mask of its size (weclick "
        "clicks check lists such frames)"
    )


class DamageCount:
    """The damaged ones, so far, among the frames that a training or a memory reads, neighbours included.

    Args:
        share: Largest share of these that may be damaged. One is always forgiven, unless this is 0.
    """

    def __init__(self, share: float) -> None:
        self._share = share
        self._known: set[str] = set()

    def add(self, messages: Sequence[str], total: Callable[[], int]) -> None:
        """Warn of each damaged frame once.

        Args:
            messages: What is wrong with frames, a line for each of them; empty where nothing is.
            total: Tells how many frames are read in all; asked only if there is a new message.

        Raises:
            DataError: There are too many.
        """
        new = {line for message in messages for line in message.splitlines()} - self._known
        if not new:
            return
        self._known |= new
        for message in sorted(new):
            warnings.warn(f"damaged training frame left out: {message}", stacklevel=3)
        frames = total()
        if len(self._known) > (max(1.0, self._share * frames) if self._share else 0.0):
            raise DataError(
                f"{len(self._known)} of {frames} training frames are damaged, for example: {min(self._known)}; repair or "
                "remove them (weclick data check lists all)"
            )
