"""A history of statuses that several replicas write, and what an erasure leaves of it."""

from __future__ import annotations

import asyncio
from importlib.resources import files
from pathlib import Path

import pytest
from sqlalchemy import text

from libs.db.engine import Database
from libs.db.migrate import migrate
from libs.kernel.ids import AccountId, UserId
from libs.participant.sql import SqlSubjects
from libs.testing.postgres import FreshDatabase
from services.assignment.adapters.sql.store import SqlStore
from services.assignment.adapters.sql.subjects import PLACES
from services.assignment.app.data_map import DATA_MAP
from services.assignment.app.ports import Store
from services.assignment.app.status_history import IdleRule
from services.assignment.tests.store_conformance import agent, later, seed

pytestmark = pytest.mark.integration
PACKAGE = "services.assignment.migrations"


async def waits(database: Database) -> None:
    """Return once somebody waits for another's row."""
    query = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
    async with asyncio.timeout(20):
        while True:
            async with database.transaction(read_only=True) as connection:
                if (await connection.execute(query)).scalar_one():
                    return


async def test_who_commits_late_never_appears_behind_a_reader(
    database: Database, store: Store, account: AccountId
) -> None:
    await seed(store, account)

    async def change(agent: int, at: int) -> None:
        async with store.transaction(account) as tx:
            await tx.directory.set_statuses({agent: "away"}, later(at))

    async with store.transaction(account) as first:
        await first.directory.set_statuses({1: "away"}, later(2))
        second = asyncio.create_task(change(2, 1))
        await waits(database)
        async with store.transaction(account) as reader:
            assert await reader.statuses.page(0, 10) == []
    await second

    async with store.transaction(account) as reader:
        rows = await reader.statuses.page(0, 10)
        # The second one ended earlier by its replica's clock: whoever starts there gets both.
        assert [(r.id, r.user_id) for r in rows] == [(1, 1), (2, 2)]
        assert await reader.statuses.behind(later(2)) == 0
        assert await reader.statuses.behind(later(1)) == 0


async def test_an_agent_s_history_goes_and_others_keep_theirs_without_him(
    database: Database, store: Store, account: AccountId
) -> None:
    subjects = SqlSubjects(database, PLACES, DATA_MAP)
    await seed(store, account)
    async with store.transaction(account) as tx:
        await tx.directory.set_statuses({1: "away", 2: "away"}, later(1), updater=1)
        await tx.directory.set_statuses({1: "online", 2: "invisible"}, later(2), updater=1)
        await tx.statuses.put_idle_rule(1, IdleRule(False))

    shown = [r async for r in subjects.export(account, UserId(1)) if r.category == "status_records"]
    preview = {(c.table, c.column): c for c in await subjects.preview(account, UserId(1))}
    counts = {(c.table, c.column): c for c in await subjects.erase(account, UserId(1), "req-1", "node", 1)}

    assert sorted(r.values["status"] for r in shown) == ["away", "online"]
    assert counts == preview
    assert counts["status_records", ""].erased == 2
    assert counts["status_records", "updater_id"].pseudonymised == 1
    assert counts["agents", "status_updater_id"].pseudonymised == 1
    assert counts["agent_idle_rules", ""].erased == 1
    assert not any((await subjects.search(account, UserId(1))).values())
    async with store.transaction(account) as tx:
        left = [(r.user_id, r.status, r.updater_id) for r in await tx.statuses.page(0, 10)]
        assert left == [(2, "online", None), (2, "away", None)]
        await tx.directory.set_statuses({2: "away"}, later(3))
        assert [r.id for r in await tx.statuses.page(4, 10)] == [5]


async def test_where_an_old_history_begins_is_filled_in_by_the_migration(
    fresh_database: FreshDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    older = tmp_path / "before_status_order"
    older.mkdir()
    (older / "__init__.py").touch()
    for file in files(PACKAGE).iterdir():
        if file.name[:4].isdigit() and file.name < "0022":
            (older / file.name).write_text(file.read_text())
    monkeypatch.syspath_prepend(tmp_path)
    url = fresh_database(None)
    migrate(url, older.name)
    database = Database(url)
    rows = [{"id": n, "at": later(at)} for n, at in enumerate((10, 30, 20, 40), 1)]
    async with database.transaction() as connection:
        await connection.execute(
            text("INSERT INTO status_records VALUES ('a', :id, 1, 'away', NULL, :at, :at)"), rows
        )
        await connection.execute(text("INSERT INTO status_counters VALUES ('a', 4)"))

    migrate(url, PACKAGE)

    async with SqlStore(database).transaction(AccountId("a")) as tx:
        found = [await tx.statuses.behind(later(at)) for at in (0, 10, 11, 20, 30, 31, 40, 41)]
        assert found == [0, 0, 1, 1, 1, 3, 3, 4]
        await tx.directory.sync_agents([agent(1, status_at=later(15))], [])
        await tx.directory.set_statuses({1: "away"}, later(35))
        assert [await tx.statuses.behind(later(at)) for at in (31, 40, 41)] == [3, 3, 5]
    await database.close()
