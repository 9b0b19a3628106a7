"""Metrics for `evaluate.load`, one folder each; the computation is in `hf_duplex.evaluation`."""
