"""Metrics for `evaluate.load`, one folder each; all that they compute lies in `hf_duplex.evaluation`."""
