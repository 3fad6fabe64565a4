"""Stages of the pipeline: the memory in parts, online, and what a teacher may not do."""

import shutil
import signal

import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint

from weclick.clicks import ClickStore
from weclick.data.datamodule import ClipDataModule
from weclick.errors import ConfigError, DataError
from weclick.inference.checkpoint import read_checkpoint
from weclick.losses import Step
from weclick.machine import map_beside
from weclick.memory.item import dequantise
from weclick.memory.store import MemoryStore
from weclick.modules.checkpoint import load_checkpoint
from weclick.modules.student import StudentModule
from weclick.pipeline.fit import supplies_of
from weclick.pipeline.inputs import run_data
from weclick.pipeline.memory import in_device_precision
from weclick.signals import Interrupted


@pytest.fixture(scope="module")
def with_memory(settings, fit, tmp_path_factory):
    """A run whose teacher and memory are finished; only to be read."""
    from weclick.pipeline.run import Run

    the_run = Run.create(tmp_path_factory.mktemp("runs") / "shared", "seed: 0\n")
    return fit(settings(arm="weclick", trainer={"max_epochs": 1}), the_run, "teacher", "memory")


@pytest.fixture
def make_settings(settings, with_memory):
    """Settings that use the teacher of ``with_memory``."""

    def make(**changes):
        teacher = str(with_memory.checkpoint("teacher", "last"))
        return settings(**{"arm": "weclick", "trainer": {"max_epochs": 1}, "teacher_checkpoint": teacher, **changes})

    return make


def contents(store):
    items = {path.relative_to(store): dict(np.load(path)) for path in store.glob("*/*.npz")}
    return {name: {key: array.tobytes() for key, array in item.items()} for name, item in items.items()}


def test_a_model_checkpoint_among_the_users_callbacks_stands_beside_ours(settings, run, fit, tmp_path):
    own = tmp_path / "own"
    the_run = fit(settings(trainer={"max_epochs": 1}, callbacks=lambda: [ModelCheckpoint(own)]), run())
    assert len(list(own.glob("*.ckpt"))) == 1
    assert sorted(path.name for path in the_run.folder.rglob("*.ckpt")) == ["best.ckpt", "last.ckpt"]


@pytest.mark.slow
def test_a_memory_built_in_parts_equals_one_built_at_once(make_settings, run, fit, with_memory):
    the_run = run()
    fit(make_settings(), the_run, "memory", shard=(0, 2))
    assert len(contents(the_run.stage("memory"))) == 5
    assert not (the_run.stage("memory") / "done.json").exists()
    fit(make_settings(), the_run, "memory", shard=(1, 2))
    assert (the_run.stage("memory") / "done.json").exists()
    assert contents(the_run.stage("memory")) == contents(with_memory.stage("memory"))


@pytest.mark.slow
def test_promise_1_the_teacher_stays_as_it_is_while_the_memory_is_built_and_used(make_settings, run, fit, with_memory):
    before = {path: path.read_bytes() for path in with_memory.stage("teacher").iterdir() if path.is_file()}
    the_run = fit(make_settings(), run())
    assert {path: path.read_bytes() for path in before} == before
    student = read_checkpoint(the_run.checkpoint("student", "last"))["state_dict"]
    teacher = {t.numpy().tobytes() for t in read_checkpoint(make_settings().teacher_checkpoint)["state_dict"].values()}
    assert not {t.numpy().tobytes() for name, t in student.items() if "running" in name} & teacher


def test_the_memory_does_not_depend_on_batch_size(make_settings, run, fit, with_memory):
    the_run = fit(make_settings(data={"batch_size": 6}), run(), "memory")
    assert contents(the_run.stage("memory")) == contents(with_memory.stage("memory"))


