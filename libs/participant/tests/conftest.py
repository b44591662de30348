"""Fixtures: a database with people in it, and what erases them."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from sqlalchemy import text

from libs.db.engine import Database
from libs.participant.sql import SqlSubjects
from libs.participant.tests.people import DATA_MAP, PEOPLE, PLACES


@pytest.fixture(scope="session")
def migrations_package() -> str:
    return "libs.participant.tests.migrations_people"


@pytest_asyncio.fixture
async def subjects(database: Database) -> AsyncIterator[SqlSubjects]:
    """Everything about users 7 and 8 of two accounts, written afresh for each test."""
    async with database.transaction() as connection:
        await connection.execute(text("TRUNCATE agents, notes, routes, audit, erasures"))
        for statement in PEOPLE:
            await connection.execute(text(statement))
    yield SqlSubjects(database, PLACES, DATA_MAP)
