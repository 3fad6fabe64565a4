"""`weclick data cityscapes`, and the environment variables of Cityscapes' own scripts."""

import zipfile

import pytest

from weclick.data.dataset import DataSet


@pytest.fixture(autouse=True)
def without_variables(monkeypatch):
    for name in ("CITYSCAPES_DATASET", "CITYSCAPES_RESULTS"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def archives(synthetic_root, tmp_path_factory):
    """The synthetic set, whose labelled training frames have number 3, as Cityscapes is published."""
    folder = tmp_path_factory.mktemp("archives")
    for name in ("gtFine", "leftImg8bit", "leftImg8bit_sequence"):
        with zipfile.ZipFile(folder / f"{name}_trainvaltest.zip", "w") as file:
            for path in (synthetic_root / name).rglob("*.png"):
                file.write(path, path.relative_to(synthetic_root))
    return folder


def neighbours(root):
    data = DataSet.open(root)
    return {3 - frame.key.number for segment in data.segments("train") for frame in segment.frames} - {0}


def test_the_presets_root_and_neighbours_are_the_default(weclick, archives, tmp_path):
    result = weclick("data", "cityscapes", "--from", archives).done()
    assert neighbours(tmp_path / "data" / "cityscapes") == {1, 2, 3}
    assert "0 existed already" in result.out
    assert "labelled frames have fewer than 4 neighbours in leftImg8bit_sequence_trainvaltest.zip, first " in result.out
    checked = weclick("data", "check", "data/cityscapes").done().out.splitlines()
    assert checked[-2:] == [
        "no problems found",
        "next: weclick fit --config cityscapes.yaml --data.root data/cityscapes",
    ]
    assert ": 0 files extracted" in weclick("data", "cityscapes", "--from", archives).done().out


def test_the_neighbours_of_a_config_or_option_are_extracted(weclick, archives, tmp_path):
    (tmp_path / "own.yaml").write_text("data: {layout: cityscapes, clips: {neighbours: 1}}")
    own = ["--config", "own.yaml", "--root"]
    out = weclick("data", "cityscapes", "--from", archives, *own, "own").done().out
    assert "for clips of 1 neighbours (sides past, stride 1)" in out
    assert out.endswith("weclick fit --config own.yaml --data.root own\n")
    assert neighbours(tmp_path / "own") == {1}
    weclick("data", "cityscapes", "--from", archives, *own, "two", "--data.clips.neighbours", 2).done()
    assert neighbours(tmp_path / "two") == {1, 2}


def test_the_variable_names_the_root_unless_an_option_does(weclick, archives, tmp_path, monkeypatch):
    monkeypatch.setenv("CITYSCAPES_DATASET", str(tmp_path / "Städte 1"))
    out = weclick("data", "cityscapes", "--from", archives).done().out
    assert out.endswith(f"--data.root '{tmp_path}/Städte 1'\n")
    assert DataSet.open(tmp_path / "Städte 1").labelled("train")
    weclick("data", "cityscapes", "--from", archives, "--root", "other").done()
    assert DataSet.open(tmp_path / "other").labelled("train")


def test_a_missing_archive_is_refused_in_one_line(weclick, tmp_path):
    refused = weclick("data", "cityscapes", "--from", tmp_path)
    refused.refused_at_once(
        tmp_path, "lacks gtFine_trainvaltest.zip, leftImg8bit_trainvaltest.zip, leftImg8bit_sequence_trainvaltest.zip"
    )
    assert not (tmp_path / "data").exists()
    weclick("data", "cityscapes").refused("from", status=2)


def test_an_interruption_names_what_continues(weclick, archives, monkeypatch):
    def interrupt(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("weclick.cli.cityscapes.extract_cityscapes", interrupt)
    weclick("data", "cityscapes", "--from", archives).refused("interrupted", "same command", status=130)


@pytest.mark.slow
def test_official_predictions_go_where_cityscapes_scripts_look(weclick, trained, synthetic_root, tmp_path, monkeypatch):
    monkeypatch.setenv("CITYSCAPES_RESULTS", str(tmp_path / "results"))
    out = weclick("test", "--runs", trained).done().out
    assert f"predictions: {tmp_path / 'results'} (CITYSCAPES_RESULTS)" in out
    labels = {path.name for path in synthetic_root.glob("gtFine/val/*/*_labelIds.png")}
    assert {path.name.replace("pred", "gtFine") for path in (tmp_path / "results").iterdir()} == labels
