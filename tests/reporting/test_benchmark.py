import csv
import json

import torch

from weclick.reporting.benchmark import BenchmarkTable


def test_a_table_is_written_whole_and_can_be_read_back(tmp_path, capsys):
    rows = [{"what": "a [x]", "FPS": 2.5, "mIoU": None}, {"what": "b", "FPS": 10.0, "mIoU": 50.0}]
    table = BenchmarkTable("speed", torch.device("cpu"), {"frame": "8x8"}, rows, ("what",), "FPS")
    paths = table.write(tmp_path / "out")
    assert [path.name for path in paths] == ["speed.csv", "speed.json", "speed.png"]
    assert list(csv.DictReader(paths[0].read_text().splitlines())) == [
        {"what": "a [x]", "FPS": "2.5", "mIoU": ""},
        {"what": "b", "FPS": "10.0", "mIoU": "50.0"},
    ]
    found = json.loads(paths[1].read_text())
    assert found["rows"] == rows
    assert found["facts"]["frame"] == "8x8" and "threads" in found["facts"]["device"]
    assert paths[2].read_bytes().startswith(b"\x89PNG")
    table.print()
    printed = capsys.readouterr().out
    assert "a [x]" in printed and "2.50" in printed and "8x8" in printed


def test_a_table_names_the_device_that_was_timed(tmp_path, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    table = BenchmarkTable("speed", torch.device("cpu"), {}, [{"what": "a", "FPS": 1.0}], ("what",), "FPS")
    assert "threads" in json.loads(table.write(tmp_path)[1].read_text())["facts"]["device"]


def test_a_printed_row_is_never_cut(capsys):
    row = {f"column {number}": f"value {number} of many" for number in range(8)}
    BenchmarkTable("wide", torch.device("cpu"), {}, [row], ("column 0",), "column 1").print()
    printed = capsys.readouterr().out
    assert any(all(value in line for value in row.values()) for line in printed.splitlines())
