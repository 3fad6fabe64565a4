"""Blocks that several networks are built of."""

from __future__ import annotations

from torch import nn


def conv_bn(inputs: int, outputs: int, *, kernel: int, groups: int = 1) -> nn.Sequential:
    """Return a convolution with normalisation that keeps height and width."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, groups=groups, bias=False), nn.BatchNorm2d(outputs)
    )


def conv_bn_relu(inputs: int, outputs: int, *, kernel: int) -> nn.Sequential:
    """Return a convolution with normalisation and ReLU that keeps height and width."""
    return nn.Sequential(*conv_bn(inputs, outputs, kernel=kernel), nn.ReLU())
