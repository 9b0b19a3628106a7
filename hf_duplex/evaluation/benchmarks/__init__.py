"""Benchmarks: revision, natural English, fidelity, speed, many sessions, killed processes, one conversation."""
