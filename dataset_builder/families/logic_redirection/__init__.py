"""Arguments from premises that may fall."""
