"""The one way a process starts and stops."""
