"""Synthetic street video with exact labels, instances and optical flow."""

from weclick.synthetic.render import Flow, RenderedFrame, SyntheticVideo
from weclick.synthetic.writer import write_synthetic

__all__ = ["Flow", "RenderedFrame", "SyntheticVideo", "write_synthetic"]
