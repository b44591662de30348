"""The schema comes up from nothing, and every column of it has a verdict."""

from __future__ import annotations

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


async def test_migrations_go_up_once_and_serve_what_main_asks_for(fresh_database: FreshDatabase) -> None:
    url = fresh_database(None)

    assert migrate(url, PACKAGE) == [
        "0001",
        "0002",
        "0003",
        "0004",
        "0005",
        "0006",
        "0007",
        "0008",
        "0009",
        "0010",
        "0011",
        "0012",
    ]
    assert migrate(url, PACKAGE) == []
    assert pending(url, PACKAGE) == []
    database = Database(url)
    assert await schema_revision(database) == newest_revision(PACKAGE) == DEFINITION.minimum_revision
    await database.close()


async def test_the_second_migration_keeps_the_rows_of_the_first(fresh_database: FreshDatabase) -> None:
    url = fresh_database(PACKAGE)
    database = Database(url)
    async with database.transaction() as connection:
        # Back to what 0001 left, with a decision in it.
        await connection.execute(
            text(
                "DROP TABLE inputs, view_tickets, zendesk_windows, queue_options, offers, declines, "
                "dedicated_rules, skills, agent_skills, ticket_skills, skill_cursors, group_turns, ticket_slas, schedules, "
                "agent_schedules, agent_capacities"
            )
        )
        await connection.execute(text("DROP INDEX assignments_recent, invocations_at"))
        await connection.execute(text("ALTER TABLE decisions DROP COLUMN inputs"))
        await connection.execute(text("ALTER TABLE outbox DROP COLUMN kind, DROP COLUMN tags"))
        await connection.execute(text("ALTER TABLE accounts DROP COLUMN options"))
        await connection.execute(text("ALTER TABLE tickets DROP COLUMN dedicated, DROP COLUMN entered_at"))
        await connection.execute(text("ALTER TABLE agents DROP COLUMN absence, DROP COLUMN active_at"))
        await connection.execute(text("UPDATE schema_version SET version_num = '0001'"))
        await connection.execute(
            text(
                "INSERT INTO decisions (account, id, sequence, ticket, outcome, queue, mechanism, model, command, as_of, "
                "detail, candidates, rule_version, rank, write, hash) VALUES ('a', 'd', 1, 1, 'ASSIGNED', 'q', 'queue', "
                "'round_robin', 'c', now(), '{}', 0, 1, 1, 'none', '')"
            )
        )

    assert migrate(url, PACKAGE) == [
        "0002",
        "0003",
        "0004",
        "0005",
        "0006",
        "0007",
        "0008",
        "0009",
        "0010",
        "0011",
        "0012",
    ]
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
