"""Everything in this process's memory: real implementations of the ports, for tests and for trying things out."""
