"""BatchNorm over two processes is BatchNorm over their joint batch."""

import os
import sys

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


def share(folder, rank):
    distributed.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    torch.save({kind: joint(kind, rank) for kind in KINDS}, f"{folder}/{rank}.pt")
    distributed.destroy_process_group()


def joint(kind, rank):
    net = BatchNormSync("cpu").apply(network(kind))
    gradients, buffers = step(net, batch()[rank::2])
    for gradient in gradients:
        distributed.all_reduce(gradient)
        gradient /= 2
    plain = BatchNormSync("cpu").revert(net)
    return gradients, buffers, [type(module).__name__ for module in plain]


def test_gradients_and_running_statistics_are_those_of_the_joint_batch(forked, tmp_path):
    processes = [forked(__file__, tmp_path, rank, cwd=tmp_path, env=os.environ) for rank in range(2)]
    errors = [process.communicate(timeout=120)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], errors
    found = [torch.load(tmp_path / f"{rank}.pt") for rank in range(2)]
    for kind, one in [(kind, one) for kind in KINDS for one in found]:
        shared, running, names = one[kind]
        gradients, buffers = step(network(kind), batch())
        torch.testing.assert_close(shared, gradients, atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(running, buffers, atol=1e-5, rtol=1e-4)
        assert names == [type(module).__name__ for module in network(kind)]


if __name__ == "__main__":
    share(sys.argv[1], int(sys.argv[2]))
