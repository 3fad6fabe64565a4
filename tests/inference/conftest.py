import numpy as np
import pytest
import torch

from weclick.classes import ClassSet
from weclick.inference.model import ExportedModel
from weclick.inference.torch_model import TorchModel
from weclick.models.factory import make_network
from weclick.models.options import NetworkOptions

CLASSES = ClassSet.from_list([{"name": "road", "color": [200, 10, 20]}, {"name": "car"}, {"name": "sky"}])
SIZE = (64, 128)
NETWORK = {"name": "light", "encoder": "mobilenetv3_small_050", "width": 8, "strides": [4, 8, 16, 32], "scale": 1.0}


@pytest.fixture(scope="session")
def model():
    """A small untrained student."""
    torch.manual_seed(0)
    network = make_network(NetworkOptions("light", "mobilenetv3_small_050", weights="none", width=8), 3)
    return TorchModel(network, CLASSES, "student", SIZE, device="cpu")


@pytest.fixture(scope="session")
def checkpoint(model, tmp_path_factory):
    """The student's checkpoint, with options of training beside those of the network."""
    path = tmp_path_factory.mktemp("checkpoint") / "last.ckpt"
    options = {"network": {**NETWORK, "weights": "imagenet"}, "optimiser": {"learning_rate": 1.0}}
    hyper_parameters = {"options": options, "classes": CLASSES.to_list(), "size": list(SIZE)}
    weights = {f"network.{name}": tensor for name, tensor in model.network.state_dict().items()}
    weights["anything.else"] = torch.zeros(2)
    torch.save({"weclick_stage": "student", "hyper_parameters": hyper_parameters, "state_dict": weights}, path)
    return path


class Network:
    """Stands in for an opened file: class 1 where the picture is bright, else 0; keeps the images it was given."""

    device, precision = "cpu", "int8"

    def __init__(self, size, output):
        self.card = type("Card", (), {"classes": CLASSES, "size": size, "output": output, "parameters": 7})()
        self.seen = []

    def run(self, image):
        self.seen.append(image)
        labels = (image[None, ..., 0] > 100).astype(np.uint8)
        if self.card.output == "labels":
            return labels
        return np.eye(3, dtype=np.float32)[labels].transpose(0, 3, 1, 2)


@pytest.fixture
def exported():
    """Make an exported model of a size and an output."""
    return lambda size=(30, 40), output="logits": ExportedModel(Network(size, output))
