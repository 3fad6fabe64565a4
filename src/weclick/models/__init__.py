"""Networks: options in, an ``nn.Module`` out."""

from weclick.models.factory import NetworkOptions, SegmentationNetwork, make_network

__all__ = ["NetworkOptions", "SegmentationNetwork", "make_network"]
