import csv
import json
import math
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from weclick.classes import ClassSet
from weclick.errors import ShapeError
from weclick.metrics import ComparedPairs, Consistency, Evaluation, Speed, scores_from_confusion
from weclick.reporting.report import Provenance, Report, print_table, write_report, write_tables
from weclick.reporting.samples import Sample

EVIL = '<script>alert("1")</script>'
CLASSES = ClassSet.from_list([{"name": "road", "color": [1, 2, 3]}, {"name": EVIL}, {"name": "[red]car, Straße"}])
SCORES = scores_from_confusion(np.array([[3, 0, 1], [0, 0, 0], [0, 0, 4]]))
EVALUATION = Evaluation(
    SCORES,
    Consistency(0.912, 0.877, (0.9, math.nan, 0.924), (0.8, math.nan, 0.954), 0.87),
    ComparedPairs(200, 1998, "farneback", (256, 512)),
    {16: 0.5, 8: 0.625},
    Speed(31.44, 31.8, "a CPU", (512, 1024), "bf16"),
)
PROVENANCE = Provenance(
    run="demo-1",
    stage="student",
    arm="weclick",
    split="val",
    frames=101,
    checkpoint="student/best.ckpt",
    reason="best val/miou, epoch 3",
    seed=0,
    clicks=1234,
    parameters=4_680_000,
    date="2024-05-01 12:00",
    versions={"weclick": "0.1.0", "torch": "2.14.1"},
)
VOID = {"area", "base", "br", "img", "input", "link", "meta"}


def report(**changes):
    frame = np.full((20, 30, 3), 90, np.uint8)
    labels = np.zeros((20, 30), np.uint8)
    nothing = np.full((20, 30), 255, np.uint8)
    samples = [
        Sample("video:7", frame, {"truth": labels, "prediction": labels}, miou=0.25),
        Sample(EVIL, frame, {"truth": nothing, "prediction": labels}),
    ]
    metrics = [{"epoch": 0.0, "train/loss": 2.0}, {"epoch": 0.0, "val/miou": 0.3}]
    whole = Report(EVALUATION, PROVENANCE, CLASSES, "data:\n  root: <here>\n", samples, metrics)
    return replace(whole, **changes)


