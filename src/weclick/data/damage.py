"""Finding frames that cannot be trained from, counting them, and stopping when there are too many."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

from weclick.clicks import Click
from weclick.conventions import Size
from weclick.errors import DataError


def refuse_other_picture(image: Path, size: Size, clicks: Sequence[Click], clicked: Size | None) -> None:
    """Refuse an image that is not the one that its clicks were made on, as far as sizes and places show it.

    Args:
        image: Path of the image, for the message.
        size: Its size (H, W).
        clicks: Its clicks.
        clicked: Size (H, W) of the image when it was clicked; None where the store does not hold it.

    Raises:
        DataError: The image has another size, or a click lies outside of it.
    """
    outside = next((click for click in clicks if not click.inside(size)), None)
    if clicked is not None and clicked != size:
        conflict = f"its clicks were made on {clicked[1]}x{clicked[0]}"
    elif outside is not None:
        conflict = f"a click lies outside of it, at ({outside.x:g}, {outside.y:g})"
    else:
        return
    raise DataError(
        f"{image} is {size[1]}x{size[0]} but {conflict}; click it again, or simulate from a mask of its size (weclick "
        "clicks check lists such frames)"
    )


class DamageCount:
    """Counts the damaged frames among those that a training or a memory reads, neighbours included.

    Args:
        share: Largest share of frames that may be damaged. One frame always may, unless this is 0.
    """

    def __init__(self, share: float) -> None:
        self._share = share
        self._messages: set[str] = set()

    def add(self, messages: Sequence[str], total: Callable[[], int]) -> None:
        """Warn of each damaged frame once.

        Args:
            messages: One error message per sample, with one line per damaged frame; empty where none is.
            total: Returns how many frames are read in all; called only for a new message, as counting takes time.

        Raises:
            DataError: There are too many.
        """
        # The same frame comes again in every epoch, and as a neighbour of several targets.
        new = {line for message in messages for line in message.splitlines()} - self._messages
        if not new:
            return
        self._messages |= new
        for message in sorted(new):
            warnings.warn(f"damaged training frame left out: {message}", stacklevel=3)
        frames = total()
        if len(self._messages) > (max(1.0, self._share * frames) if self._share else 0.0):
            raise DataError(
                f"{len(self._messages)} of {frames} training frames are damaged, for example: {min(self._messages)}; "
                "repair or remove them (weclick data check lists all)"
            )
