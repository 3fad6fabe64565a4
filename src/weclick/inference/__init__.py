"""Using a trained network: prediction on video, export, speed."""
