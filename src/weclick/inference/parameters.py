"""Counting the parameters of a network."""

from __future__ import annotations

import torch
from torch import nn
from torch.func import functional_call


def live_parameters(network: nn.Module) -> int:
    """Count the parameters that have an effect on the logits; some networks hold layers that never run.

    segmentation_models.pytorch's PSPNet, for one, reads the encoder at stride 8 but keeps all of it.
    """
    parameters = {name: one.detach().requires_grad_() for name, one in network.named_parameters()}
    device = next(iter(parameters.values())).device
    with torch.inference_mode(False), torch.enable_grad():
        logits = functional_call(network, parameters, (torch.zeros(1, 3, 64, 64, device=device),))
        gradients = torch.autograd.grad(logits.sum(), list(parameters.values()), allow_unused=True)
    return sum(gradient.numel() for gradient in gradients if gradient is not None)
