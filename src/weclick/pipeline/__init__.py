"""What happens in which order: runs, stages, resume, evaluation."""
