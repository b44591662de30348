"""Fixtures of the database room's tests."""

import pytest


@pytest.fixture(scope="session")
def migrations_package() -> str:
    return "libs.db.tests.migrations_sample"
