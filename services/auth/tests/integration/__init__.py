"""The same ports on real PostgreSQL."""
