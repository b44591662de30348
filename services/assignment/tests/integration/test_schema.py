"""The schema comes up from nothing, and every column of it has a verdict."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import pytest
from sqlalchemy import text

from libs.db.engine import Database
from libs.db.migrate import migrate, newest_revision, pending, schema_revision
from libs.participant.data_map import Strategy
from libs.participant.sql import catalogue
from libs.testing.postgres import FreshDatabase
from services.assignment.adapters.sql.subjects import PLACES
from services.assignment.app.data_map import DATA_MAP
from services.assignment.main import DEFINITION

pytestmark = pytest.mark.integration
PACKAGE = "services.assignment.migrations"


def revisions() -> list[str]:
    """Return every revision, in order."""
    names = (file.name for file in files(PACKAGE).iterdir())
    return sorted(name[:4] for name in names if name[:4].isdigit())


async def test_migrations_go_up_once_and_serve_what_main_asks_for(fresh_database: FreshDatabase) -> None:
    url = fresh_database(None)

    assert migrate(url, PACKAGE) == revisions()
    assert migrate(url, PACKAGE) == []
    assert pending(url, PACKAGE) == []
    database = Database(url)
    assert await schema_revision(database) == newest_revision(PACKAGE) == DEFINITION.minimum_revision
    await database.close()


async def test_rows_that_an_older_release_left_are_kept(
    fresh_database: FreshDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    older = tmp_path / "older_migrations"
    older.mkdir()
    (older / "__init__.py").touch()
    source = files(PACKAGE).joinpath("0001_pre_initial.py")
    (older / source.name).write_text(source.read_text())
    monkeypatch.syspath_prepend(tmp_path)
    url = fresh_database(None)
    assert migrate(url, older.name) == ["0001"]
    database = Database(url)
    async with database.transaction() as connection:
        await connection.execute(
            text(
                "INSERT INTO decisions (account, id, sequence, ticket, outcome, queue, mechanism, model, command, as_of, "
                "detail, candidates, rule_version, rank, write, hash) VALUES ('a', 'd', 1, 1, 'ASSIGNED', 'q', 'queue', "
                "'round_robin', 'c', now(), '{}', 0, 1, 1, 'none', '')"
            )
        )

    assert migrate(url, PACKAGE) == revisions()[1:]
    async with database.transaction() as connection:
        assert (await connection.execute(text("SELECT inputs FROM decisions"))).scalar_one() == ""
    await database.close()


async def test_every_column_has_a_verdict_and_every_verdict_a_column(database: Database) -> None:
    assert DATA_MAP.census(await catalogue(database)) == []


async def test_every_table_begins_with_its_account(database: Database) -> None:
    async with database.transaction() as connection:
        rows = await connection.execute(
            text(
                "SELECT c.relname FROM pg_class c JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary "
                "JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0] "
                "WHERE c.relnamespace = 'public'::regnamespace AND a.attname <> 'account' ORDER BY 1"
            )
        )
        assert [r.relname for r in rows] == ["leases", "schema_version"]


def test_what_the_map_erases_has_a_place_that_does_it() -> None:
    done = {(p.table, p.strategy) for p in PLACES}
    said = {
        (c.table, c.strategy)
        for c in DATA_MAP.columns
        if c.strategy not in (Strategy.NOT_PERSONAL, Strategy.KEEP)
    }

    assert said == {(t, s) for t, s in done if s is not Strategy.KEEP}
