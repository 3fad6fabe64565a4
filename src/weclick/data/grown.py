"""Growing clicks in loader workers, before a training learns from them."""

from __future__ import annotations

from torch.utils.data import Dataset

from weclick.clicks.grow import grow
from weclick.data.damage import refuse_other_picture
from weclick.data.index import Clip
from weclick.data.reader import FrameReader
from weclick.data.supply import Sample
from weclick.data.targets import TargetClicks
from weclick.errors import DataError


class GrowingClicks(Dataset[Sample]):
    """Targets whose clicks are to be grown. A sample holds ``key``, and ``labels`` uint8 (h, w) or ``damaged``, a message.

    Args:
        clips: The targets' clips.
        clicks: Their clicks.
        reader: Reads frames at the working size.
        share: See :func:`weclick.clicks.grow.grow`.
    """

    def __init__(self, clips: list[Clip], clicks: TargetClicks, reader: FrameReader, share: float) -> None:
        self.clips, self.clicks, self.reader, self.share = clips, clicks, reader, share

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, index: int) -> Sample:
        frame = self.clips[index].target
        clicks = self.clicks.clicks[frame.key]
        try:
            opened = self.reader.open(frame)
            refuse_other_picture(frame.image, opened.source, clicks, self.clicks.sizes.get(frame.key))
            image = opened.image()
        except DataError as error:
            return {"key": frame.key, "damaged": str(error)}
        return {"key": frame.key, "labels": grow(image, clicks, opened.source, self.share)}
