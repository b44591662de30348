"""The schema: every column has a verdict, and none takes what it must not."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from libs.db.engine import Database
from libs.db.migrate import migrate, schema_revision
from libs.participant.data_map import Strategy
from libs.participant.sql import catalogue
from libs.testing.postgres import FreshDatabase
from services.privacy.app.data_map import DATA_MAP
from services.privacy.main import DEFINITION

pytestmark = pytest.mark.integration


async def test_every_column_has_a_verdict(database: Database) -> None:
    assert DATA_MAP.census(await catalogue(database)) == []


async def test_what_is_kept_of_a_person_has_a_ground() -> None:
    kept = [c for c in DATA_MAP.columns if c.strategy is Strategy.KEEP]

    assert {c.table for c in kept} == {
        "subject_requests",
        "ledger",
        "certificates",
        "holds",
        "restrictions",
        "suppressions",
    }
    assert all("GDPR Art." in c.purpose for c in kept)


async def test_the_schema_is_what_the_service_needs(
    fresh_database: FreshDatabase, migrations_package: str
) -> None:
    url = fresh_database(None)

    assert migrate(url, migrations_package)
    assert not migrate(url, migrations_package)

    database = Database(url)
    found = await schema_revision(database)
    await database.close()
    assert found is not None
    assert found >= DEFINITION.minimum_revision


@pytest.mark.parametrize(
    ("what", "token"), [("INTENT", "cy@example.com"), ("INTENT", "770011"), ("NOTE", "a1" * 32)]
)
async def test_the_ledger_takes_hashes_only(database: Database, what: str, token: str) -> None:
    with pytest.raises(IntegrityError):
        async with database.transaction() as connection:
            await connection.execute(
                text(
                    "INSERT INTO ledger (account, request, step, run, what, token, at) "
                    "VALUES ('a', 'r', 's', 1, :what, :token, now())"
                ),
                {"what": what, "token": token},
            )
