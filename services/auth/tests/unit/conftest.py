"""Fixtures of auth's unit tests."""

import pytest

from services.auth.tests.house import House


@pytest.fixture
def house() -> House:
    return House()
