"""Learning from soft labels: vanilla distillation and, over the memory, Memory Flow Distillation."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from weclick.errors import ShapeError
from weclick.losses.resize import resized
from weclick.losses.shared import over_processes


def distillation(logits: Tensor, soft_label: Tensor, weight: Tensor, *, temperature: float = 1.0) -> Tensor:
    """Weighted mean of ``tau^2 * KL(q_tau || softmax(logits / tau))`` over pixels.

    ``q_tau`` is the soft label at the temperature, ``q^(1/tau)`` renormalised: for ``q = softmax(z)`` it is
    ``softmax(z / tau)``.

    Args:
        logits: Student logits (B, C, h, w) at any stride, resized bilinearly to the soft label.
        soft_label: Probabilities (B, C, H, W).
        weight: Non-negative weight of each pixel (B, 1, H, W); 0 where there is no soft label.
        temperature: tau; above 1 small probabilities count more.

    Returns:
        A scalar; 0 (with zero gradient) if all weights are 0.

    Raises:
        ShapeError: Batches, class counts, or sizes of soft label and weight differ.

    References:
        Hinton et al., Distilling the Knowledge in a Neural Network, 2015.
    """
    batch, _, height, width = soft_label.shape
    if logits.shape[:2] != soft_label.shape[:2] or weight.shape != (batch, 1, height, width):
        shapes = [tuple(t.shape) for t in (logits, soft_label, weight)]
        raise ShapeError(f"logits {shapes[0]}, soft label {shapes[1]} and weight {shapes[2]} do not fit together")
    student = F.log_softmax(resized(logits, soft_label) / temperature, dim=1)
    target = at_temperature(soft_label.float(), temperature)
    divergence = (torch.xlogy(target, target) - target * student).sum(1, keepdim=True)
    return temperature**2 * (weight * divergence).sum() / over_processes(weight.sum()).clamp(min=1e-6)


def at_temperature(probabilities: Tensor, temperature: float) -> Tensor:
    """Return ``p^(1/tau)`` renormalised over classes (B, C, H, W); all-zero pixels stay zero."""
    powered = probabilities if temperature == 1.0 else probabilities.pow(1.0 / temperature)
    return powered / powered.sum(1, keepdim=True).clamp(min=1e-6)
