"""Data sets on disk: shards, splits, checks, counts, cards."""
