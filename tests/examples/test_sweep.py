"""Each run of the sweep is a command line of ours."""

from pathlib import Path

import yaml
from wandb.sdk.launch.sweeps.utils import create_sweep_command, create_sweep_command_args

from weclick.cli.fit import make_parser
from weclick.cli.options import parse, resolve_configs, to_settings

SWEEP = Path(__file__).parents[2] / "examples" / "sweep.yaml"


def test_every_value_of_the_sweep_is_an_option_of_fit():
    sweep = yaml.safe_load(SWEEP.read_text())
    assert sweep["metric"] == {"name": "val/miou", "goal": "maximize"}
    values = {name: p["values"] if "values" in p else [p["min"], p["max"]] for name, p in sweep["parameters"].items()}
    for index in (0, -1):
        chosen = {name: {"value": options[index]} for name, options in values.items()}
        settings = settings_of(sweep["command"], chosen)
        assert settings.student.optimiser.learning_rate == chosen["student.optimiser.learning_rate"]["value"]
        assert settings.trainer["max_epochs"] == chosen["trainer.max_epochs"]["value"]


def settings_of(command, chosen):
    """Return the settings of the command line that the agent runs for these parameters."""
    given = create_sweep_command_args({"args": chosen})["args"]
    line = [part for word in create_sweep_command(command) for part in (given if word == "${args}" else [word])]
    assert line[:3] == ["${env}", "weclick", "fit"]
    parser = make_parser()
    return to_settings(parser, parse(parser, resolve_configs(line[3:])))
