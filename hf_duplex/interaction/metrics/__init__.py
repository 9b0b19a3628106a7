"""The metrics of the interaction benchmark as `evaluate` modules, one folder each."""
