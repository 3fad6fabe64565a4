"""Flow estimators: known motion, convention, odd inputs, weights of RAFT."""

import pickle
from concurrent.futures import ThreadPoolExecutor
from urllib.error import URLError

import numpy as np
import pytest
import torch

from weclick.errors import ConfigError, ShapeError
from weclick.flow import DISFlow, FarnebackFlow, RAFTFlow, flow_name, make_flow, reliable, warp_to_target
from weclick.synthetic import SyntheticVideo

CPU_METHODS = ("dis", "dis-fast", "farneback")


def texture(x, y):
    """Return a smooth pattern that is known between the pixels too, (1, 3, H, W) in 0..1."""
    rng = np.random.default_rng(1)
    waves = zip(rng.normal(0, 0.35, (30, 2)), rng.uniform(0, 6, 30), rng.uniform(0.5, 1, 30), strict=True)
    value = sum(strength * np.sin(k[0] * x + k[1] * y + phase) for k, phase, strength in waves)
    return torch.from_numpy(((value + 12) / 24).clip(0, 1)).float().expand(1, 3, -1, -1)


def moved_pair(dx, dy, size=(120, 160)):
    """Return target and neighbour, in which everything lies (dx, dy) further."""
    y, x = np.mgrid[: size[0], : size[1]].astype(np.float64)
    return texture(x, y), texture(x - dx, y - dy)


def endpoint_error(flow, dx, dy, margin=24):
    # the margin leaves out pixels that left the image, and those whose window reaches such pixels
    error = (flow - torch.tensor([dx, dy]).view(1, 2, 1, 1)).norm(dim=1)
    return error[:, margin:-margin, margin:-margin].mean().item()


@pytest.fixture(scope="module")
def raft():
    torch.manual_seed(0)
    return RAFTFlow("small", pretrained=False)


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """Point torch hub at an empty cache and cut the network."""

    def refuse(*args, **kwargs):
        raise URLError("no network in tests")

    monkeypatch.setattr(torch.hub, "download_url_to_file", refuse)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    checkpoints = tmp_path / "checkpoints"
    checkpoints.mkdir()
    return checkpoints


@pytest.mark.parametrize("name", CPU_METHODS)
@pytest.mark.parametrize(("dx", "dy"), [(3.4, -2.2), (8.0, 5.0)])
def test_translation_is_found_on_the_target_grid(name, dx, dy):
    assert endpoint_error(make_flow(name)(*moved_pair(dx, dy)), dx, dy) < 0.3


def test_warping_the_neighbour_along_the_flow_gives_the_target():
    target, neighbour = moved_pair(4.3, 2.6)
    warped, inside = warp_to_target(neighbour, DISFlow()(target, neighbour))
    assert (warped - target).abs().mean(dim=1, keepdim=True)[inside].mean() < 0.01


def test_pixels_leaving_the_image_are_unreliable():
    target, neighbour = moved_pair(8.0, 0.0)
    mask = reliable(DISFlow()(target, neighbour), DISFlow()(neighbour, target))
    assert mask[..., 8:-16].float().mean() > 0.95
    assert mask[..., -6:].float().mean() < 0.05


@pytest.mark.parametrize("name", CPU_METHODS)
def test_uint8_and_float_images_give_the_same_flow(name):
    target, neighbour = ((image * 255).round().to(torch.uint8) for image in moved_pair(2.0, 1.0))
    estimate = make_flow(name)
    assert torch.equal(estimate(target, neighbour), estimate(target.float() / 255, neighbour.float() / 255))


@pytest.mark.parametrize("name", CPU_METHODS)
def test_a_batch_equals_its_items_and_repeats_exactly(name):
    pairs = [moved_pair(2.0, 1.0), moved_pair(-3.0, 0.5)]
    estimate = make_flow(name)
    batch = estimate(torch.cat([p[0] for p in pairs]), torch.cat([p[1] for p in pairs]))
    assert batch.shape == (2, 2, 120, 160) and batch.dtype == torch.float32 and batch.is_contiguous()
    assert torch.equal(batch, torch.cat([estimate(*p) for p in pairs]))


