"""Every network preset is trained whole: DDP stops at a parameter that gets no gradient."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml

from weclick.classes import ClassSet
from weclick.modules.options import ModuleOptions
from weclick.modules.student import StudentModule
from weclick.modules.teacher import TeacherModule

CONFIGS = Path(__file__).parents[1] / "configs"
PRESETS = sorted(
    str(path.relative_to(CONFIGS)) for stage in ("teacher", "student") for path in CONFIGS.glob(f"{stage}/*.yaml")
)
CLASSES = ClassSet.from_list([{"name": name, "color": [number, 0, 0]} for number, name in enumerate("abc")])


class Trainer:
    """As much of a trainer as a training step reads."""

    estimated_stepping_batches = 10
    global_step = 0


@pytest.mark.parametrize("preset", PRESETS)
def test_every_parameter_gets_a_gradient_in_one_step(preset):
    options = ModuleOptions.of(yaml.safe_load((CONFIGS / preset).read_text()), preset)
    options = replace(options, network=replace(options.network, weights="none"))
    kind = {"teacher": TeacherModule, "student": StudentModule}[Path(preset).parent.name]
    module = kind(CLASSES.to_list(), (64, 64), options).train()
    module.trainer = Trainer()
    batch = {"image": torch.rand(2, 3, 64, 64), "labels": torch.randint(3, (2, 64, 64))}
    module.training_step(batch, 0)["loss"].backward()
    assert [name for name, p in module.named_parameters() if p.requires_grad and p.grad is None] == []
