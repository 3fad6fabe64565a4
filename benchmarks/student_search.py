"""Which light student gives most for its time? Trains variants under full supervision and times them on the CPU.

    python benchmarks/student_search.py --config camvid.yaml --data.root DATA --trainer.max_epochs 6

Choose by a part of the training videos that is held back as DATA's val split, never by the split you report. Runs go to
runs/search-VARIANT; finished ones are reused, so it can be interrupted, and several processes can share the work with
--only. The table and the plot go to runs/search/.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from weclick.cli.options import option_value
from weclick.pipeline.benchmark.student import Candidate, benchmark_student, of_run
from weclick.pipeline.run import Run
from weclick.reporting.loggers import read_metrics
from weclick.reporting.plots import plot_trade

SIZE, CLASSES = (384, 480), 11
VARIANTS = {
    "4-32": ["--student.network.strides=[4,8,16,32]"],
    "4-16": ["--student.network.strides=[4,8,16]"],
    "8-16": ["--student.network.strides=[8,16]"],
    "4-32 x0.7": ["--student.network.strides=[4,8,16,32]", "--student.network.scale=0.7"],
    "4-16 x0.8": ["--student.network.strides=[4,8,16]", "--student.network.scale=0.8"],
}
REFERENCES = {"pspnet resnet18": ("pspnet", "resnet18"), "lraspp": ("lraspp", "mobilenet_v3_large")}


def main(arguments: list[str]) -> None:
    """Train what is not trained yet, then time and plot."""
    only = option_value(arguments, "--only")
    if only is not None:
        at = arguments.index("--only")
        arguments = arguments[:at] + arguments[at + 2 :]
    chosen = only.split(",") if only else list(VARIANTS)
    for name in chosen:
        train(name, arguments)
    if only is None:
        compare(chosen)


def folder(name: str) -> Path:
    """Return the run of a variant."""
    return Path("runs") / f"search-{name.replace(' ', '-')}"


def train(name: str, arguments: list[str]) -> None:
    """Fit a variant, or go on with it."""
    run = folder(name)
    how = ["--resume", str(run)] if (run / "config.yaml").exists() else ["--name", run.name, *arguments]
    given = [] if "--resume" in how else ["--arm", "full", *VARIANTS[name]]
    subprocess.run([sys.executable, "-m", "weclick", "fit", *how, *given], check=True)


def compare(names: list[str]) -> None:
    """Time all variants beside the references and write table and plot."""
    candidates = [Candidate(name, of_run(Run(folder(name))).model) for name in names]
    for name, (network, encoder) in REFERENCES.items():
        candidates.append(Candidate(name, Candidate.untrained(network, encoder, CLASSES, SIZE).model))
    table = benchmark_student(candidates, SIZE)
    miou = {name: last_miou(folder(name) / "student" / "metrics.csv") for name in names}
    for row in table.rows:
        row["mIoU"] = 100 * miou[row["network"]] if row["network"] in miou else None
    table.print()
    out = Path("runs/search")
    table.write(out)
    points = {}
    for name in names:
        fastest = min(row["ms"] for row in table.rows if row["network"] == name and row["precision"] == "fp32")
        points[name] = (fastest, 100 * miou[name])
    (out / "search.png").write_bytes(plot_trade(points, "ms per frame, fp32, best runtime", "held-back mIoU"))


def last_miou(metrics: Path) -> float:
    """Return the last validation's mIoU."""
    return [row["val/miou"] for row in read_metrics(metrics) if "val/miou" in row][-1]


if __name__ == "__main__":
    main(sys.argv[1:])