class Page(HTMLParser):
    """Collects text and attributes, and fails on tags that are not closed in order."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.attributes, self.words = [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


def page(folder, **changes):
    path = write_report(folder, report(**changes))
    assert path == folder / "report.html"
    return Page(path.read_text(encoding="utf-8"))


def lines(path):
    return path.read_text(encoding="utf-8").splitlines()


def test_report_shows_the_numbers(tmp_path):
    text = page(tmp_path).text
    for expected in ("77.5 % mIoU", "87.5 % pixel accuracy", "91.2 %", "87.7 % everywhere", "87.0 % of pixels"):
        assert expected in text
    for expected in ("31.4 FPS", "31.8 ms at 1024\N{MULTIPLICATION SIGN}512, bf16, a CPU", "4.68 M parameters"):
        assert expected in text
    assert text.index("62.5 %") < text.index("50.0 %"), "VC_8 before VC_16"


def test_report_says_what_was_evaluated(tmp_path):
    text = page(tmp_path).text
    for expected in ("demo-1", "student/best.ckpt", "best val/miou, epoch 3", "1,234", "seed 0", "torch 2.14.1", "101"):
        assert expected in text


def test_report_escapes_names_and_config(tmp_path):
    found = page(tmp_path)
    assert "script" not in found.tags
    assert EVIL in found.text
    assert "root: <here>" in found.text


def test_report_is_one_file_that_loads_nothing(tmp_path):
    found = page(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    sources = [value for _, name, value in found.attributes if name in ("src", "href", "srcset", "data")]
    assert sources and all(source.startswith("data:image/") for source in sources)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert not re.search(r"https?://|@import|url\(", text)


def test_report_shows_image_truth_and_prediction(tmp_path):
    found = page(tmp_path)
    # Two samples, the second with an empty truth; confusion and curves.
    assert found.tags.count("img") == 3 + 2 + 2
    assert found.words.count("truth") == 1
    assert found.words.count("prediction") == 2


def test_report_shows_class_colours_and_missing_iou(tmp_path):
    found = page(tmp_path)
    assert ("span", "style", "background: rgb(1, 2, 3)") in found.attributes
    assert found.words.count("n/a") == 2, "IoU and accuracy of the absent class"


def test_report_of_a_bare_evaluation(tmp_path):
    unknown = replace(PROVENANCE, arm=None, seed=None, clicks=None, parameters=None, versions={})
    bare = page(tmp_path, evaluation=Evaluation(SCORES), provenance=unknown, samples=(), metrics=())
    assert "FPS" not in bare.text and "emporal" not in bare.text and "None" not in bare.text
    assert bare.tags.count("img") == 1


def test_report_follows_light_and_dark(tmp_path):
    write_report(tmp_path, report())
    assert "prefers-color-scheme: dark" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_samples_stand_below_one_legend_of_their_classes_with_their_score(tmp_path):
    found = page(tmp_path)
    assert "2 of 101 frames, the lowest mIoU first. road video:7 \N{MIDDLE DOT} mIoU 25.0 %" in found.text


def test_tables_hold_the_numbers(tmp_path):
    write_tables(tmp_path, report())
    metrics = json.loads((tmp_path / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["miou"] == pytest.approx(0.775)
    assert metrics["iou"] == {"road": 0.75, EVIL: None, "[red]car, Straße": 0.8}
    assert metrics["temporal_consistency"]["masked"] == 0.912
    assert metrics["temporal_consistency"]["masked_iou"][EVIL] is None
    pairs = {"compared": 200, "available": 1998, "flow": "farneback", "flow_size": [256, 512]}
    assert metrics["temporal_consistency"]["pairs"] == pairs
    assert metrics["video_consistency"] == {"8": 0.625, "16": 0.5}
    assert metrics["speed"]["size"] == [512, 1024]
    assert metrics["evaluated"]["checkpoint"] == "student/best.ckpt"
    rows = list(csv.DictReader(lines(tmp_path / "per_class.csv")))
    assert [row["class"] for row in rows] == list(CLASSES.names)
    assert [row["iou"] for row in rows] == ["0.750000", "", "0.800000"]
    assert [row["pixels"] for row in rows] == ["4", "0", "4"]
    counts = list(csv.reader(lines(tmp_path / "confusion.csv")))
    assert counts[1] == ["road", "3", "0", "1"]


def test_the_report_states_the_pairs_and_the_flow_of_temporal_consistency(tmp_path):
    html = write_report(tmp_path, report()).read_text(encoding="utf-8")
    assert "over 200 of 1,998 pairs of successive frames, farneback flow at 512x256" in html


def test_tables_of_a_bare_evaluation(tmp_path):
    write_tables(tmp_path, report(evaluation=Evaluation(SCORES)))
    metrics = json.loads((tmp_path / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["speed"] is None and metrics["temporal_consistency"] is None


def test_printed_table_is_ascii_and_narrow(capsys):
    print_table(EVALUATION, ClassSet.from_list([{"name": "road"}, {"name": "sky"}, {"name": "car"}]))
    printed = capsys.readouterr().out
    assert printed.isascii() and "\x1b" not in printed
    assert max(map(len, printed.splitlines())) <= 80
    assert re.search(r"road +\| +75\.0 \| +75\.0 \| +50\.0", printed)
    assert re.search(r"sky +\| +n/a \| +n/a \| +0\.0", printed)
    assert "temporal consistency 91.2 % (unmasked 87.7 %)" in printed
    assert "over 200 of 1,998 pairs of successive frames, farneback flow at 512x256" in printed
    assert printed.index("VC8") < printed.index("VC16")


def test_printed_names_cannot_command_the_terminal(capsys):
    print_table(Evaluation(SCORES), ClassSet.from_list([{"name": n} for n in ("\x1b[2J", "[bold]b", "c" * 200)]))
    printed = capsys.readouterr().out
    assert "\x1b" not in printed and "[bold]b" in printed
    assert max(map(len, printed.splitlines())) <= 80


def test_printed_table_survives_an_ascii_terminal(monkeypatch, tmp_path):
    with (tmp_path / "out").open("w", encoding="ascii") as stream:
        monkeypatch.setattr("sys.stdout", stream)
        print_table(EVALUATION, CLASSES)
    assert "Stra?e" in (tmp_path / "out").read_text(encoding="ascii")


def test_classes_of_another_data_set_are_refused():
    other = ClassSet.from_list([{"name": "one"}])
    with pytest.raises(ShapeError, match="counts 3 classes, the data set has 1"):
        report(classes=other)
    with pytest.raises(ShapeError, match="counts 3 classes"):
        print_table(EVALUATION, other)


CLICKED = Evaluation(SCORES.without_iou(), measured_with="clicks")
OPEN = "says nothing about borders, nor about classes without clicks"


def test_promise_12_a_report_says_what_it_was_measured_with(tmp_path):
    clicked, masked = page(tmp_path, evaluation=CLICKED).text, page(tmp_path).text
    assert f"measured with 8 held-out clicks on 101 frames; {OPEN}" in clicked
    assert "87.5 % click accuracy; 95 % interval 52.9 to 97.8 %" in clicked and "not independent" in clicked
    assert "measured with masks on 101 frames" in masked and "clicks right" not in masked


def test_promise_12_no_miou_is_made_of_clicks(tmp_path):
    write_tables(tmp_path, report(evaluation=CLICKED))
    metrics = json.loads((tmp_path / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["measured_with"] == "clicks" and metrics["miou"] is None and set(metrics["iou"].values()) == {None}
    assert metrics["accuracy"] == 0.875 and metrics["class_accuracy"] == {
        "road": 0.75,
        EVIL: None,
        "[red]car, Straße": 1,
    }
    assert metrics["clicks"]["count"] == 8 and OPEN in metrics["clicks"]["note"]
    row = next(csv.DictReader(lines(tmp_path / "per_class.csv")))
    assert (row["accuracy"], row["clicks"]) == ("0.750000", "4") and float(row["low"]) < 0.75 < float(row["high"])
    assert not re.search(
        r"mIoU</p>|IoU %", write_report(tmp_path, report(evaluation=CLICKED)).read_text(encoding="utf-8")
    )


def test_the_printed_table_of_clicks_has_intervals_in_place_of_iou(capsys):
    print_table(CLICKED, ClassSet.from_list([{"name": "road"}, {"name": "sky"}, {"name": "car"}]))
    printed = capsys.readouterr().out
    assert "IoU" not in printed and printed.isascii()
    assert re.search(r"road +\| +75\.0 \| +30\.1 to 95\.4 \| +4 ", printed)
    assert re.search(r"sky +\| +n/a \| +n/a \| +0 ", printed)
    assert "click accuracy 87.5 % (95 % interval 52.9 to 97.8 %)" in printed
    assert f"measured with 8 held-out clicks; {OPEN}" in " ".join(printed.split())