# OpenCV's DIS crashes the interpreter on such sizes (opencv/opencv#14554); a crash here fails the whole run
@pytest.mark.parametrize("name", CPU_METHODS)
@pytest.mark.parametrize("size", [(1, 1), (8, 40), (12, 12), (16, 200), (200, 9)])
def test_small_images_get_finite_flow_of_their_size(name, size):
    flow = make_flow(name)(torch.rand(1, 3, *size), torch.rand(1, 3, *size))
    assert flow.shape == (1, 2, *size) and flow.isfinite().all()


@pytest.mark.parametrize("estimate", [DISFlow(), DISFlow("fast"), FarnebackFlow()])
def test_estimators_survive_pickle_and_threads(estimate):
    pair = moved_pair(2.0, 1.0)
    expected = estimate(*pair)
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda _: pickle.loads(pickle.dumps(estimate))(*pair), range(4)))
    assert all(torch.equal(flow, expected) for flow in found)


@pytest.mark.parametrize("name", [*CPU_METHODS, "raft"])
@pytest.mark.parametrize("shapes", [((1, 3, 8, 8), (1, 3, 8, 9)), ((3, 8, 8), (3, 8, 8)), ((1, 1, 8, 8), (1, 1, 8, 8))])
def test_images_that_do_not_fit_are_refused(name, shapes, raft):
    estimate = raft if name == "raft" else make_flow(name)
    with pytest.raises(ShapeError, match="RGB"):
        estimate(torch.rand(shapes[0]), torch.rand(shapes[1]))


def test_names_are_those_make_flow_understands(raft):
    assert [make_flow(name).name for name in CPU_METHODS] == list(CPU_METHODS)
    assert make_flow("auto", "cpu").name == "dis"
    assert raft.name == "raft-small"


def test_unknown_method_lists_the_known():
    with pytest.raises(ConfigError, match=r"'pwc'.*dis, dis-fast, farneback, raft-small"):
        make_flow("pwc")


@pytest.mark.parametrize("seed", [0, 1])
def test_dis_is_near_the_exact_flow_of_a_street(seed):
    video = SyntheticVideo(seed, 0, (256, 512))
    target, neighbour = (torch.from_numpy(video.frame(n).image).permute(2, 0, 1)[None] for n in (5, 4))
    exact, visible = video.flow(5, 4)
    flow = DISFlow()(target, neighbour)
    mask = reliable(flow, DISFlow()(neighbour, target))[0, 0]
    error = (flow[0] - torch.from_numpy(exact)).norm(dim=0)
    seen = torch.from_numpy(visible)
    assert error[seen].median() < 0.7
    assert error[seen & mask].mean() < error[seen].mean()
    labels = {n: torch.from_numpy(video.frame(n).label).float()[None, None] for n in (4, 5)}
    carried, _ = warp_to_target(labels[4], flow, mode="nearest")
    assert (carried == labels[5])[0, 0][mask].float().mean() > 0.97


@pytest.mark.parametrize("size", [(70, 90), (136, 128), (129, 150)])
def test_raft_takes_any_size(raft, size):
    flow = raft(torch.rand(2, 3, *size), torch.rand(2, 3, *size))
    assert flow.shape == (2, 2, *size) and flow.dtype == torch.float32 and flow.isfinite().all()


def test_raft_stays_in_float32_under_autocast_and_records_no_gradient(raft):
    pair = [torch.rand(1, 3, 128, 128, requires_grad=True) for _ in "ab"]
    plain = raft(*pair)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(raft(*pair), plain)
    assert not plain.requires_grad
    assert not raft.network.training and not any(p.requires_grad for p in raft.network.parameters())


def test_raft_in_bf16_gives_nearly_the_flow_of_float32(raft, tmp_path):
    torch.save(raft.network.state_dict(), tmp_path / "weights.pth")
    half = RAFTFlow("small", weights_path=tmp_path / "weights.pth", precision="bf16")
    seen, correlated = set(), set()
    half.network.update_block.register_forward_hook(lambda block, inputs, outputs: seen.add(outputs[1].dtype))
    half.network.update_block.register_forward_pre_hook(lambda block, inputs: correlated.add(inputs[2].dtype))
    pair = moved_pair(2.0, 1.0, (128, 136))
    plain, flow = raft(*pair), half(*pair)
    assert seen == {torch.bfloat16} and correlated == {torch.float32}
    assert flow.dtype == torch.float32
    assert (flow - plain).norm() < 0.1 * plain.norm()


