"""Optical flow: estimators, warping onto the target grid, and where a flow is reliable."""

from weclick.flow.estimators import DISFlow, FarnebackFlow, FlowEstimator, FlowName, RAFTFlow, flow_name, make_flow
from weclick.flow.reliability import reliable
from weclick.flow.scaled import ScaledFlow
from weclick.flow.warp import resize_flow, warp_to_target

__all__ = [
    "DISFlow",
    "FarnebackFlow",
    "FlowEstimator",
    "FlowName",
    "RAFTFlow",
    "ScaledFlow",
    "flow_name",
    "make_flow",
    "reliable",
    "resize_flow",
    "warp_to_target",
]
