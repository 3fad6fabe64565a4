"""Learning from soft labels: vanilla distillation and, over the memory, Memory Flow Distillation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from weclick.errors import ShapeError
from weclick.losses.resize import resized
from weclick.losses.shared import over_processes
from weclick.losses.term import LossTerm, Need, Step
from weclick.options import PositiveFloat


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


@dataclass(frozen=True)
class VanillaDistillation(LossTerm):
    """Vanilla distillation from the teacher's own prediction on the target.

    Args:
        weight: Weight of vanilla distillation; above 0 a student needs a teacher, and a teacher an earlier one.
        temperature: tau; above 1 small probabilities count more.
    """

    name: ClassVar[str] = "kd"
    needs: ClassVar[frozenset[Need]] = frozenset({"teacher"})

    temperature: PositiveFloat = 1.0

    def __call__(self, step: Step) -> Tensor:
        """Return :func:`distillation` from the teacher; a pixel's weight is its sum of probabilities, 0 in the draw's border."""
        teacher = step.batch["soft_labels"].teacher
        weight = teacher.sum(1, keepdim=True).clamp(max=1)
        return distillation(step.logits, teacher, weight, temperature=self.temperature)


@dataclass(frozen=True)
class MemoryFlowDistillation(LossTerm):
    """Memory Flow Distillation: the teacher's predictions on neighbours, carried to the target along optical flow.

    Args:
        weight: Weight of Memory Flow Distillation; needs the same as vanilla distillation.
    """

    name: ClassVar[str] = "mfd"
    needs: ClassVar[frozenset[Need]] = frozenset({"memory"})

    def __call__(self, step: Step) -> Tensor:
        """Return :func:`distillation` from the memory, at pixels where a neighbour is reliable."""
        memory = step.batch["soft_labels"].memory
        weight = memory.probabilities.sum(1, keepdim=True).clamp(max=1)
        return distillation(step.logits, memory.probabilities, weight * (memory.confidence > 0))
