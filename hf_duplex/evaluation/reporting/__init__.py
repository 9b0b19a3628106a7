"""Results files as tables and figures."""
