"""Shared libraries: they know no service."""
