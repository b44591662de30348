"""How a process starts and stops: tests."""
