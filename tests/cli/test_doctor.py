"""`weclick doctor`: a line per finding, exit status, JSON."""

import json

import pytest

from weclick.pipeline.doctor import examine
from weclick.pipeline.doctor.finding import Finding


@pytest.fixture
def found(monkeypatch):
    """Let the checks find something."""

    def find(*findings):
        monkeypatch.setattr(examine, "CHECKS", {"check": lambda: iter(findings)})

    return find


def test_this_machine_is_examined(weclick):
    result = weclick("doctor")
    lines = result.out.splitlines()
    assert result.status == int(any(line.startswith("problem") for line in lines)), result.out
    assert {line.split()[0] for line in lines} <= {"ok", "warning", "problem"}
    for subject in ("packages", "CPU cores", "memory", "current folder", "page", "video", "PyTorch", "weights"):
        assert any(f" {subject}: " in line for line in lines), subject


def test_a_warning_is_no_failure_and_a_problem_is(weclick, found):
    found(Finding("warning", "page", "port 1 is taken", "take another"))
    assert weclick("doctor").done().out == "warning  page: port 1 is taken; take another\n"
    found(Finding("problem", "memory", "none", "buy some"), Finding("ok", "page", "free"))
    result = weclick("doctor")
    assert result.status == 1
    assert result.out == "problem  memory: none; buy some\nok       page: free\n"


def test_json_is_all_of_stdout(weclick, found, tmp_path):
    found(Finding("ok", "page", "free"))
    result = weclick("doctor", "--json", "--root", tmp_path / "nowhere")
    content = json.loads(result.out)
    assert (result.status, content["ok"]) == (1, False)
    assert content["findings"][0] == {"state": "ok", "subject": "page", "found": "free", "remedy": ""}
    assert "nowhere" in content["findings"][1]["found"]
