"""Settings: tests."""
