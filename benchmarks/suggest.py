"""Does it pay to click the frames `weclick clicks suggest` names? Against as many clicks on evenly spread frames.

For each seed: train from a few evenly spread frames, let that student suggest as many again, then train anew from both
together, and from evenly spread frames with as many clicks. Clicks are simulated from the masks; all trainings take the
same number of steps. Takes the options of `weclick ablate`; call it again to go on after an interruption:

    python benchmarks/suggest.py --config camvid.yaml --data.root DATA --arms clicks --seeds 0,1,2 --name suggest
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import mean, stdev

from weclick.cli.ablate import arms_of, comparison_folder, parser, row, seeds_of
from weclick.cli.options import parse, quiet_libraries, resolve_configs, to_settings
from weclick.clicks import Click, ClickStore
from weclick.clicks.budget import spread_frames
from weclick.conventions import FrameKey
from weclick.inference.model import open_model
from weclick.pipeline.ablation.rows import train_rows
from weclick.pipeline.run import Run
from weclick.pipeline.suggest import suggest

FIRST = 0.1
"""Share of the frames that is clicked at first, and then by suggestion."""


class Trial:
    """Trainings of one seed, in a folder of their own."""

    def __init__(self, arguments: list[str], folder: Path, seed: int) -> None:
        self.arguments, self.folder, self.seed = arguments, folder / f"s{seed}", seed
        config = parse(parser(), arguments)
        self.arm, self.epochs = arms_of(config)[0], config.trainer.max_epochs
        self.data = to_settings(parser(), config).make_data()
        self.data.seed = seed
        self.data.open_clicks(self.folder / "clicks.sqlite")
        self.every: Mapping[FrameKey, Sequence[Click]] = self.data.clicks

    def train(self, name: str, keys: Iterable[FrameKey]) -> float:
        """Return the mIoU of a student trained from the clicks of some frames."""
        path, own = self.folder / f"{name}.sqlite", sorted(keys)
        if not path.exists():
            with ClickStore.create(path, self.data.classes) as store, store.transaction():
                for key in own:
                    store.add(key, self.every[key])
        epochs = round(self.epochs * len(self.every) / len(own))
        varied = [
            f"--data.clicks.store={path}",
            f"--trainer.max_epochs={epochs}",
            f"--trainer.check_val_every_n_epoch={epochs}",
        ]
        one = row(parser(), [*self.arguments, *varied], self.arm, self.seed, name)
        # a folder each, as all rows of a comparison learn from the same clicks
        return train_rows([one], self.folder / name, lambda outcomes: None)[0].miou

    def suggested(self, name: str, count: int) -> list[FrameKey]:
        """Return what the student of a training suggests."""
        student = open_model(Run(self.folder / name / name).checkpoint("student", "last"), stage="student")
        with ClickStore(self.folder / f"{name}.sqlite", self.data.classes, readonly=True) as store:
            return [found.key for found in suggest(student, self.data, "train", store, count=count)]

    def spread(self, clicks: int) -> list[FrameKey]:
        """Return as many evenly spread frames as come nearest to a number of clicks."""
        choices = [spread_frames(self.every, count / len(self.every)) for count in range(1, len(self.every) + 1)]
        return min(choices, key=lambda keys: abs(self.count(keys) - clicks))

    def count(self, keys: Iterable[FrameKey]) -> int:
        """Return the number of clicks on frames."""
        return sum(len(self.every[key]) for key in keys)

    def run(self) -> tuple[float, float, float]:
        """Return mIoU from the first frames, from these and suggested ones, and from as many clicks evenly spread."""
        first = spread_frames(self.every, FIRST)
        before = self.train("first", first)
        both = [*first, *(key for key in self.suggested("first", len(first)) if key in self.every)]
        evenly = self.spread(self.count(both))
        for name, keys in (("first", first), ("suggested", both), ("spread", evenly)):
            print(f"seed {self.seed}, {name}: {len(keys)} frames, {self.count(keys)} clicks", flush=True)
        return before, self.train("suggested", both), self.train("spread", evenly)


def main(arguments: list[str]) -> None:
    """Run the trials and print the table."""
    quiet_libraries()
    arguments = resolve_configs(arguments)
    config = parse(parser(), arguments)
    folder = comparison_folder(config, arguments, "suggest")
    found = [Trial(arguments, folder, seed).run() for seed in seeds_of(config)]
    print("| clicks on | mIoU | spread |\n| --- | ---: | ---: |")
    for name, values in zip(
        ("first frames", "and suggested ones", "as many, evenly spread"), zip(*found, strict=True), strict=True
    ):
        print(f"| {name} | {100 * mean(values):.2f} | {100 * stdev(values) if len(values) > 1 else float('nan'):.2f} |")


if __name__ == "__main__":
    main(sys.argv[1:])
