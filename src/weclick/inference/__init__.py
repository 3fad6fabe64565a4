"""Using a trained network: one way from a checkpoint or an exported model to labels; prediction on video, export, speed."""
