"""PSPNet runs at full depth, and its auxiliary head trains with it."""

import pytest
import torch

from weclick.errors import ConfigError
from weclick.models.factory import make_network
from weclick.models.options import NetworkOptions


def make(encoder, **options):
    return make_network(NetworkOptions("pspnet", encoder, weights="none", **options), 3)


@pytest.mark.parametrize("encoder", ["resnet18", "mobilenetv2_100", "convnext_atto"])
def test_every_parameter_gets_a_gradient(encoder):
    network = make(encoder).train()
    head = network.auxiliary_head(3)
    logits, auxiliary = network(torch.rand(2, 3, 64, 96), head)
    assert logits.shape == auxiliary.shape == (2, 3, 8, 12)
    (logits.square().mean() + auxiliary.square().mean()).backward()
    without = [name for name, p in [*network.named_parameters(), *head.named_parameters()] if p.grad is None]
    assert without == []


def test_the_last_stage_sees_further_than_the_shallow_network():
    """The pyramid is on the last stage, whose convolutions are dilated: at the same stride it is much deeper."""
    deep, shallow = make("resnet18"), make_network(NetworkOptions("pspnet_shallow", "resnet18", weights="none"), 3)
    images = torch.rand(1, 3, 64, 64)
    assert deep(images).shape == shallow(images).shape
    ran = {}
    for name, network in (("deep", deep), ("shallow", shallow)):
        network.eval()(images).sum().backward()
        ran[name] = sum(p.numel() for p in network.parameters() if p.grad is not None)
    assert ran["deep"] > 10 * ran["shallow"]


def test_logits_with_and_without_the_auxiliary_head_are_the_same():
    network = make("resnet18").eval()
    images = torch.rand(1, 3, 50, 70)  # no multiples of 32: both are brought back onto the image
    logits, auxiliary = network(images, network.auxiliary_head(3).eval())
    assert torch.equal(logits, network(images))
    assert auxiliary.shape == logits.shape == (1, 3, 7, 9)


def test_the_light_network_takes_an_auxiliary_head_too():
    options = NetworkOptions("light", "mobilenetv3_small_050", weights="none", strides=(4, 8, 16), scale=0.5)
    network = make_network(options, 3).train()
    head = network.auxiliary_head(3)
    logits, auxiliary = network(torch.rand(2, 3, 64, 96), head)
    assert logits.shape == (2, 3, 8, 12)
    assert auxiliary.shape == (2, 3, 2, 3)  # from the encoder's last map
    auxiliary.square().mean().backward()
    assert next(network.body.encoder.parameters()).grad.abs().sum() > 0


def test_a_batch_of_one_can_be_trained():
    make("resnet18").train()(torch.rand(1, 3, 64, 64)).sum().backward()


def test_a_network_without_an_auxiliary_head_is_refused_in_one_line():
    network = make_network(NetworkOptions("lraspp", "mobilenet_v3_large", weights="none"), 3)
    with pytest.raises(ConfigError, match=r"no auxiliary head; set terms\.auxiliary\.weight to 0"):
        network.auxiliary_head(3)
