"""A checkpoint and an exported model are used in one way."""

import subprocess
import sys
import zipfile

import cv2
import numpy as np
import pytest
import torch

from weclick.classes import ClassSet
from weclick.errors import CheckpointError, ConfigError, DataError, ShapeError
from weclick.images import read_image
from weclick.inference import rules
from weclick.inference.drawing import overlay
from weclick.inference.opening import open_model
from weclick.inference.parameters import live_parameters
from weclick.inference.predict import predict
from weclick.inference.sources import VideoFile
from weclick.inference.stream import WAITING
from weclick.inference.torch_model import TorchModel
from weclick.models.factory import make_network
from weclick.models.options import NetworkOptions

from .conftest import CLASSES, SIZE


def noise(*size):
    return np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)


# A network in PyTorch


def test_a_checkpoint_becomes_the_model_it_was(model, checkpoint):
    opened = open_model(checkpoint, device="cpu")
    assert (opened.classes, opened.stage, opened.size) == (CLASSES, "student", SIZE)
    assert (opened.device.type, opened.precision, opened.name) == ("cpu", "fp32", "light mobilenetv3_small_050")
    assert opened.parameters == sum(p.numel() for p in model.network.parameters())
    image = noise(100, 150)
    np.testing.assert_array_equal(opened.labels(image), model.labels(image))


def test_a_frame_of_any_size_is_run_at_its_own_shape_and_labelled_at_its_own_size(model):
    seen = []
    with model.network.register_forward_pre_hook(lambda network, inputs: seen.append(tuple(inputs[0].shape))):
        labels = model.labels(noise(256, 512))
    assert seen == [(1, 3, 64, 128)]
    assert (labels.shape, labels.dtype) == ((256, 512), np.uint8)
    assert (labels.reshape(64, 4, 128, 4) == labels[::4, None, ::4, None]).all()  # chosen at the network's size


def test_labels_and_probabilities_follow_from_the_logits(model):
    image = noise(*SIZE)
    logits = model.logits(rules.image_batch(image))
    assert logits.dtype == torch.float32
    torch.testing.assert_close(model.probabilities(rules.image_batch(image)), logits.softmax(1))
    np.testing.assert_array_equal(model.labels(image), rules.labels_at(logits, SIZE, SIZE)[0].numpy())


def test_precision_is_what_the_network_runs_in(model):
    half = TorchModel(model.network, CLASSES, "student", SIZE, device="cpu", precision="bf16")
    seen = []
    with model.network.register_forward_hook(lambda network, images, logits: seen.append(logits.dtype)):
        assert half.run(noise(*SIZE)).dtype == torch.float32
        model.run(noise(*SIZE))
    assert seen == [torch.bfloat16, torch.float32]


def test_the_network_is_frozen(model):
    torch.manual_seed(0)
    network = make_network(NetworkOptions("light", "mobilenetv3_small_050", weights="none", width=8), 3).train()
    frozen = TorchModel(network, CLASSES, "student", SIZE, device="cpu").network
    assert not frozen.training
    assert not any(parameter.requires_grad for parameter in frozen.parameters())


def test_the_predictions_of_a_turned_video_are_the_turned_predictions(tmp_path):
    torch.manual_seed(0)
    model = TorchModel(torch.nn.Conv2d(3, 3, 1), CLASSES, "student", SIZE, device="cpu")  # it knows no directions
    scene = cv2.resize(noise(12, 20), (160, 96), interpolation=cv2.INTER_CUBIC)  # larger than SIZE: frames are reduced
    for folder, turns in (("wide", 0), ("tall", 1)):
        (tmp_path / folder).mkdir()
        for number in range(3):
            cv2.imwrite(str(tmp_path / folder / f"{number}.png"), np.rot90(np.roll(scene, 8 * number, axis=1), turns))
    wide, tall = ([result.labels for result in model.predict_video(tmp_path / folder)] for folder in ("wide", "tall"))
    assert len(wide) == len(tall) == 3
    for one, other in zip(wide, tall, strict=True):
        assert len(np.unique(one)) > 1
        assert (np.rot90(one) == other).mean() > 0.999  # but for rounding at borders


# Parameters


