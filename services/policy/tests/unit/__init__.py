"""The decision and the merge."""