def test_a_memory_built_as_on_a_gpu_holds_the_same(make_settings, run, fit, with_memory, monkeypatch):
    loader = ClipDataModule.frame_loader
    monkeypatch.setattr(ClipDataModule, "frame_loader", lambda data, clips, batch_size: loader(data, clips, 4))
    monkeypatch.setattr("weclick.pipeline.memory.map_beside", lambda work, items, threads: map_beside(work, items, 2))
    the_run = fit(make_settings(), run(), "memory")
    assert (the_run.stage("memory") / "done.json").exists()
    ours, theirs = (MemoryStore(made.stage("memory")) for made in (the_run, with_memory))
    keys = [clip.target.key for clip in run_data(make_settings(), the_run).clips]
    for key in keys:
        for batched, single in zip(ours.read(key), theirs.read(key), strict=True):
            assert np.abs(batched.astype(int) - single).max() <= 1  # a batch's logits differ by rounding


def test_the_teacher_runs_in_the_number_format_of_its_device(monkeypatch):
    teacher, images = torch.nn.Conv2d(3, 4, 1), torch.rand(1, 3, 8, 8)
    assert in_device_precision(teacher, torch.device("cpu")) is teacher
    monkeypatch.setattr("weclick.pipeline.memory.choose_precision", lambda precision, device: "bf16")
    assert in_device_precision(teacher, torch.device("cpu"))(images).dtype == torch.bfloat16


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_memory_build_stopped_by_a_signal_goes_on_where_it_was(
    make_settings, run, fit, with_memory, monkeypatch, signum
):
    the_run, handlers = run(), [signal.getsignal(signum), signal.getsignal(signal.SIGTERM)]
    write, written = MemoryStore.write, []

    def write_three(store, key, item):
        write(store, key, item)
        written.append(key)
        if len(written) == 3:
            signal.raise_signal(signum)  # to this thread: os.kill may reach another one, later

    monkeypatch.setattr(MemoryStore, "write", write_three)
    with pytest.raises(Interrupted) as stopped:
        fit(make_settings(), the_run, "memory")
    assert stopped.value.signum == signum
    assert handlers == [signal.getsignal(signum), signal.getsignal(signal.SIGTERM)]
    assert len(contents(the_run.stage("memory"))) == 3
    assert not (the_run.stage("memory") / "done.json").exists()
    fit(make_settings(), the_run, "memory")
    assert len(set(written)) == len(written) == 10
    assert contents(the_run.stage("memory")) == contents(with_memory.stage("memory"))


def test_damaged_frames_cost_their_own_items_and_confidence_only(
    make_settings, run, fit, street, tmp_path, with_memory, monkeypatch
):
    root = shutil.copytree(street, tmp_path / "street")
    sequence, images = root / "leftImg8bit_sequence" / "train", root / "leftImg8bit" / "train"
    target = sorted(images.rglob("*.png"))[0]
    target.write_bytes(b"")
    neighbour = sorted(sequence.rglob("*_000001_leftImg8bit.png"))[1]
    neighbour.write_bytes(b"")
    damaged = {"root": str(root), "store": str(with_memory.clicks)}
    with pytest.raises(DataError, match="2 of 30 training frames are damaged"):
        fit(make_settings(data=damaged), run("refused"), "memory")
    monkeypatch.setattr("weclick.data.datamodule.MAX_DAMAGED", 0.1)
    the_run = fit(make_settings(data=damaged), run(), "memory")
    assert (the_run.stage("memory") / "done.json").exists()
    ours, theirs = contents(the_run.stage("memory")), contents(with_memory.stage("memory"))
    assert len(ours) == 9
    different = [name for name in ours if ours[name] != theirs[name]]
    assert len(different) == 1
    confidence = np.load(the_run.stage("memory") / different[0])["confidence"]
    assert set(np.unique(confidence)) <= {0, 128}


