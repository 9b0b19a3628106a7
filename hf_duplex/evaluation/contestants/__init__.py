"""Who is compared: models, baselines, and ways to do without an open input."""
