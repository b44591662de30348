"""The schema: every revision, a verdict for every column, and what an erasure leaves of a person."""

import asyncio
from dataclasses import replace

import pytest
from sqlalchemy import text

from libs.db.engine import Database
from libs.db.migrate import migrate, newest_revision, schema_revision
from libs.kernel.ids import AccountId, UserId
from libs.participant.sql import SqlSubjects, StaleAttemptError, catalogue
from libs.testing.postgres import FreshDatabase
from services.auth.adapters.sql.store import SqlStore
from services.auth.adapters.sql.subjects import PLACES
from services.auth.app.data_map import DATA_MAP
from services.auth.main import DEFINITION
from services.auth.tests.house import ADMIN, AGENT, SECOND_ADMIN, House
from services.auth.tests.integration.conftest import sql_sealer

pytestmark = pytest.mark.integration

PERSONAL = {("installations", "admin_user_id"), ("sessions", "user_id"), ("authorizations", "user_id")}


async def test_the_code_asks_for_the_newest_schema_and_every_revision_applies_once(
    fresh_database: FreshDatabase,
) -> None:
    url = fresh_database(None)

    assert await asyncio.to_thread(migrate, url, DEFINITION.migrations) == ["0001", "0002", "0003", "0004"]
    assert await asyncio.to_thread(migrate, url, DEFINITION.migrations) == []

    empty = Database(url)
    assert (
        await schema_revision(empty) == newest_revision(DEFINITION.migrations) == DEFINITION.minimum_revision
    )
    await empty.close()


async def test_every_column_has_a_verdict(database: Database) -> None:
    columns = await catalogue(database)

    assert ("sessions", "user_id") in columns
    assert DATA_MAP.census(columns) == []


async def test_every_place_is_a_personal_column_and_the_other_way_round() -> None:
    erased = {(c.table, c.subject) for c in DATA_MAP.columns if c.personal}

    assert {(place.table, place.column or "user_id") for place in PLACES} == erased


async def account_of_three(database: Database) -> tuple[House, AccountId]:
    """An account with an admin, another admin and an agent who all left traces."""
    house = House(SqlStore(database), sql_sealer(database))
    done = await house.authorized(ADMIN, subdomain=f"erase{house.ids.new('s')[-8:]}")
    place = {"subdomain": done.subdomain}
    for user in (ADMIN, SECOND_ADMIN, AGENT):
        await house.enter(user, subdomain=done.subdomain)
        await house.popup(user, **place)
    return house, done.account


async def rows(database: Database, account: AccountId) -> dict[str, list[int]]:
    async with database.transaction() as connection:
        found = {}
        for table in ("sessions", "authorizations"):
            query = f"SELECT DISTINCT user_id FROM {table} WHERE account = :a ORDER BY 1"
            found[table] = list((await connection.execute(text(query), {"a": account})).scalars())
        return found


async def test_an_erasure_takes_one_person_of_one_account_and_is_verified_through_the_catalogue(
    database: Database,
) -> None:
    house, account = await account_of_three(database)
    _, neighbour = await account_of_three(database)
    subjects = SqlSubjects(database, PLACES, DATA_MAP)
    before = await subjects.search(account, ADMIN)
    assert {place for place, n in before.items() if n} == PERSONAL
    preview = await subjects.preview(account, ADMIN)

    counts = await subjects.erase(account, ADMIN, "req-1", "auth", 1)

    assert counts == preview
    assert {(c.table, c.erased > 0, c.retained > 0) for c in counts} == {
        ("installations", True, False),
        ("sessions", True, False),
        ("authorizations", True, False),
        ("audit_events", False, True),
    }
    assert not any((await subjects.search(account, ADMIN)).values())
    assert await rows(database, account) == {t: [SECOND_ADMIN, AGENT] for t in ("sessions", "authorizations")}
    installation = await house.installation(account)
    assert (installation.admin, installation.contact_name, installation.contact_email) == (None, None, None)
    assert (await rows(database, neighbour))["sessions"] == [ADMIN, SECOND_ADMIN, AGENT]
    assert (await house.installation(neighbour)).contact_email is not None
    assert (await house.access(account)).version == 1


async def test_an_erasure_that_comes_again_answers_the_same_and_a_stale_run_is_refused(
    database: Database,
) -> None:
    _, account = await account_of_three(database)
    subjects = SqlSubjects(database, PLACES, DATA_MAP)

    first = await subjects.erase(account, AGENT, "req-2", "auth", 2)

    assert await subjects.erase(account, AGENT, "req-2", "auth", 2) == first
    with pytest.raises(StaleAttemptError):
        await subjects.erase(account, AGENT, "req-2", "auth", 1)


async def test_an_export_shows_a_person_what_is_held_and_no_secret(database: Database) -> None:
    _, account = await account_of_three(database)
    subjects = SqlSubjects(database, PLACES, DATA_MAP)

    records = [record async for record in subjects.export(account, ADMIN)]

    assert {r.category for r in records} == {"installations", "sessions", "authorizations", "audit_events"}
    shown = {name for r in records for name in r.values}
    assert not shown & {"token_hash", "ticket_hash", "state_hash", "cookie_hash", "verifier", "contact_email"}
    assert [r async for r in subjects.export(account, UserId(999))] == []


async def test_names_and_addresses_are_nowhere_in_the_database_in_clear(database: Database) -> None:
    house, account = await account_of_three(database)
    done = await house.installation(account)
    assert replace(done).contact_name
    async with database.transaction() as connection:
        for table in sorted({table for table, _ in await catalogue(database)}):
            found = (await connection.execute(text(f'SELECT t::text FROM "{table}" t'))).scalars()
            everything = "\n".join(found)
            for word in ("Ada", "acme.test", b"ada@acme.test".hex(), b"Ada Admin".hex()):
                assert word not in everything, table