def losses(settings, run):
    data = run_data(settings, run, supplies_of(settings.student, settings, run))
    torch.manual_seed(0)
    module = StudentModule(data.dataset.classes.to_list(), data.dataset.size, settings.student).eval()
    batch = data.on_after_batch_transfer(next(iter(data.train_dataloader())), 0)
    with torch.no_grad():
        step = Step(module(batch["image"]), batch, module)
        return {term.name: term(step) for term in module.terms}


def test_an_online_memory_gives_the_stored_ones_losses(make_settings, with_memory):
    plain = {"colour": 0.0}
    stored = losses(make_settings(data=plain), with_memory)
    online = losses(make_settings(data=plain, memory=dict(mode="online")), with_memory)
    assert stored["supervised"] == online["supervised"]
    for term in ("kd", "mfd"):
        assert float(stored[term]) > 0
        assert float(online[term]) == pytest.approx(float(stored[term]), abs=0.02)


@pytest.mark.slow
def test_online_training_never_changes_the_teacher(make_settings, run, fit, with_memory):
    before = with_memory.checkpoint("teacher", "last").read_bytes()
    the_run = fit(make_settings(memory=dict(mode="online")), run())
    assert with_memory.checkpoint("teacher", "last").read_bytes() == before
    assert not the_run.stage("memory").exists()
    student = read_checkpoint(the_run.checkpoint("student", "last"))["state_dict"]
    assert student.keys() == load_checkpoint(the_run.checkpoint("student", "last")).state_dict().keys()
    assert not any(name.startswith(("supplies", "teacher")) for name in student)


def test_the_frozen_teacher_stays_as_it_is_in_an_online_memory(make_settings, with_memory):
    settings = make_settings(memory=dict(mode="online"))
    data = run_data(settings, with_memory, supplies_of(settings.student, settings, with_memory))
    network = data.supplies[0].teacher
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    data.on_after_batch_transfer(next(iter(data.train_dataloader())), 0)
    assert not network.training
    assert not any(parameter.requires_grad for parameter in network.parameters())
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


def clicked_and_seen(settings, run):
    """Yield of each target the classes clicked in it, and those the stored teacher's view holds."""
    data = run_data(settings, run)
    store = MemoryStore(run.stage("memory"))
    for clip in data.clips:
        item = store.read(clip.target.key)
        clicked = {click.class_id for click in data.clicks.clicks[clip.target.key]}
        yield clicked, set(np.flatnonzero(item.teacher.any((1, 2))).tolist())


@pytest.mark.slow
def test_a_connected_memory_holds_classes_that_were_clicked_and_no_other(make_settings, run, fit):
    connected = make_settings(memory=dict(connected=True))
    found = list(clicked_and_seen(connected, fit(connected, run(), "memory")))
    assert all(seen == clicked for clicked, seen in found)


@pytest.mark.slow
def test_of_a_frame_that_is_not_done_nothing_is_cut_from_the_memory(
    make_settings, run, fit, with_memory, tmp_path, caplog
):
    clicks = shutil.copy(with_memory.clicks, tmp_path / "clicks.sqlite")
    connected = make_settings(memory=dict(connected=True), data={"store": str(clicks)})
    data = run_data(connected, with_memory)
    key = next(iter(data.clicks.clicks))
    with ClickStore(clicks, data.dataset.classes) as store:
        store.replace(key, data.clicks.clicks[key], status="todo")
    made = fit(connected, run())
    whole = [clicked != seen for clicked, seen in clicked_and_seen(connected, made)]
    assert whole == [True] + 9 * [False]
    assert "10 frames (1 clicked but not done: no class counts as absent there)" in caplog.text


@pytest.mark.slow
def test_where_clicks_are_left_out_nothing_is_cut_from_the_memory(make_settings, run, fit):
    few = make_settings(memory=dict(connected=True), data={"per_frame": 1})
    found = list(clicked_and_seen(few, fit(few, run(), "memory")))
    assert all(len(clicked) == 1 < len(seen) for clicked, seen in found)


