"""How things are said: the rule of speech, the grammar of updates, and disfluencies."""