def test_raft_flow_can_be_warped_with_gradients(raft):
    source = torch.rand(1, 2, 128, 128, requires_grad=True)
    warp_to_target(source, raft(torch.rand(1, 3, 128, 128), torch.rand(1, 3, 128, 128)))[0].sum().backward()
    assert source.grad is not None


def test_raft_finds_its_weights_in_the_hub_cache(raft, hub):
    torch.save(raft.network.state_dict(), hub / "raft_small_C_T_V2-01064c6d.pth")
    pair = moved_pair(2.0, 1.0, (128, 128))
    assert torch.equal(make_flow("raft-small")(*pair), raft(*pair))


def test_raft_reads_a_local_weights_file(raft, hub, tmp_path):
    torch.save(raft.network.state_dict(), tmp_path / "mine.pth")
    pair = moved_pair(2.0, 1.0, (128, 128))
    assert torch.equal(RAFTFlow("small", weights_path=tmp_path / "mine.pth")(*pair), raft(*pair))


def test_without_network_one_line_says_what_to_do(hub):
    with pytest.raises(ConfigError) as caught:
        make_flow("raft-large")
    message = str(caught.value)
    assert "raft_large" in message and str(hub) in message and "'dis'" in message and "\n" not in message


def test_damaged_cached_weights_are_named(hub):
    (hub / "raft_small_C_T_V2-01064c6d.pth").write_bytes(b"half a download")
    with pytest.raises(ConfigError, match=r"raft_small.*delete it"):
        make_flow("raft-small")


@pytest.mark.parametrize("content", [b"", b"no weights", None])
def test_a_bad_weights_file_is_named(tmp_path, content):
    path = tmp_path / "weights.pth"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"weights\.pth") as caught:
        RAFTFlow("small", weights_path=path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", [{"layer": torch.zeros(1)}, [1, 2]])
def test_weights_of_something_else_are_refused(tmp_path, value):
    torch.save(value, tmp_path / "other.pth")
    with pytest.raises(ConfigError, match="holds no weights of raft-small"):
        RAFTFlow("small", weights_path=tmp_path / "other.pth")


def test_weights_that_would_run_code_are_refused(tmp_path):
    torch.save({"evil": print}, tmp_path / "evil.pth")
    with pytest.raises(ConfigError, match=r"evil\.pth"):
        RAFTFlow("small", weights_path=tmp_path / "evil.pth")


@pytest.mark.parametrize("name", CPU_METHODS)
def test_flow_does_not_depend_on_the_number_of_threads(name):
    pairs = [moved_pair(2.0, 1.0), moved_pair(-3.0, 0.5), moved_pair(0.0, -4.0)]
    target, neighbour = (torch.cat([pair[side] for pair in pairs]) for side in (0, 1))
    flows, before = [], torch.get_num_threads()
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            flows.append(make_flow(name)(target, neighbour))
    finally:
        torch.set_num_threads(before)
    assert torch.equal(*flows)


def test_raft_works_on_as_many_pairs_at_a_time_as_memory_allows(raft, monkeypatch):
    target, neighbour = (torch.rand(3, 3, 128, 136, generator=torch.Generator().manual_seed(n)) for n in (0, 1))
    together = raft(target, neighbour)
    batches = []
    raft.network.register_forward_pre_hook(lambda network, images: batches.append(len(images[0])))
    monkeypatch.setattr("weclick.flow.estimators._RAFT_CORRELATIONS", 2 * (128 * 136 // 64) ** 2)
    torch.testing.assert_close(raft(target, neighbour), together, atol=1e-3, rtol=1e-3)
    assert batches == [2, 1]


def test_naming_a_flow_builds_no_network(monkeypatch):
    monkeypatch.setattr("weclick.flow.estimators.RAFTFlow", lambda *a, **k: pytest.fail("RAFT was built"))
    assert [flow_name(name, "cpu") for name in ("auto", "dis-fast", "raft-large")] == ["dis", "dis-fast", "raft-large"]
    assert flow_name("auto", "cuda") == "raft-large"
    assert flow_name({"class_path": "weclick.flow.estimators.DISFlow", "init_args": {"preset": "fast"}}) == "dis-fast"
