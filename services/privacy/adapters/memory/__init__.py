"""The ports in memory: for tests, with the behaviour of the real ones."""