def test_parameters_that_never_run_are_not_counted():
    """segmentation_models.pytorch's PSPNet reads a ResNet at stride 8 and keeps the rest of it."""
    network = make_network(NetworkOptions("pspnet_shallow", "resnet18", weights="none"), 11).eval()
    stored = sum(parameter.numel() for parameter in network.parameters())
    unused = sum(
        parameter.numel() for name, parameter in network.named_parameters() if ".layer3." in name or ".layer4." in name
    )
    assert live_parameters(network) == stored - unused < stored / 10


def test_counting_parameters_changes_nothing():
    torch.manual_seed(0)
    network = make_network(NetworkOptions("light", "mobilenetv3_small_050", weights="none", width=8), 3).eval()
    network.requires_grad_(False)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    with torch.inference_mode():
        assert live_parameters(network) == sum(parameter.numel() for parameter in network.parameters())
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())
    assert not any(parameter.requires_grad or parameter.grad is not None for parameter in network.parameters())


# An exported model


@pytest.mark.parametrize("output", ["logits", "labels"])
def test_an_exported_model_sees_a_frame_of_another_shape_undistorted(exported, output):
    image = np.zeros((20, 80, 3), np.uint8)
    image[:, 40:] = 200  # left and right half
    made = exported((30, 40), output)
    labels = made.labels(image)
    (seen,) = made.network.seen
    assert seen.shape == (30, 40, 3)
    assert (seen[9] == seen[29]).all()  # below the frame its last row is repeated
    assert (labels == (image[..., 0] > 100)).all()
    assert labels.dtype == np.uint8


@pytest.mark.parametrize("output", ["logits", "labels"])
def test_an_exported_model_gives_logits_of_batches_too(exported, output):
    images = np.stack([noise(30, 40), 255 - noise(30, 40)])
    logits = exported((30, 40), output).logits(torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255)
    labels = rules.labels_at(logits, (30, 40), (30, 40))
    np.testing.assert_array_equal(labels.numpy(), (images[..., 0] > 100).astype(np.uint8))


@pytest.mark.parametrize("output", ["logits", "labels"])
def test_an_exported_model_scores_frames_of_another_shape_by_their_own_pixels(exported, output):
    bright = np.zeros((1, 40, 30), bool)
    bright[:, :, 15:] = True
    logits = exported((30, 40), output).logits(torch.from_numpy(bright)[:, None].float().repeat(1, 3, 1, 1))
    assert logits.shape == (1, 3, 30, 22)  # as large as a tall frame gets in a wide input
    assert np.array_equal(rules.class_ids(logits, (40, 30))[0, :, [2, 27]].numpy(), np.uint8([[0, 1]] * 40))


def test_an_exported_model_states_what_its_card_and_runtime_do(exported):
    made = exported((30, 40), "labels")
    assert (made.size, made.stage, made.parameters, made.precision) == ((30, 40), "student", 7, "int8")
    assert not made.has_probabilities


# Refusals


def test_another_stage_or_other_classes_are_refused(checkpoint):
    with pytest.raises(CheckpointError, match=r"last\.ckpt is a student checkpoint; a teacher"):
        open_model(checkpoint, stage="teacher")
    with pytest.raises(CheckpointError, match="the data set has 2"):
        open_model(checkpoint, classes=ClassSet.from_list([{"name": "road"}, {"name": "Haus"}]))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"name": "nonsense"}, "nonsense"),
        ({"width": -1}, "version"),
        ({"width": "wide"}, "version"),
        ({"classes": []}, "class"),
        ({"size": None}, "version"),
        ({"strides": [3]}, "strides"),
        ({"encoder": None}, "version"),
        ({"width": 10**12}, "version"),
        ({"size": [10**6, 10**6]}, "a size of 1000000 x 1000000"),
        ({"size": [0, 64]}, "a size of 0 x 64"),
        ({"encoder": "hf-hub:timm/resnet18"}, "unknown encoder 'hf-hub:timm/resnet18'"),
        ({"name": "fpn", "encoder": "tu-hf-hub:timm/resnet18"}, "unknown encoder 'tu-hf-hub:timm/resnet18'"),
        ({"name": "fpn", "encoder": "tu-local-dir:/tmp"}, "unknown encoder 'tu-local-dir:/tmp'"),
    ],
)
def test_options_that_build_no_network_are_refused_in_one_line(checkpoint, tmp_path, changes, words):
    content = torch.load(checkpoint, weights_only=True)
    saved = content["hyper_parameters"]
    (saved if changes.keys() & saved.keys() else saved["options"]["network"]).update(changes)
    torch.save(content, tmp_path / "odd.ckpt")
    with pytest.raises(CheckpointError, match=rf"odd\.ckpt .*{words}") as refusal:
        open_model(tmp_path / "odd.ckpt")
    assert "\n" not in str(refusal.value)


