"""Privacy's schema, one script per revision."""
