"""The shipped loss terms, each with its options.

This module is read for every help and every config, so it imports no torch: a term imports its formula when it is computed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from weclick.conventions import IGNORE_INDEX, Tensor
from weclick.losses.term import LossTerm, Need, Step, ramped
from weclick.options import NonNegativeFloat, PositiveFloat, PositiveShare, Share


@dataclass(frozen=True)
class CrossEntropy(LossTerm):
    """Cross-entropy on clicks, or on masks under full supervision.

    Args:
        weight: Weight of the cross-entropy; at 0 the other terms alone are learned from.
        balance: How far the classes of a frame have the same weight, whatever their number of clicks: 0 not at all, 1 fully.
        hardest: Share of a frame's labelled pixels that count: those with the highest loss. 1 counts all.
    """

    name: ClassVar[str] = "supervised"

    weight: NonNegativeFloat = 1.0
    balance: Share = 0.0
    hardest: PositiveShare = 1.0

    def __call__(self, step: Step) -> Tensor:
        """Return :func:`partial_cross_entropy` or :func:`balanced_cross_entropy` of a step."""
        from weclick.losses.cross_entropy import balanced_cross_entropy, partial_cross_entropy

        labels = step.batch["labels"]
        if not self.balance and self.hardest == 1:
            return partial_cross_entropy(step.logits, labels)
        return balanced_cross_entropy(step.logits, labels, self.balance, self.hardest)


@dataclass(frozen=True)
class AcceptedCrossEntropy(LossTerm):
    """Cross-entropy on accepted labels; ``data.clicks.sure`` says which of their pixels count.

    Args:
        weight: Weight of the cross-entropy. Targets without an accepted label have none.
        balance: How far the classes of a frame have the same weight, whatever their area: 0 not at all, 1 fully.
    """

    name: ClassVar[str] = "accepted"
    needs: ClassVar[frozenset[Need]] = frozenset({"accepted"})

    balance: Share = 0.0

    def __call__(self, step: Step) -> Tensor:
        """Return :func:`balanced_cross_entropy` with the accepted labels of a step."""
        from weclick.losses.cross_entropy import balanced_cross_entropy

        return balanced_cross_entropy(step.logits, step.batch["accepted"], self.balance)


@dataclass(frozen=True)
class GrownClicks(LossTerm):
    """Cross-entropy on the labels grown around clicks; ``data.clicks.grow`` says how far they grow.

    Args:
        weight: Weight of the cross-entropy. Targets without a click on every region have no grown clicks.
        balance: How far the classes of a frame have the same weight, whatever their area: 0 not at all, 1 fully.
    """

    name: ClassVar[str] = "grown"
    needs: ClassVar[frozenset[Need]] = frozenset({"grown"})

    balance: Share = 1.0

    def __call__(self, step: Step) -> Tensor:
        """Return :func:`balanced_cross_entropy` with the grown labels of a step."""
        from weclick.losses.cross_entropy import balanced_cross_entropy

        return balanced_cross_entropy(step.logits, step.batch["grown"], self.balance)


@dataclass(frozen=True)
class Absence(LossTerm):
    """Class absence: a class without a click in a frame is not in that frame.

    Args:
        weight: Weight of the class-absence loss.
    """

    name: ClassVar[str] = "absence"

    def __call__(self, step: Step) -> Tensor:
        """Return :func:`absence` of a step, inside the frames."""
        from weclick.losses.absence import absence
        from weclick.losses.resize import resized

        inside = step.batch["inside"]
        return absence(resized(step.logits, inside), step.batch["present"], inside)


@dataclass(frozen=True)
class GatedCRF(LossTerm):
    """Gated CRF: labels should change where colours change.

    Args:
        weight: Weight of the gated CRF loss.
        ramp: Share of all steps over which the weight rises from 0, as early predictions are mostly wrong.
    """

    name: ClassVar[str] = "crf"

    ramp: Share = 0.25

    def weight_at(self, progress: float) -> float:
        """Return the weight, which rises linearly until ``ramp``."""
        return ramped(self.weight, progress, self.ramp)

    def __call__(self, step: Step) -> Tensor:
        """Return :func:`gated_crf` of a step, gated to the inside of the frame."""
        from weclick.losses.gated_crf import gated_crf
        from weclick.losses.resize import resized

        inside = step.batch["inside"]
        return gated_crf(resized(step.logits, inside), step.batch["image"], inside)


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
        from weclick.losses.distillation import distillation

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
        from weclick.losses.distillation import distillation

        memory = step.batch["soft_labels"].memory
        weight = memory.probabilities.sum(1, keepdim=True).clamp(max=1)
        return distillation(step.logits, memory.probabilities, weight * (memory.confidence > 0))


@dataclass(frozen=True)
class HardLabels(LossTerm):
    """Cross-entropy with the memory's most probable classes: self-training.

    Args:
        weight: Weight of the cross-entropy; needs the same as Memory Flow Distillation.
        confidence: Least probability of a class in the memory to learn it.
        balance: How far the classes of a frame have the same weight, whatever their area: 0 not at all, 1 fully.

    References:
        Zou et al.: Unsupervised Domain Adaptation for Semantic Segmentation via Class-Balanced Self-Training, ECCV 2018.
    """

    name: ClassVar[str] = "hard"
    needs: ClassVar[frozenset[Need]] = frozenset({"memory"})

    confidence: Share = 0.5
    balance: Share = 0.5

    def __call__(self, step: Step) -> Tensor:
        """Return :func:`balanced_cross_entropy` with the memory's :func:`hard_labels`."""
        from weclick.losses.cross_entropy import balanced_cross_entropy
        from weclick.losses.hard_labels import hard_labels

        memory = step.batch["soft_labels"].memory
        labels = hard_labels(memory.probabilities, memory.confidence > 0, self.confidence)
        return balanced_cross_entropy(step.logits, labels, self.balance)


