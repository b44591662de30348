"""The ports in memory: the same promises, one process, nothing kept."""