def test_promise_11_flipped_bytes_in_the_weights_are_noticed(checkpoint, tmp_path):
    raw = bytearray(checkpoint.read_bytes())
    with zipfile.ZipFile(checkpoint) as archive:
        largest = max(archive.infolist(), key=lambda member: member.file_size)
    middle = largest.header_offset + largest.file_size // 2
    raw[middle : middle + 64] = bytes(value ^ 0xFF for value in raw[middle : middle + 64])
    (tmp_path / "flipped.ckpt").write_bytes(raw)
    with pytest.raises(CheckpointError, match=r"flipped\.ckpt is damaged or no checkpoint; copy it again"):
        open_model(tmp_path / "flipped.ckpt")


def test_promise_11_a_checkpoint_does_not_grow_when_it_is_read(checkpoint, tmp_path):
    with zipfile.ZipFile(checkpoint) as archive, zipfile.ZipFile(tmp_path / "small.ckpt", "w") as small:
        for member in archive.infolist():
            small.writestr(member.filename, archive.read(member), zipfile.ZIP_DEFLATED)
    with pytest.raises(CheckpointError, match=r"small\.ckpt is damaged or no checkpoint"):
        open_model(tmp_path / "small.ckpt")


@pytest.mark.parametrize(
    ("tensor", "words"),
    [
        (torch.tensor([0.0, float("nan")]), r"weights that are not finite \(network\.extra\): its training diverged"),
        (torch.tensor(float("-inf"), dtype=torch.bfloat16), "weights that are not finite"),
        (torch.zeros(1).expand(10**6, 10**6), r"fewer values than network\.extra claims"),
        (torch.zeros(3, device="meta"), r"no plain weight as network\.extra"),
        pytest.param(
            torch.zeros(3).to_sparse(),
            r"no plain weight as network\.extra",
            marks=pytest.mark.filterwarnings("ignore:Validating sparse:UserWarning"),
        ),
    ],
    ids=["nan", "inf", "repeated", "no values", "sparse"],
)
def test_weights_that_cannot_be_meant_are_refused_by_name(checkpoint, tmp_path, tensor, words):
    content = torch.load(checkpoint, weights_only=True)
    content["state_dict"]["network.extra"] = tensor
    torch.save(content, tmp_path / "odd.ckpt")
    with pytest.raises(CheckpointError, match=rf"odd\.ckpt holds {words}"):
        open_model(tmp_path / "odd.ckpt")


def test_weights_whose_names_are_numbers_are_refused(checkpoint, tmp_path):
    content = torch.load(checkpoint, weights_only=True)
    torch.save({**content, "state_dict": dict(enumerate(content["state_dict"].values()))}, tmp_path / "odd.ckpt")
    with pytest.raises(CheckpointError, match=r"odd\.ckpt holds no plain weight as 0"):
        open_model(tmp_path / "odd.ckpt")


@pytest.mark.parametrize("part", ["hyper_parameters", "state_dict"])
def test_a_part_that_is_no_mapping_is_refused_in_one_line(checkpoint, tmp_path, part):
    content = torch.load(checkpoint, weights_only=True)
    torch.save({**content, part: [1, 2]}, tmp_path / "odd.ckpt")
    with pytest.raises(CheckpointError, match=r"odd\.ckpt is no checkpoint of a weclick"):
        open_model(tmp_path / "odd.ckpt")


@pytest.mark.parametrize("part", ["body.classifier.bias", "body.context.weight"])
def test_weights_that_do_not_fit_are_refused_in_one_line(checkpoint, tmp_path, part):
    content = torch.load(checkpoint, weights_only=True)
    del content["state_dict"][f"network.{part}"]
    torch.save(content, tmp_path / "odd.ckpt")
    with pytest.raises(CheckpointError, match=r"odd\.ckpt do not fit its network") as refusal:
        open_model(tmp_path / "odd.ckpt")
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("name", ["https://example.org/student.onnx", "s3://bucket/student.ckpt"])
def test_a_url_is_refused(name):
    with pytest.raises(CheckpointError, match="is a URL"):
        open_model(name)


