"""Domain and use cases on memory adapters."""
