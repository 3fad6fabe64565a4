"""Folding normalisation into convolutions: the same logits, fewer operations, nothing folded that would change them."""

import pytest
import torch
from torch import nn

from weclick.models.factory import make_network
from weclick.models.fold import fold_normalisation
from weclick.models.options import NetworkOptions

NETWORKS = [("light", "tf_efficientnet_lite0"), ("fpn", "tu-tf_efficientnet_lite2"), ("lraspp", "mobilenet_v3_large")]


def with_statistics(network):
    """Give normalisations statistics and weights that they do not start with."""
    generator = torch.Generator().manual_seed(1)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.running_mean, module.bias.data):
                tensor.copy_(torch.randn(len(tensor), generator=generator) / 5)
            for tensor in (module.running_var, module.weight.data):
                tensor.copy_(0.5 + torch.rand(len(tensor), generator=generator))
    return network.eval()


def normalisations(network):
    return sum(isinstance(module, nn.BatchNorm2d) for module in network.modules())


@pytest.mark.parametrize(("name", "encoder"), NETWORKS)
def test_a_folded_network_gives_the_same_logits_with_fewer_operations(name, encoder):
    torch.manual_seed(0)
    network = with_statistics(make_network(NetworkOptions(name, encoder, weights="none"), 5))
    before = {key: tensor.clone() for key, tensor in network.state_dict().items()}
    folded, images = fold_normalisation(network), torch.rand(2, 3, 70, 90)
    with torch.no_grad():
        torch.testing.assert_close(folded(images), network(images), atol=1e-3, rtol=1e-3)
    assert normalisations(folded) < normalisations(network) / 10
    assert not any(parameter.requires_grad for parameter in folded.parameters())
    assert all(torch.equal(tensor, before[key]) for key, tensor in network.state_dict().items())


class Twice(nn.Module):
    """A convolution whose result is also used beside its normalisation."""

    def __init__(self):
        super().__init__()
        self.first, self.norm = nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)

    def forward(self, images):
        maps = self.first(images)
        return self.norm(maps) + maps


class Shared(nn.Module):
    """A convolution that runs twice, before two normalisations."""

    def __init__(self):
        super().__init__()
        self.shared, self.norms = nn.Conv2d(3, 3, 1), nn.ModuleList([nn.BatchNorm2d(3), nn.BatchNorm2d(3)])

    def forward(self, images):
        return self.norms[1](self.shared(self.norms[0](self.shared(images))))


@pytest.mark.parametrize("kind", [Twice, Shared])
def test_what_cannot_be_folded_stays(kind):
    network = with_statistics(kind())
    folded, images = fold_normalisation(network), torch.rand(1, 3, 8, 8)
    assert torch.equal(folded(images), network(images))
    assert normalisations(folded) == normalisations(network)
