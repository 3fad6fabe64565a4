"""What a run leaves in Weights & Biases, read back from the offline files of one tiny fit."""

import json
from dataclasses import replace
from itertools import chain, repeat
from pathlib import Path
from unittest.mock import MagicMock

import pytest

from weclick.pipeline.evaluate import choose_checkpoint, evaluate
from weclick.pipeline.run import Run
from weclick.pipeline.tracking import names_of, record_export
from weclick.reporting.options import TrackingOptions
from weclick.reporting.stages import read_metrics

BLOCK, HEADER = 32768, 7
LAST_PART = (1, 4)


def read_records(file):
    """Yield the records of a ``.wandb`` file: LevelDB's log format behind a header of seven bytes."""
    from wandb.proto.wandb_internal_pb2 import Record

    data, place, whole = file.read_bytes(), HEADER, b""
    while place + HEADER <= len(data):
        if BLOCK - place % BLOCK < HEADER:
            place += BLOCK - place % BLOCK
            continue
        length, kind = int.from_bytes(data[place + 4 : place + 6], "little"), data[place + 6]
        whole += data[place + HEADER : place + HEADER + length]
        place += HEADER + length
        if kind in LAST_PART:
            yield Record.FromString(whole)
            whole = b""


class Record:
    """One job's record."""

    def __init__(self, folder):
        (file,) = folder.glob("wandb/offline-run-*/*.wandb")
        self.files = file.parent / "files"
        self.rows, self.summary, self.metrics, self.uses, self.makes, self.tables = [], {}, {}, {}, {}, {}
        for record in read_records(file):
            if record.HasField("run"):
                self.run = record.run
            for item in record.history.item:
                self.rows.append((item.key or "/".join(item.nested_key), json.loads(item.value_json)))
            for item in record.summary.update:
                self.summary[item.key or "/".join(item.nested_key)] = json.loads(item.value_json)
            if record.HasField("metric"):
                self.metrics[record.metric.name or record.metric.glob_name] = record.metric
            for entry in record.artifact.manifest.contents if record.artifact.type == "run_table" else ():
                self.tables[entry.path] = Path(entry.local_path)
            if record.HasField("artifact") and record.artifact.type != "run_table":
                found = self.uses if record.artifact.use_after_commit else self.makes
                found.setdefault(record.artifact.name, []).append(record.artifact)

    def values(self, key):
        return [value for name, value in self.rows if name == key]


