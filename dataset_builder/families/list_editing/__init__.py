"""Lists that are edited."""
