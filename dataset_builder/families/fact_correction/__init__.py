"""Facts about people and places."""
