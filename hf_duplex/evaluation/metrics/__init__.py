"""Metrics and statistics: pure functions of texts and counts."""
