"""Plugins of every test; pytest accepts `pytest_plugins` only here, at the root."""

pytest_plugins = ("libs.testing.postgres",)
