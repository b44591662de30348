"""The decision: pure Python."""
