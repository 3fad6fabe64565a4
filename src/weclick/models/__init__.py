"""Networks: a name and an encoder in, an ``nn.Module`` out."""

from weclick.models.factory import SegmentationNetwork, make_network

__all__ = ["SegmentationNetwork", "make_network"]
