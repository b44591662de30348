"""Logs and telemetry: tests."""