@pytest.fixture(scope="module")
def run(settings, fit, tmp_path_factory):
    """A run of all stages, its test and a made-up export, tracked offline."""
    folder = tmp_path_factory.mktemp("runs") / "läuft"
    own = replace(settings(arm="weclick", trainer={"limit_train_batches": 1}), tracking=TrackingOptions("offline"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WANDB_MODE", "offline")
        for name in ("WANDB_CACHE_DIR", "WANDB_CONFIG_DIR", "WANDB_DATA_DIR"):
            patch.setenv(name, str(folder.parent / "client"))
        run = fit(own, Run.create(folder, "seed: 0\n"))
        evaluate(own, run, choose_checkpoint(run, "student", "val"), "val", folder=folder / "test", pairs=0)
        (folder / "export").mkdir()
        (folder / "export" / "student.onnx").write_bytes(b"onnx")
        record_export(own, run, run.checkpoint("student", "last"), [folder / "export" / "student.onnx"])
        yield run
        import wandb

        wandb.teardown()


@pytest.fixture(scope="module")
def records(run):
    return {job: Record(run.folder / job) for job in ("teacher", "memory", "student", "test", "export")}


def test_teachers_of_earlier_rounds_are_part_of_their_run(tmp_path):
    assert names_of(tmp_path / "first" / "student") == ("first", "student")
    assert names_of(tmp_path / "first" / "earlier" / "earlier" / "teacher") == (
        "first",
        "earlier",
        "earlier",
        "teacher",
    )


@pytest.mark.slow
def test_the_jobs_of_a_run_share_a_group_and_go_on_under_the_id_in_their_folder(run, records):
    for job, record in records.items():
        assert (record.run.run_group, record.run.job_type, record.run.display_name) == ("läuft", job, f"läuft-{job}")
        assert record.run.run_id == (run.folder / job / "wandb_id.txt").read_text()


@pytest.mark.slow
def test_lineage_leads_from_clicks_to_the_exported_file(run, records):
    edges = {job: (set(record.uses), set(record.makes)) for job, record in records.items()}
    assert edges == {
        "teacher": ({"l-uft-clicks"}, {"l-uft-teacher"}),
        "memory": ({"l-uft-teacher"}, {"l-uft-memory"}),
        "student": ({"l-uft-clicks", "l-uft-memory"}, {"l-uft-student"}),
        "test": ({"l-uft-student"}, set()),
        "export": ({"l-uft-student"}, {"l-uft-export"}),
    }


@pytest.mark.slow
def test_what_one_job_reads_is_the_version_that_another_wrote(records):
    for maker, user in (("teacher", "memory"), ("memory", "student"), ("student", "test"), ("student", "export")):
        (used,) = (found for name, (found,) in records[user].uses.items() if name == f"l-uft-{maker}")
        written = {artifact.digest: artifact for artifact in records[maker].makes[used.name]}
        assert used.digest in written
        if maker != "memory":
            assert "last" in written[used.digest].aliases


@pytest.mark.slow
def test_a_memory_is_stored_by_its_manifest_alone_and_checkpoints_where_they_lie(run, records):
    (memory,) = records["memory"].makes["l-uft-memory"]
    assert [entry.path for entry in memory.manifest.contents] == ["manifest.json"]
    for artifact in records["student"].makes["l-uft-student"]:
        ((path, local),) = [(entry.path, entry.local_path) for entry in artifact.manifest.contents]
        assert path == "model.ckpt"
        assert Path(local).parent == run.stage("student")  # not a copy


@pytest.mark.slow
def test_samples_have_switchable_masks_and_few_enough_pictures(records):
    for job, layers in (("teacher", {"prediction"}), ("student", {"teacher", "memory", "prediction"})):
        for key, wanted in (("train/samples", layers), ("val/samples", {"truth", "prediction"})):
            masks = records[job].values(f"{key}/all_masks")
            assert 1 <= len(masks) <= 6
            assert all(set(one) == wanted for shown in masks for one in shown)
            assert all(count < 50 for count in records[job].values(f"{key}/count"))
    for name in records["student"].values("train/samples/filenames")[0]:
        assert (records["student"].files / name).stat().st_size > 0


@pytest.mark.slow
def test_charts_go_over_steps_and_the_table_of_runs_shows_the_best_value(records):
    student = records["student"]
    for name, better in (("val/miou", "max"), ("val/iou/road", "max"), ("train/loss", "min"), ("train/loss_kd", "min")):
        assert student.metrics[name].step_metric == "trainer/global_step"
        values = student.values(name)
        assert len(values) == 2
        assert student.summary[name] == {better: max(values) if better == "max" else min(values)}


@pytest.mark.slow
def test_a_test_shows_the_worst_frames_first_and_charts(records):
    test = records["test"]
    assert 0 <= test.summary["test/miou"] <= 1
    table = json.loads(test.tables["test/frames.table.json"].read_text())
    assert table["columns"] == ["frame", "mIoU", "picture"]
    scores = [row[1] for row in table["data"]]
    assert scores == sorted(scores)
    assert set(table["data"][0][2]["masks"]) == {"truth", "prediction"}
    for name in ("confusion", "classes"):
        assert test.values(f"test/{name}_table/nrows")


@pytest.mark.parametrize(("method", "after"), [("log", 3), ("finish", 0)])
def test_a_training_goes_on_without_a_tracker_that_fails(settings, fit, tmp_path, monkeypatch, method, after):
    monkeypatch.setenv("WANDB_MODE", "offline")
    client = MagicMock()
    getattr(client, method).side_effect = chain([None] * after, repeat(ConnectionError("the server is gone")))
    monkeypatch.setattr("wandb.init", lambda **options: client)
    warned = []
    monkeypatch.setattr("weclick.reporting.tracker._warn_of", warned.append)
    run = fit(replace(settings(), tracking=TrackingOptions("offline")), Run.create(tmp_path / "run", ""), "student")
    assert [str(error) for error in warned] == ["the server is gone"]
    assert (run.stage("student") / "done.json").exists()
    assert [row["epoch"] for row in read_metrics(run.stage("student") / "metrics.csv") if "train/loss" in row] == [0, 1]
