"""Privacy's ports on PostgreSQL."""