@pytest.mark.slow
def test_beside_masks_nothing_is_cut_from_the_memory(make_settings, run, fit, with_memory):
    connected = make_settings(memory=dict(connected=True), data={"supervision": "masks"})
    made = fit(connected, run(), "memory")
    assert contents(made.stage("memory")) == contents(with_memory.stage("memory"))


@pytest.mark.parametrize("option", ["connected", "refined"])
def test_a_memory_changed_by_clicks_in_every_step_is_refused(settings, option):
    with pytest.raises(ConfigError, match=rf"memory\.{option} would take too long in every step"):
        settings(memory={"mode": "online", option: True})


@pytest.mark.slow
def test_refining_changes_the_memory_and_keeps_the_sum_of_each_cell(make_settings, run, fit, with_memory):
    refined = fit(make_settings(memory=dict(refined=True)), run(), "memory")
    key = next(iter(run_data(make_settings(), with_memory).clicks.clicks))
    plain, changed = (MemoryStore(each.stage("memory")).read(key) for each in (with_memory, refined))
    assert (plain.teacher != changed.teacher).any()
    sums = [((item.teacher / 255) ** 2).sum(0) for item in (plain, changed)]
    np.testing.assert_allclose(*sums, atol=0.03)


@pytest.mark.slow
def test_a_second_round_learns_from_the_memory_of_the_first(settings, run, fit):
    twice = settings(
        arm="weclick",
        teacher_rounds=2,
        teacher={"kd": 1.0, "hard": 0.5, "grown": 1.0},
        trainer={"max_epochs": 1},
        memory=dict(connected=True, refined=True),
    )
    the_run = fit(twice, run(), "teacher")
    first = read_checkpoint(the_run.folder / "earlier" / "teacher" / "last.ckpt")
    second = read_checkpoint(the_run.checkpoint("teacher", "last"))
    terms = [checkpoint["hyper_parameters"]["options"]["terms"] for checkpoint in (first, second)]
    assert [[each[name]["weight"] for name in ("kd", "hard", "grown")] for each in terms] == [[0, 0, 1], [1, 0.5, 1]]
    assert (the_run.folder / "earlier" / "memory" / "done.json").exists()
    stores = [ClickStore(path, twice.dataset.classes) for path in the_run.folder.rglob("clicks.sqlite")]
    assert len(stores) == 2
    assert len({store.fingerprint() for store in stores}) == 1
    header = (the_run.stage("teacher") / "metrics.csv").read_text(encoding="utf-8").splitlines()[0]
    assert all(f"train/loss_{name}" in header for name in ("kd", "hard", "grown"))
    untouched = (the_run.folder / "earlier" / "teacher" / "last.ckpt").stat().st_mtime_ns
    fit(twice, the_run, "teacher")
    assert (the_run.folder / "earlier" / "teacher" / "last.ckpt").stat().st_mtime_ns == untouched


@pytest.mark.parametrize(("rounds", "weight", "hint"), [(1, 1.0, "--teacher_rounds 2"), (2, 0.0, "set one of them")])
def test_rounds_and_the_weights_they_need_belong_together(settings, rounds, weight, hint):
    with pytest.raises(ConfigError, match=hint):
        settings(teacher_rounds=rounds, teacher={"kd": weight})


@pytest.mark.slow
def test_the_memory_also_holds_the_unlabelled_frames_that_draws_need(make_settings, run, fit):
    more = make_settings(data={"unlabelled": 0.5}, memory=dict(connected=True))
    the_run = fit(more, run())
    data = run_data(more, the_run)
    frames = {frame.key for clip in data.clips for frame in (clip.target, *clip.neighbours)}
    store = MemoryStore(the_run.stage("memory"))
    assert not store.missing(frames)
    unclicked = next(key for key in frames if key not in data.clicks.clicks)
    maps = (torch.from_numpy(array) for array in store.read(unclicked))
    assert dequantise(*maps).teacher.sum(0).min() > 0.98  # nothing was cut where nobody clicked
