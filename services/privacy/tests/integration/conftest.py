"""Fixtures of privacy's integration tests."""

import pytest


@pytest.fixture(scope="session")
def migrations_package() -> str:
    return "services.privacy.migrations"
