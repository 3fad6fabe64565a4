import numpy as np
import pytest
import torch

from weclick.classes import ClassSet
from weclick.inference.model import ExportedModel, TorchModel
from weclick.models.factory import make_network
from weclick.models.options import NetworkOptions

CLASSES = ClassSet.from_list([{"name": "road", "color": [200, 10, 20]}, {"name": "car"}, {"name": "sky"}])
SIZE = (64, 128)


@pytest.fixture(scope="session")
def model():
    """A small untrained student."""
    torch.manual_seed(0)
    network = make_network(NetworkOptions("light", "mobilenetv3_small_050", weights="none", width=8), 3)
    return TorchModel(network, CLASSES, "student", SIZE, device="cpu")


class Network:
    """Stands in for an opened file: class 1 where the picture is bright, else 0; keeps the images it was given."""

    device, precision = torch.device("cpu"), "int8"

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
