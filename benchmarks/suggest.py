"""Compare clicks on the frames that `weclick clicks suggest` lists with as many clicks on evenly spread frames.

For each seed: train from a few evenly spread frames, let that student suggest as many again, then train once from both
together, and once from evenly spread frames with as many clicks. Clicks are simulated from the masks, so every training
frame should have one; all trainings take the same number of steps. Takes the options of `weclick ablate`; run the same
command again to resume after an interruption:

    python benchmarks/suggest.py --config camvid.yaml --data.root DATA --arms clicks --seeds 0,1,2 --name suggest
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import mean, stdev

from weclick.cli.ablate import arms_of, comparison_folder, make_parser, make_row, seeds_of
from weclick.cli.options import parse, quiet_libraries, resolve_configs, to_settings
from weclick.clicks import Click, ClickStore
from weclick.clicks.budget import spread_frames
from weclick.conventions import FrameKey
from weclick.inference.opening import open_model
from weclick.pipeline.ablation.rows import train_rows
from weclick.pipeline.inputs import run_data
from weclick.pipeline.run import Run
from weclick.pipeline.suggest import suggest

FIRST = 0.1
"""Share of the frames that the first training has clicks on; as many more are suggested."""


class Trial:
    """The trainings of one seed, in a folder of their own."""

    def __init__(self, arguments: list[str], folder: Path, seed: int) -> None:
        self.arguments, self.folder, self.seed = arguments, folder / f"s{seed}", seed
        config = parse(make_parser(), arguments)
        self.arm, self.epochs = arms_of(config)[0], config.trainer.max_epochs
        settings = replace(to_settings(make_parser(), config), seed=seed)
        self.dataset = settings.dataset
        clicks = run_data(settings, Run(self.folder)).clicks
        self.clicks: Mapping[FrameKey, Sequence[Click]] = {} if clicks is None else clicks.clicks

    def train(self, name: str, keys: Iterable[FrameKey]) -> float:
        """Return the mIoU of a student trained from the clicks of these frames."""
        path, keys = self.folder / f"{name}.sqlite", sorted(keys)
        if not path.exists():
            with ClickStore.create(path, self.dataset.classes) as store, store.transaction():
                for key in keys:
                    store.add(key, self.clicks[key])
        epochs = round(self.epochs * len(self.clicks) / len(keys))
        options = [
            f"--data.clicks.store={path}",
            f"--trainer.max_epochs={epochs}",
            f"--trainer.check_val_every_n_epoch={epochs}",
        ]
        row = make_row(make_parser(), [*self.arguments, *options], self.arm, self.seed, name)
        # a folder each, as all rows of a comparison learn from the same clicks
        return train_rows([row], self.folder / name, lambda outcomes: None)[0].miou

    def suggested(self, name: str, count: int) -> list[FrameKey]:
        """Return the frames that the student of a training suggests."""
        student = open_model(Run(self.folder / name / name).checkpoint("student", "last"), stage="student")
        with ClickStore(self.folder / f"{name}.sqlite", self.dataset.classes, readonly=True) as store:
            return [suggestion.key for suggestion in suggest(student, self.dataset, "train", store, count=count)]

    def spread(self, clicks: int) -> list[FrameKey]:
        """Return evenly spread frames, as many as it takes to come nearest to a number of clicks."""
        frames = len(self.clicks)
        choices = [spread_frames(self.clicks, count / frames) for count in range(1, frames + 1)]
        return min(choices, key=lambda keys: abs(self.count(keys) - clicks))

    def count(self, keys: Iterable[FrameKey]) -> int:
        """Return the number of clicks on frames."""
        return sum(len(self.clicks[key]) for key in keys)

    def run(self) -> tuple[float, float, float]:
        """Return the mIoU from the first frames, from these and suggested ones, and from as many clicks evenly spread."""
        first = spread_frames(self.clicks, FIRST)
        first_miou = self.train("first", first)
        # frames without a mask, as between the labelled ones of Cityscapes, have no clicks to simulate
        both = [*first, *(key for key in self.suggested("first", len(first)) if key in self.clicks)]
        spread = self.spread(self.count(both))
        for name, keys in (("first", first), ("suggested", both), ("spread", spread)):
            print(f"seed {self.seed}, {name}: {len(keys)} frames, {self.count(keys)} clicks", flush=True)
        return first_miou, self.train("suggested", both), self.train("spread", spread)


def main(arguments: list[str]) -> None:
    """Run a trial per seed and print the table."""
    quiet_libraries()
    arguments = resolve_configs(arguments)
    config = parse(make_parser(), arguments)
    folder = comparison_folder(config, arguments, "suggest")
    scores = [Trial(arguments, folder, seed).run() for seed in seeds_of(config)]
    print("| clicks on | mIoU | standard deviation |\n| --- | ---: | ---: |")
    for name, values in zip(
        ("first frames", "and suggested ones", "as many, evenly spread"), zip(*scores, strict=True), strict=True
    ):
        print(f"| {name} | {100 * mean(values):.2f} | {100 * stdev(values) if len(values) > 1 else float('nan'):.2f} |")


if __name__ == "__main__":
    main(sys.argv[1:])
