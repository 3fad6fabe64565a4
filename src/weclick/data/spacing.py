"""What was decided about the distance of frames, in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from weclick.data.index import Segment, ticks_per_second


def describe_spacing(segments: Iterable[Segment], rates: Mapping[str, float]) -> dict[str, list[str]]:
    """Return the videos by what was decided about their frames: how far they are apart, and how many gaps there are.

    Args:
        segments: Segments of one split.
        rates: Frames per second of the videos whose time stamps are known.
    """
    by_video: dict[str, list[Segment]] = {}
    for segment in segments:
        by_video.setdefault(segment.frames[0].key.video, []).append(segment)
    described: dict[str, list[str]] = {}
    for video, parts in by_video.items():
        gaps = len(parts) - 1
        text = f"{_distance(parts[0], rates.get(video))}, {gaps or 'no'} gap{'' if gaps == 1 else 's'}"
        described.setdefault(text, []).append(video)
    return described


def _distance(segment: Segment, fps: float | None) -> str:
    if fps is not None:
        return f"{fps:.4g} fps by time stamps"
    if (ticks := ticks_per_second(segment.frames[0].key.number)) is not None:
        return f"{ticks / segment.step:.4g} fps by the times in names"
    return f"numbers {segment.step} apart"
