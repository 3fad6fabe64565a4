"""Weights come from a file or a timm network; what does not fit is reported."""

import pytest
import timm
import torch
from safetensors.torch import save_file

from weclick.errors import ConfigError
from weclick.models.factory import make_network
from weclick.models.options import NetworkOptions

ENCODER = "resnet18"


def make(weights, name="pspnet", num_classes=3):
    return make_network(NetworkOptions(name, ENCODER, weights=str(weights)), num_classes)


def stem(network):
    return next(module for module in network.modules() if isinstance(module, torch.nn.Conv2d)).weight


@pytest.fixture(scope="module")
def imagenet():
    """A state dict under timm's names, which are torchvision's for a ResNet."""
    return timm.create_model(ENCODER, num_classes=1000).state_dict()


@pytest.mark.parametrize(
    "wrap", [dict, lambda s: {"state_dict": {f"module.{n}": t for n, t in s.items()}, "epoch": 90}]
)
def test_an_encoders_weights_are_loaded_and_its_classifier_is_reported(imagenet, tmp_path, wrap):
    file = tmp_path / "resnet.pth"
    torch.save(wrap(imagenet), file)
    with pytest.warns(UserWarning, match=r"resnet\.pth: 120 of \d+ tensors .*not used: fc\.weight, fc\.bias"):
        network = make(file)
    assert torch.equal(stem(network), imagenet["conv1.weight"])


@pytest.mark.filterwarnings("error")
def test_a_whole_network_is_loaded_again_without_a_remark(tmp_path):
    first = make("none")
    save_file(
        {name: tensor.contiguous() for name, tensor in first.state_dict().items()}, tmp_path / "weights.safetensors"
    )
    second = make(tmp_path / "weights.safetensors")
    assert all(torch.equal(tensor, second.state_dict()[name]) for name, tensor in first.state_dict().items())


def test_a_network_of_other_classes_gives_all_but_its_classifier(tmp_path):
    first = make("none", num_classes=19)
    save_file({name: tensor.contiguous() for name, tensor in first.state_dict().items()}, tmp_path / "w.safetensors")
    with pytest.warns(UserWarning, match=r"not in it: classifier\.weight, classifier\.bias"):
        second = make(tmp_path / "w.safetensors")
    assert torch.equal(stem(first), stem(second))


def test_weights_of_a_timm_name_are_taken_from_timm(imagenet, monkeypatch):
    create = timm.create_model
    asked = []

    def stand_in(name, pretrained=False, **options):
        asked.append((name, pretrained))
        model = create(name.partition(".")[0], pretrained=False, **options)
        if pretrained:
            model.load_state_dict(imagenet)
        return model

    monkeypatch.setattr("weclick.models.weights.timm.create_model", stand_in)
    with pytest.warns(UserWarning, match="not used: fc"):
        network = make("resnet18.tv_in1k")
    assert ("resnet18.tv_in1k", True) in asked
    assert torch.equal(stem(network), imagenet["conv1.weight"])


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "cannot be read"),
        (b"no weights", "cannot be read"),
        (None, "neither a file nor a network of timm"),
        ({"other": torch.zeros(2)}, "none of its 1 tensors fits"),
        ({"epoch": 3}, "holds no tensors by name"),
        ([1], "holds no tensors by name"),
    ],
)
def test_weights_that_cannot_be_used_are_refused_in_one_line(tmp_path, content, problem):
    file = tmp_path / "bad weights.pth"
    if isinstance(content, bytes):
        file.write_bytes(content)
    elif content is not None:
        torch.save(content, file)
    with pytest.raises(ConfigError, match=rf"bad weights\.pth.*{problem}") as refusal:
        make(file)
    assert "\n" not in str(refusal.value)
