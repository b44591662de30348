"""Clients that strangers wrote do their work on the simulator, unchanged."""
