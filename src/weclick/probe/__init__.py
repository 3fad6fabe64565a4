"""The probe: a linear classifier on frozen features, fitted to clicks in seconds; its map on a frame is the preview."""

from weclick.probe.features import ENCODER, Features, FrozenFeatures
from weclick.probe.linear import STEPS, LinearProbe
from weclick.probe.preview import Preview, SoftPreview

__all__ = ["ENCODER", "STEPS", "Features", "FrozenFeatures", "LinearProbe", "Preview", "SoftPreview"]
