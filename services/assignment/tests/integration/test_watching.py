"""On PostgreSQL a decision or a change of status wakes those who watch, by a notice that is sent when it commits."""

from __future__ import annotations

import asyncio

import pytest

from libs.db.engine import Database
from libs.db.notify import Listener
from libs.kernel.ids import AccountId
from services.assignment.adapters.sql.decisions import DECISIONS_CHANNEL
from services.assignment.adapters.sql.statuses import STATUSES_CHANNEL
from services.assignment.app.ports import Store
from services.assignment.app.watch import Bell, Watch
from services.assignment.tests.store_conformance import later, round_, seed

pytestmark = pytest.mark.integration


async def test_a_kept_round_is_told_at_once(database: Database, store: Store, account: AccountId) -> None:
    await seed(store, account, 1, 2)
    bell, connected = Bell(), asyncio.Event()

    def heard(payload: str) -> None:
        connected.set()
        bell.ring(payload)

    listening = asyncio.create_task(Listener(database.url, DECISIONS_CHANNEL, heard).listen())
    try:
        await connected.wait()
        seen = Watch(store, bell, heartbeat_seconds=3600)(account, 0)
        await anext(seen)
        waiting = asyncio.ensure_future(anext(seen))
        async with store.transaction(account) as tx:
            await round_(tx)

        told = [await waiting, await anext(seen)]
    finally:
        listening.cancel()

    assert [one.row.ticket for one in told if one.row] == [1, 2]


async def test_a_change_of_status_is_told_at_once(
    database: Database, store: Store, account: AccountId
) -> None:
    await seed(store, account)
    bell, connected = Bell(), asyncio.Event()

    def heard(payload: str) -> None:
        connected.set()
        bell.ring(payload)

    listening = asyncio.create_task(Listener(database.url, STATUSES_CHANNEL, heard).listen())
    try:
        await connected.wait()
        seen = Watch(store, bell, heartbeat_seconds=3600).statuses(account, 0)
        await anext(seen)
        waiting = asyncio.ensure_future(anext(seen))
        async with store.transaction(account) as tx:
            await tx.directory.set_statuses({1: "away", 2: "invisible"}, later(1))

        told = [await waiting, await anext(seen)]
    finally:
        listening.cancel()

    assert [(one.row.user_id, one.row.status) for one in told if one.row] == [(1, "away"), (2, "invisible")]
    assert [one.record for one in told] == [0, 2]
