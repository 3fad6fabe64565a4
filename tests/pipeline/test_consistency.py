import warnings
from itertools import pairwise

import pytest
import torch

from weclick.data.dataset import DataSet
from weclick.flow import warp_to_target
from weclick.flow.estimators import FarnebackFlow
from weclick.flow.reliability import reliable
from weclick.inference.rules import image_batch, labels_at
from weclick.inference.torch_model import TorchModel
from weclick.metrics import TemporalConsistency, VideoConsistency
from weclick.models.factory import make_network
from weclick.models.options import NetworkOptions
from weclick.pipeline import consistency
from weclick.pipeline.consistency import ConsistencyMeter
from weclick.pipeline.scoring import score
from weclick.synthetic import write_synthetic

SIZE = (64, 128)


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return make_network(NetworkOptions("light", weights="none", width=16), 19)


@pytest.fixture
def measured(network, data_module):
    """Score the validation split of a folder and return what the meter computes."""

    def measure(root, size=SIZE, **options):
        data = data_module(root, size=size, batch_size=2)
        model = TorchModel(network, data.dataset.classes, "student", size, device="cpu")
        meter = ConsistencyMeter(model, data.dataset, "val", **options)
        score(model, data, "val", [meter.add])
        return meter.compute()

    return measure


def unlabelled(root):
    """Take the mask of a validation frame that ends its video away; return the frame."""
    last = DataSet.open(root).segments("val")[0].frames[-1]
    for mask in root.glob(f"gtFine/val/*/*_{last.key.number:06d}_gtFine_*.png"):
        if last.image.name.removesuffix("_leftImg8bit.png") in mask.name:
            mask.unlink()
    frame = DataSet.open(root).segments("val")[0].frames[-1]
    assert (frame.key, frame.label) == (last.key, None)
    return frame


def sparse(root):
    """Take the masks of all validation frames but the second of each video away."""
    for mask in root.glob("gtFine/val/*/*.png"):
        if "_000001_gtFine" not in mask.name:
            mask.unlink()


def values(result):
    return (result.masked, result.unmasked, result.coverage)


def by_definition(network, root, size=SIZE):
    """Compare each pair with a labelled frame on its own, with flow at full size."""
    data, metric = DataSet.open(root, size=size), TemporalConsistency(19)
    for segment in data.segments("val"):
        for pair in pairwise(segment.frames):
            if pair[0].label is None and pair[1].label is None:
                continue
            one, two = (image_batch(data.reader.image(frame)) for frame in pair)
            with torch.inference_mode():
                first, second = (labels_at(network(image), size, size)[0] for image in (one, two))
            forward, backward = FarnebackFlow()(one, two), FarnebackFlow()(two, one)
            warped, inside = warp_to_target(second[None, None].float(), forward, mode="nearest")
            metric.update(first, warped[0, 0].to(torch.uint8), inside[0, 0], reliable(forward, backward)[0, 0])
    return metric.compute()


def test_it_is_the_consistency_of_all_pairs_each_on_its_own(measured, network, synthetic_root):
    result, compared, _ = measured(synthetic_root)
    assert values(result) == pytest.approx(values(by_definition(network, synthetic_root)))
    assert (compared.compared, compared.available, compared.flow_size) == (6, 6, SIZE)


def test_neighbours_without_a_mask_are_predicted(measured, network, copied):
    sparse(copied)
    result, compared, _ = measured(copied)
    assert values(result) == pytest.approx(values(by_definition(network, copied)))
    assert (compared.compared, compared.available) == (4, 4)


def test_a_scored_frame_is_predicted_once(network, synthetic_root, data_module, monkeypatch):
    data = data_module(synthetic_root, size=SIZE, batch_size=1)
    model = TorchModel(network, data.dataset.classes, "student", SIZE, device="cpu")
    batches, logits = [], model.logits
    monkeypatch.setattr(model, "logits", lambda images: batches.append(len(images)) or logits(images))
    score(model, data, "val", [ConsistencyMeter(model, data.dataset, "val").add])
    assert sum(batches) == len(data.dataset.labelled("val"))


