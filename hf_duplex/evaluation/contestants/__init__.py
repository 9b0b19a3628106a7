"""The contestants: models, baselines, and alternatives to an open input."""
