"""States and periods."""
