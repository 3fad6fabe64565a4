"""LightningModules of the two stages, and their checkpoints."""
