"""BatchNorm over two processes is BatchNorm over their joint batch."""

import subprocess
import sys

import pytest
import torch
from timm.layers.norm_act import BatchNormAct2d
from torch import distributed, nn

from weclick.modules.batch_norm import BatchNormSync

KINDS = {"plain": nn.BatchNorm2d, "with activation": BatchNormAct2d}


def network(kind):
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), KINDS[kind](4), nn.Conv2d(4, 2, 1)).train()


def batch():
    return torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(1)) * 3 + 5


def step(net, images):
    """Return the gradients and buffers after a step whose loss is a mean over the images."""
    net(images).square().mean().backward()
    return [p.grad for p in net.parameters()], [buffer.float() for buffer in net.buffers()]


def share(kind, folder, rank):
    distributed.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    net = BatchNormSync("cpu").apply(network(kind))
    gradients, buffers = step(net, batch()[rank::2])
    for gradient in gradients:
        distributed.all_reduce(gradient)
        gradient /= 2
    plain = BatchNormSync("cpu").revert(net)
    torch.save((gradients, buffers, [type(module).__name__ for module in plain]), f"{folder}/{rank}.pt")
    distributed.destroy_process_group()


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_and_running_statistics_are_those_of_the_joint_batch(kind, tmp_path):
    command = [sys.executable, __file__, kind, str(tmp_path)]
    processes = [subprocess.Popen([*command, str(rank)]) for rank in range(2)]
    assert [process.wait(timeout=120) for process in processes] == [0, 0]
    gradients, buffers = step(network(kind), batch())
    for rank in range(2):
        shared, running, names = torch.load(tmp_path / f"{rank}.pt")
        torch.testing.assert_close(shared, gradients, atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(running, buffers, atol=1e-5, rtol=1e-4)
        assert names == [type(module).__name__ for module in network(kind)]


if __name__ == "__main__":
    share(sys.argv[1], sys.argv[2], int(sys.argv[3]))
