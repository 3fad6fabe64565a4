"""Compare variants of the light student: train each under full supervision, then plot its mIoU against its time on the CPU.

    python benchmarks/student_search.py --config camvid.yaml --data.root DATA --trainer.max_epochs 6

Takes the options of ``weclick fit``. Select a variant on training videos that are held back as DATA's val split, never on
the split you report. Runs go to runs/search-VARIANT; a repeated command reuses finished ones and resumes an interrupted
one. ``--only 4-32,8-16`` trains only these variants, so that several processes can share the work. The table and the plot
go to runs/search/.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from weclick.pipeline.benchmark.student import Candidate, benchmark_student, of_run
from weclick.pipeline.run import Run
from weclick.reporting.plots import plot_trade
from weclick.reporting.stages import read_metrics

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
    """Train the variants that are not trained yet, then time and plot all of them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--only", help="train only these variants, with commas between, and write no table and plot")
    options, fit_arguments = parser.parse_known_args(arguments)
    for name in options.only.split(",") if options.only else VARIANTS:
        train(name, fit_arguments)
    if options.only is None:
        compare(list(VARIANTS))


def run_folder(name: str) -> Path:
    """Return the folder of a variant's run."""
    return Path("runs") / f"search-{name.replace(' ', '-')}"


def train(name: str, arguments: list[str]) -> None:
    """Train a variant, or resume its run."""
    folder = run_folder(name)
    resume = ["--resume", str(folder)]
    start = ["--name", folder.name, *arguments, "--arm", "full", *VARIANTS[name]]
    options = resume if (folder / "config.yaml").exists() else start
    subprocess.run([sys.executable, "-m", "weclick", "fit", *options], check=True)


def compare(names: list[str]) -> None:
    """Time all variants and the references in turns; write table and plot."""
    candidates = [Candidate(name, of_run(Run(run_folder(name))).model) for name in names]
    for name, (network, encoder) in REFERENCES.items():
        candidates.append(Candidate(name, Candidate.untrained(network, encoder, CLASSES, SIZE).model))
    table = benchmark_student(candidates, SIZE)
    miou = {name: last_miou(run_folder(name) / "student" / "metrics.csv") for name in names}
    rows = [{**row, "mIoU": 100 * miou[name] if (name := str(row["network"])) in miou else None} for row in table.rows]
    table = replace(table, rows=rows)
    table.print()
    out = Path("runs/search")
    table.write(out)
    points = {}
    for name in names:
        own = [row for row in rows if row["network"] == name and row["precision"] == "fp32"]
        fastest = min(ms for row in own if isinstance(ms := row["ms"], float))
        points[name] = (fastest, 100 * miou[name])
    (out / "search.png").write_bytes(plot_trade(points, "ms per frame, fp32, best runtime", "held-back mIoU"))


def last_miou(metrics: Path) -> float:
    """Return the mIoU of the last validation, 0..1."""
    return [row["val/miou"] for row in read_metrics(metrics) if "val/miou" in row][-1]


if __name__ == "__main__":
    main(sys.argv[1:])
