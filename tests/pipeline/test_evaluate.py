import json
import math
from dataclasses import asdict
from pathlib import Path

import pytest
import torch

from weclick.conventions import FrameKey
from weclick.inference.opening import open_model
from weclick.inference.torch_model import TorchModel
from weclick.models.factory import make_network
from weclick.models.options import NetworkOptions
from weclick.pipeline import evaluate as evaluating
from weclick.pipeline.evaluate import Chosen, Collector, evaluate, results_folder
from weclick.pipeline.run import Run
from weclick.pipeline.scoring import ScoredFrame, score


@pytest.fixture
def folder(tmp_path):
    """Where results of a checkpoint go, below ``runs/a``; paths are relative to ``runs``."""
    run = Run.create(tmp_path / "runs" / "a", "seed: 0\n")

    def find(path):
        chosen = Chosen(tmp_path / "runs" / path, "named on the command line")
        return results_folder(run, chosen).relative_to(run.folder).as_posix()

    return find


def test_results_of_a_runs_own_student_are_in_test(folder):
    assert folder("a/student/last.ckpt") == folder("a/student/best.ckpt") == "test"


def test_results_of_other_files_of_a_run_lie_below(folder):
    assert folder("a/teacher/best.ckpt") == "test/teacher-best"
    assert folder("a/export/student.onnx") == "test/export-student.onnx"
    assert folder("a/export/student.xml") == "test/export-student.xml"


def test_results_of_other_runs_never_replace_each_other(folder):
    others = ["b/student/last.ckpt", "c/student/last.ckpt", "x/clicks-s0/student/last.ckpt"]
    others += ["y/clicks-s0/student/last.ckpt", "a/student/last.ckpt", "a/teacher/last.ckpt", "/last.ckpt"]
    folders = [folder(path) for path in others]
    assert len(set(folders)) == len(folders)
    assert all(Path(name).parts[0] == "test" and len(Path(name).parts) <= 2 for name in folders)


@pytest.fixture(scope="module")
def checkpoint(settings, tmp_path_factory):
    """An untrained student whose network holds layers that never run, as a checkpoint."""
    path, classes = tmp_path_factory.mktemp("untrained") / "last.ckpt", settings().dataset.classes
    torch.manual_seed(0)
    options = NetworkOptions("pspnet_shallow", "resnet18", weights="none")
    network = make_network(options, len(classes))
    saved = {"network": {**asdict(options), "strides": list(options.strides)}}
    torch.save(
        {
            "weclick_stage": "student",
            "hyper_parameters": {"options": saved, "classes": classes.to_list(), "size": [64, 128]},
            "state_dict": {f"network.{name}": tensor for name, tensor in network.state_dict().items()},
        },
        path,
    )
    return path


def test_scores_are_those_of_the_labels_that_predict_gives(settings, checkpoint):
    data, model = settings(data={"size": (32, 64)}).make_data(), open_model(checkpoint, device="cpu")
    model.size = (32, 64)
    scores = score(model, data, "val")
    confusion = torch.zeros_like(torch.from_numpy(scores.confusion))
    for frame in data.dataset.labelled("val"):
        label = data.dataset.reader.label(frame)
        predicted = model.finish(model.run(data.dataset.reader.image(frame)), label.shape)
        for truth, guess in zip(label[label != 255], predicted[label != 255], strict=True):
            confusion[truth, guess] += 1
    assert confusion.sum() > 0
    assert (scores.confusion == confusion.numpy()).all()
    right = confusion.diag() / (confusion.sum(0) + confusion.sum(1) - confusion.diag())
    assert scores.miou == pytest.approx(right[~right.isnan()].mean().item())


def test_speed_precision_and_parameters_of_a_report_are_the_models(settings, run, checkpoint, tmp_path, monkeypatch):
    used = []
    monkeypatch.setattr(
        evaluating, "open_model", lambda *args, **options: used.append(open_model(*args, **options)) or used[0]
    )
    chosen = Chosen(checkpoint, "named on the command line")
    chosen_settings = settings(trainer={"precision": "bf16-mixed"})  # of training alone
    evaluation, model = evaluate(chosen_settings, run(), chosen, "val", folder=tmp_path / "results")
    assert used == [model]
    report = json.loads((tmp_path / "results" / "metrics.json").read_text(encoding="utf-8"))
    assert report["speed"]["precision"] == model.precision == "fp32"
    assert not math.isnan(evaluation.scores.miou)
    stored = sum(parameter.numel() for parameter in model.network.parameters())
    assert f'"parameters": {model.parameters}' in json.dumps(report)
    assert model.parameters < stored / 10
    assert isinstance(model, TorchModel)


def test_the_worst_frames_are_kept_and_the_worst_comes_first(settings):
    collector = Collector(settings().dataset, None)
    ids = torch.zeros(4, 8, dtype=torch.uint8)
    for number in range(100):
        miou = math.nan if number == 50 else (number * 37 % 100) / 100  # one frame has no labelled pixel
        collector.add(ScoredFrame(FrameKey("a", number), torch.zeros(3, 4, 8), ids, ids, ids, miou, accuracy=1.0))
    assert [sample.miou for sample in collector.worst] == [rank / 100 for rank in range(49) if rank != 50 * 37 % 100][
        :48
    ]
