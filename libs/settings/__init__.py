"""Settings from the environment, and the clock that a process runs on."""
