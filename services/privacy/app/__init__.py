"""Privacy's use cases, one per file, and the ports they need."""
