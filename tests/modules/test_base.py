import math
import warnings
from importlib.metadata import version
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from weclick.errors import ConfigError, TrainingError
from weclick.inference.rules import image_batch
from weclick.inference.torch_model import TorchModel
from weclick.modules.base import learning_rate_factor


def test_learning_rate_by_hand():
    # 10 steps, 4 of them rising: 1/5, 2/5, 3/5, 4/5, then a half cosine over 6
    factors = [learning_rate_factor(step, 10, 0.4) for step in range(11)]
    falling = [0.5 * (1 + math.cos(math.pi * step / 6)) for step in range(7)]
    assert factors == pytest.approx([0.2, 0.4, 0.6, 0.8, *falling])
    assert factors[4] == 1.0
    assert factors[10] == pytest.approx(0)


@settings(deadline=None)
@given(st.integers(1, 2000), st.floats(0, 1))
def test_learning_rate_rises_peaks_and_falls(total, warmup):
    factors = [learning_rate_factor(step, total, warmup) for step in range(total)]
    assert all(0 < factor <= 1 for factor in factors)
    peak = max(range(total), key=lambda step: factors[step])
    assert factors[: peak + 1] == sorted(factors[: peak + 1])
    assert factors[peak:] == sorted(factors[peak:], reverse=True)


def test_learning_rate_ends_near_zero_and_stays_there():
    assert learning_rate_factor(999, 1000, 0.1) < 1e-5
    assert learning_rate_factor(5000, 1000, 0.1) == pytest.approx(0)


def test_without_warmup_training_starts_at_the_peak():
    assert learning_rate_factor(0, 100, 0.0) == 1.0


def test_norms_and_biases_are_not_decayed(make_module, make_trainer, make_data, tmp_path):
    data = make_data(crop=(32, 64))
    module = make_module(classes=data.dataset.classes.to_list(), optimiser={"weight_decay": 0.3})
    trainer = make_trainer(tmp_path, max_steps=1)
    trainer.fit(module, datamodule=data)
    decayed, free = trainer.optimizers[0].param_groups
    assert (decayed["weight_decay"], free["weight_decay"]) == (0.3, 0.0)
    assert {p.ndim for p in decayed["params"]} == {4}
    assert {p.ndim for p in free["params"]} == {1}
    assert len(decayed["params"]) + len(free["params"]) == len(list(module.parameters()))


def test_evaluation_scores_every_frame_once_at_the_labels_size(make_module, make_trainer, make_data, tmp_path):
    data = make_data(size=(32, 64), batch_size=3)
    module = make_module(classes=data.dataset.classes.to_list(), size=data.dataset.size)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*does not have many workers.*")
        results = make_trainer(tmp_path).validate(module, datamodule=data, verbose=False)
    labelled = sum((data.dataset.reader.label(frame) != 255).sum() for frame in data.dataset.labelled("val"))
    assert module.scores.confusion.sum() == labelled
    assert results[0]["val/miou"] == pytest.approx(module.scores.miou, nan_ok=True)
    assert module.score.confusion.sum() == 0  # ready for the next evaluation


def test_validation_returns_predictions_at_the_labels_size(make_module):
    module = make_module().eval()
    labels = [torch.randint(0, 3, (40, 70)), torch.randint(0, 3, (32, 64))]
    outputs = module.validation_step({"image": torch.rand(2, 3, 32, 64), "label": labels}, 0)
    assert [tuple(p.shape) for p in outputs["predictions"]] == [(40, 70), (32, 64)]


def test_validation_labels_as_predict_does(make_module):
    module = make_module().eval()
    model = TorchModel(module.network, module.classes, "student", (32, 64), device="cpu")
    frame = np.random.default_rng(0).integers(0, 256, (80, 160, 3), np.uint8)
    batch = {"image": image_batch(model.prepare(frame)), "label": [torch.zeros(80, 160, dtype=torch.long)]}
    with torch.inference_mode():
        (prediction,) = module.validation_step(batch, 0)["predictions"]
    np.testing.assert_array_equal(prediction.numpy(), model.labels(frame))


def test_a_checkpoint_states_stage_class_and_version(make_module):
    for kind in ("teacher", "student"):
        checkpoint = {"state_dict": {}}
        make_module(kind).on_save_checkpoint(checkpoint)
        module = f"weclick.modules.{kind}.{kind.capitalize()}Module"
        expected = {
            "state_dict": {},
            "weclick_stage": kind,
            "weclick_class": module,
            "weclick_version": version("weclick"),
            "weclick_skipped": [0, 0],
        }
        assert checkpoint == expected


def test_trap_7_arguments_are_plain_values(make_module):
    import json

    for kind in ("teacher", "student"):
        json.dumps(dict(make_module(kind).hparams))


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"optimiser": {"warmup": 7.0}}, "optimiser.warmup"),
        ({"optimiser": {"learning_rate": -1.0}}, "optimiser.learning_rate"),
        ({"kd": {"weight": 1.0, "temperature": 0.0}}, "terms.kd.temperature"),
        ({"network": {"width": 0}}, "network.width"),
        ({"network": {"scale": 1.5}}, "network.scale"),
    ],
)
def test_a_number_out_of_range_is_refused_by_name(make_module, options, name):
    with pytest.raises(ConfigError, match=rf"student\.{name} must be"):
        make_module(**options)


def test_a_module_without_active_terms_is_refused(make_module):
    with pytest.raises(ConfigError, match=r"student\.terms has no term with a weight above 0"):
        make_module(supervised=0.0)


def test_a_term_that_learns_from_averaged_weights_is_refused_without_averaging(make_module):
    with pytest.raises(ConfigError, match=r"set student\.optimiser\.ema above 0"):
        make_module(consistency=1.0, optimiser={"ema": 0.0})


@pytest.mark.parametrize(
    ("weights", "needs", "entry"),
    [
        ({"kd": 1.0}, "teacher", "soft_labels"),
        ({"mfd": 1.0}, "memory", "soft_labels"),
        ({"etc": 1.0}, "neighbour", "pair"),
    ],
)
def test_a_batch_that_lacks_what_a_term_needs_is_refused(make_module, batch, weights, needs, entry):
    module = make_module(**weights)
    module.trainer = Mock(estimated_stepping_batches=10, global_step=0)
    module.training_step(batch, 0)
    del batch[entry]
    (term,) = weights
    with pytest.raises(
        ConfigError, match=f"the student's {term} loss needs {needs}, which the batch lacks; .*supplies"
    ):
        module.training_step(batch, 0)


def test_trap_16_compiling_is_left_to_the_network(make_module, monkeypatch):
    compiled = []
    monkeypatch.setattr(torch.nn.Module, "compile", lambda self, *a, **k: compiled.append(self))
    module = make_module(network={"compile": True})
    module.setup("test")
    assert not compiled
    module.setup("fit")
    assert compiled == [module.network]


@pytest.mark.parametrize("part", ["state_dict", "current_model_state"])
def test_weights_that_are_not_finite_are_never_saved(make_module, part):
    module = make_module(supervised=1.0)
    state = module.state_dict()
    broken = {**state, "network.body.classifier.bias": torch.tensor([0.0, math.inf, 0.0])}
    module.on_save_checkpoint({"state_dict": state, "current_model_state": state})
    with pytest.raises(TrainingError, match=r"student's weights network\.body\.classifier\.bias were no longer finite"):
        module.on_save_checkpoint({"state_dict": state, part: broken})
