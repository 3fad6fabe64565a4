import lightning.pytorch as pl
import pytest
import torch

from weclick.data.supplies import Pair
from weclick.memory.fuse import Memory
from weclick.memory.online import SoftLabels
from weclick.modules.student import StudentModule
from weclick.modules.teacher import TeacherModule

CLASSES = [{"name": name} for name in ("road", "car", "sky")]
NETWORK = {"encoder": "mobilenetv3_small_050", "weights": "none", "width": 8}


@pytest.fixture(scope="session")
def make_module():
    """Build a small, untrained student or teacher; terms by name, each a weight or a mapping of options."""

    def build(kind="student", *, classes=CLASSES, size=(32, 64), seed=0, network=None, optimiser=None, **terms):
        pl.seed_everything(seed, verbose=False)
        terms = {name: term if isinstance(term, dict) else {"weight": term} for name, term in terms.items()}
        options = {"network": {**NETWORK, **(network or {})}, "optimiser": optimiser or {}, "terms": terms}
        return (StudentModule if kind == "student" else TeacherModule)(classes, size, options)

    return build


@pytest.fixture(scope="session")
def make_trainer():
    """Build a trainer that is silent and trains for a few steps."""

    def build(folder, **options):
        return pl.Trainer(
            **{
                "default_root_dir": folder,
                "accelerator": "cpu",
                "max_epochs": 1,
                "logger": False,
                "enable_checkpointing": False,
                "enable_progress_bar": False,
                "enable_model_summary": False,
                "use_distributed_sampler": False,
                **options,
            }
        )

    return build


@pytest.fixture
def batch():
    """A training batch of two 32 x 64 crops with soft labels and neighbours at stride 4."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.full((2, 32, 64), 255)
    labels[:, 4:8, 4:8], labels[0, 20:24, 40:44] = 0, 2
    teacher, memory = (torch.randn(2, 3, 8, 16, generator=generator).softmax(1) for _ in range(2))
    confidence = (torch.rand(2, 1, 8, 16, generator=generator) > 0.3).float()
    teacher[:, :, :, :2] = 0  # the draw's border
    soft_labels = SoftLabels(teacher, Memory(memory * confidence, confidence))
    image = torch.rand(2, 3, 32, 64, generator=generator)
    visible = torch.rand(2, 1, 8, 16, generator=generator)
    return {
        "image": image,
        "labels": labels,
        "present": torch.tensor([[True, False, True], [True, False, False]]),
        "inside": torch.ones(2, 1, 8, 16, dtype=torch.bool),
        "soft_labels": soft_labels,
        "pair": Pair(image.flip(0), torch.full((2, 2, 8, 16), 0.75), visible, torch.tensor([True, True])),
    }
