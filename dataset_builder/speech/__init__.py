"""How text is worded and emitted: the emission rule, the grammar of updates, and disfluencies."""