@dataclass(frozen=True)
class Consistency(LossTerm):
    """Self-training: the averaged network labels the image before colour augmentation where it is sure.

    Args:
        weight: Weight of the consistency loss; needs ``optimiser.ema`` above 0.
        confidence: Least probability of a class to learn it.
        ramp: Share of all steps over which the weight rises from 0, as early predictions are mostly wrong.
        mix: Share of the images that get a box of another image pasted in, with its labels (CutMix). Above 0 the network runs
            on the mixed images as a second batch, which takes as long as the first.

    References:
        Sohn et al.: FixMatch, NeurIPS 2020; Yang et al.: Revisiting weak-to-strong consistency, CVPR 2023.
    """

    name: ClassVar[str] = "consistency"
    needs: ClassVar[frozenset[Need]] = frozenset({"average"})

    confidence: Share = 0.95
    ramp: Share = 0.25
    mix: Share = 0.5

    def weight_at(self, progress: float) -> float:
        """Return the weight, which rises linearly until ``ramp``."""
        return ramped(self.weight, progress, self.ramp)

    def __call__(self, step: Step) -> Tensor:
        """Return :func:`consistency` with the averaged network's :func:`sure_labels`."""
        from weclick.losses.consistency import consistency, mixed, sure_labels
        from weclick.losses.resize import resized

        assert step.averaged is not None  # the module refuses this term without averaging
        batch, inside = step.batch, step.batch["inside"]
        labels = sure_labels(resized(step.averaged(batch["plain"]), inside), batch["present"], self.confidence)
        labels = labels.masked_fill(~inside[:, 0], IGNORE_INDEX)
        if not self.mix:
            return consistency(step.logits, labels, inside)
        images, labels = mixed(batch["image"], labels, self.mix)
        return consistency(step.forward(images), labels, inside)


@dataclass(frozen=True)
class TemporalConsistency(LossTerm):
    """ETC's temporal loss: predictions on a target and, warped to it, on its neighbour should agree.

    Args:
        weight: Weight of the temporal loss; above 0 the network also runs on each target's nearest neighbour.
    """

    name: ClassVar[str] = "etc"
    needs: ClassVar[frozenset[Need]] = frozenset({"neighbour"})

    def __call__(self, step: Step) -> Tensor:
        """Return :func:`temporal_loss` over the targets that have a neighbour.

        The network runs on the neighbours as a separate batch, as in the authors' code, so that they do not change the BatchNorm
        statistics of the targets.
        """
        from weclick.flow.warp import warp_to_target
        from weclick.losses.resize import resized
        from weclick.losses.temporal import temporal_loss

        pair = step.batch["pair"]
        maps = (step.logits, step.forward(pair.image))
        target, neighbour = (resized(logits, pair.visible).softmax(1) for logits in maps)
        warped, inside = warp_to_target(neighbour, pair.flow)
        return temporal_loss(target[pair.valid], warped[pair.valid], (pair.visible * inside)[pair.valid])


@dataclass(frozen=True)
class Auxiliary(LossTerm):
    """Cross-entropy of the auxiliary head, which exists in training only and only if this term has a weight.

    Args:
        weight: Weight of the head's loss; 0.4 in the paper below.

    References:
        Zhao et al.: Pyramid Scene Parsing Network, CVPR 2017, section 3.3.
    """

    name: ClassVar[str] = "auxiliary"

    def __call__(self, step: Step) -> Tensor:
        """Return the cross-entropy of the head on the labels of a step."""
        from weclick.losses.cross_entropy import partial_cross_entropy

        assert step.auxiliary is not None  # the module makes the head if the term has a weight
        return partial_cross_entropy(step.auxiliary, step.batch["labels"])
