"""Tests of the demo's own parts; the whole path is tested in `tests/e2e`."""
