import warnings

import pytest
import torch

from weclick.data.dataset import DataSet
from weclick.inference.model import TorchModel
from weclick.models import NetworkOptions, make_network
from weclick.pipeline.consistency import consistency

SIZE = (64, 128)


def measured(root):
    data = DataSet.open(root, size=SIZE)
    torch.manual_seed(0)
    network = make_network(NetworkOptions("light", weights="none", width=16), len(data.classes))
    return consistency(TorchModel(network, data.classes, "student", SIZE, device="cpu"), data, "val")


def unlabelled(root):
    """Take the mask of a validation frame that ends its video away; return the frame."""
    last = DataSet.open(root).segments("val")[0].frames[-1]
    for mask in root.glob(f"gtFine/val/*/*_{last.key.number:06d}_gtFine_*.png"):
        if last.image.name.removesuffix("_leftImg8bit.png") in mask.name:
            mask.unlink()
    frame = DataSet.open(root).segments("val")[0].frames[-1]
    assert (frame.key, frame.label) == (last.key, None)
    return frame


def test_a_damaged_frame_without_a_mask_costs_its_pair_and_not_the_results(copied):
    frame = unlabelled(copied)
    whole, _ = measured(copied)
    frame.image.write_bytes(b"")
    with pytest.warns(UserWarning, match=rf"pair of frames left out.*{frame.image.name}") as caught:
        without, _ = measured(copied)
    assert len(caught) == 1
    assert 0 <= without.masked <= 1
    assert without != whole


def test_sound_frames_are_nothing_to_warn_of(synthetic_root):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result, _ = measured(synthetic_root)
    assert 0 <= result.masked <= 1


def test_its_progress_never_goes_into_redirected_output(synthetic_root, capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    measured(synthetic_root)
    assert capsys.readouterr().out == ""
