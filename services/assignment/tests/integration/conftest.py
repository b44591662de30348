"""Assignment's schema on a real PostgreSQL."""

import itertools

import pytest

from libs.db.engine import Database
from libs.kernel.ids import AccountId
from services.assignment.adapters.sql.store import SqlStore
from services.assignment.app.ports import Store

_NUMBERS = itertools.count(1)


@pytest.fixture(scope="session")
def migrations_package() -> str:
    return "services.assignment.migrations"


@pytest.fixture
def store(database: Database) -> Store:
    return SqlStore(database)


@pytest.fixture
def account() -> AccountId:
    """An account that nobody used before."""
    return AccountId(f"acc-{next(_NUMBERS)}")
