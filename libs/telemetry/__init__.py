"""Logs, traces and metrics: ids only, never a body."""