def test_a_frame_between_two_labelled_ones_is_predicted_once(network, copied, data_module, monkeypatch):
    for mask in copied.glob("gtFine/val/*/*_000001_gtFine_*.png"):
        mask.unlink()
    data = data_module(copied, size=SIZE, batch_size=1)
    model = TorchModel(network, data.dataset.classes, "student", SIZE, device="cpu")
    batches, logits = [], model.logits
    monkeypatch.setattr(model, "logits", lambda images: batches.append(len(images)) or logits(images))
    score(model, data, "val", [ConsistencyMeter(model, data.dataset, "val").add])
    assert sum(batches) == sum(len(segment.frames) for segment in data.dataset.segments("val"))


def test_the_number_of_threads_does_not_change_the_result(measured, synthetic_root):
    one, two = measured(synthetic_root, threads=1), measured(synthetic_root, threads=2)
    assert values(one[0]) == values(two[0])
    assert one[1] == two[1]


def test_pairs_are_limited_and_counted(measured, synthetic_root):
    part, compared, _ = measured(synthetic_root, pairs=2)
    assert (compared.compared, compared.available) == (2, 6)
    assert part.masked != measured(synthetic_root)[0].masked
    one, compared, _ = measured(synthetic_root, pairs=1)
    assert 0 <= one.masked <= 1
    assert compared.compared == 1
    none, compared, _ = measured(synthetic_root, pairs=0)
    assert none is None
    assert (compared.compared, compared.available) == (0, 6)


def test_flow_of_large_frames_is_estimated_on_smaller_ones(measured, network, synthetic_root, monkeypatch):
    monkeypatch.setattr(consistency, "FLOW_SIDE", 64)
    small, compared, _ = measured(synthetic_root)
    assert compared.flow_size == (32, 64)
    whole = by_definition(network, synthetic_root)
    assert small.masked == pytest.approx(whole.masked, abs=0.05)
    assert small.masked != whole.masked


def test_video_consistency_follows_each_run_of_labelled_frames(tmp_path, measured, network):
    write_synthetic(tmp_path / "street", train=0, val=2, frames=11, target=0, size=SIZE)
    for mask in (tmp_path / "street").glob("gtFine/val/*/*_000000_000002_*.png"):
        mask.unlink()
    data, metric = DataSet.open(tmp_path / "street", size=SIZE), VideoConsistency(8)
    for frames in (data.segments("val")[0].frames[3:], data.segments("val")[1].frames):
        metric.reset_video()
        for frame in frames:
            label = torch.from_numpy(data.reader.label(frame))
            with torch.inference_mode():
                prediction = labels_at(network(image_batch(data.reader.image(frame))), SIZE, SIZE)[0]
            metric.update(prediction.long(), label.long())
    *_, scores = measured(tmp_path / "street")
    assert scores == {8: pytest.approx(metric.compute())}


def test_a_damaged_frame_without_a_mask_costs_its_pair_and_not_the_results(measured, copied):
    frame = unlabelled(copied)
    whole, before, _ = measured(copied)
    frame.image.write_bytes(b"")
    with pytest.warns(UserWarning, match=rf"pair of frames left out.*{frame.image.name}") as caught:
        without, after, _ = measured(copied)
    assert len(caught) == 1
    assert 0 <= without.masked <= 1
    assert without != whole
    assert (after.compared, after.available) == (before.compared - 1, before.available)


def test_sound_frames_are_nothing_to_warn_of(measured, synthetic_root):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result, *_ = measured(synthetic_root)
    assert 0 <= result.masked <= 1


def test_its_progress_never_goes_into_redirected_output(measured, synthetic_root, capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    measured(synthetic_root)
    assert capsys.readouterr().out == ""
