"""Benchmarks: of the student against what people use instead, of training, of prediction on video."""
