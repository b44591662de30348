"""Fixtures: policy's schema on a real PostgreSQL."""

import pytest


@pytest.fixture(scope="session")
def migrations_package() -> str:
    return "services.policy.migrations"
