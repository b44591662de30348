"""Ids, time and errors: tests."""