# Start


def test_predicting_with_a_checkpoint_imports_neither_lightning_nor_metrics(checkpoint, tmp_path):
    program = (
        "import sys, cv2, numpy; from weclick.cli.main import run; cv2.imwrite('frames/0.png', numpy.zeros((8, 16, 3)));"
        "assert run(['predict', '--source', 'frames', '--ckpt_path', sys.argv[1]]) == 0;"
        "print(sorted({'lightning', 'torchmetrics', 'albumentations'} & set(sys.modules)))"
    )
    (tmp_path / "frames").mkdir()
    command = [sys.executable, "-c", program, str(checkpoint)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"
    assert (tmp_path / "predictions" / "labels" / "0.png").exists()


@pytest.mark.parametrize(
    ("option", "value"), [("alpha", 1.5), ("alpha", float("nan")), ("smooth", 1.5), ("smooth", -1)]
)
def test_values_out_of_range_are_refused_before_anything_is_written(model, tmp_path, option, value):
    with pytest.raises(ConfigError, match=f"{option} must be 0"):
        predict(model, "x.mp4", tmp_path / "out", **{option: value})
    assert not (tmp_path / "out").exists()


# Predictions


def test_a_prediction_has_labels_probabilities_that_agree_with_them_and_an_overlay(model):
    image = noise(100, 150)
    result = model.predict(image)
    np.testing.assert_array_equal(result.labels, model.labels(image))
    assert (result.probabilities.shape, result.probabilities.dtype) == ((3, 100, 150), np.float32)
    np.testing.assert_array_equal(result.probabilities.argmax(0), result.labels)
    np.testing.assert_allclose(result.probabilities.sum(0), 1, atol=1e-5)
    np.testing.assert_array_equal(result.overlay(0.3), overlay(image, result.labels, CLASSES, 0.3))
    assert result.classes == CLASSES


def test_an_exported_models_probabilities_leave_out_what_was_added_around_the_frame(exported):
    image = np.zeros((20, 80, 3), np.uint8)
    image[:, 40:] = 200
    result = exported((30, 40), "logits").predict(image)
    np.testing.assert_array_equal(result.probabilities.argmax(0), result.labels)
    assert result.probabilities.shape == (3, 20, 80)


def test_a_model_that_was_exported_with_labels_has_no_probabilities(exported):
    result = exported((30, 40), "labels").predict(noise(30, 40))
    with pytest.raises(ConfigError, match="exported with --labels"):
        _ = result.probabilities


@pytest.mark.parametrize("frame", [np.zeros((8, 8), np.uint8), np.zeros((8, 8, 4), np.uint8), np.zeros((8, 8, 3))])
def test_what_is_no_rgb_frame_is_refused(model, frame):
    with pytest.raises(ShapeError, match=r"RGB, uint8 \(H, W, 3\)"):
        model.predict(frame)


@pytest.fixture
def frames(tmp_path):
    """A folder of ten images."""
    folder = tmp_path / "frames"
    folder.mkdir()
    for number in range(10):
        cv2.imwrite(str(folder / f"{number}.png"), np.full((64, 96, 3), 25 * number, np.uint8))
    return folder


def test_a_video_is_predicted_frame_by_frame_and_read_only_a_little_ahead(model, frames, monkeypatch):
    read = []
    monkeypatch.setattr("weclick.inference.sources.read_image", lambda path: read.append(path) or read_image(path))
    results = model.predict_video(frames)
    first = next(results)
    assert len(read) <= 2 + WAITING + 1  # the first to learn the size, the one given, and those ahead
    np.testing.assert_array_equal(first.labels, model.labels(first.image))
    assert [result.image[0, 0, 0] for result in results] == [25 * number for number in range(1, 10)]


def test_a_videos_overlay_is_written_with_one_picture_per_frame(model, frames, tmp_path):
    written = model.predict_video(frames, write=tmp_path / "out" / "overlay.mp4")
    assert written == tmp_path / "out" / "overlay.mp4"
    assert len(list(VideoFile(written))) == 10


def test_a_source_that_is_not_there_is_refused_at_once(model, tmp_path):
    with pytest.raises(DataError, match=r"missing\.mp4 not found"):
        model.predict_video(tmp_path / "missing.mp4")
