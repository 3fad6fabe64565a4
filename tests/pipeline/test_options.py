import inspect

import lightning.pytorch as pl

from weclick.pipeline.options import TrainerOptions

DECIDED_BY_THE_PIPELINE = {
    "logger",
    "default_root_dir",
    "use_distributed_sampler",
    "num_sanity_val_steps",
    "enable_model_summary",
    "enable_checkpointing",
    "enable_progress_bar",
    "fast_dev_run",
    "overfit_batches",
    "barebones",
}


def test_the_options_are_the_arguments_of_lightnings_trainer_with_its_defaults():
    arguments = {name: value.default for name, value in inspect.signature(pl.Trainer).parameters.items()}
    options = {name: field.default for name, field in TrainerOptions.__dataclass_fields__.items()}
    assert options.keys() == arguments.keys() - DECIDED_BY_THE_PIPELINE
    assert {name for name in options if options[name] != arguments[name]} == {"max_epochs"}
