"""The use cases of auth, one per file."""
