"""Notices reach every listener after the commit, also after a lost connection."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text

from libs.db.engine import Database
from libs.db.notify import Listener, notify

pytestmark = pytest.mark.integration
CHANNEL = "changes"


@contextlib.asynccontextmanager
async def listening(database: Database) -> AsyncIterator[asyncio.Queue[str]]:
    heard: asyncio.Queue[str] = asyncio.Queue()
    task = asyncio.create_task(Listener(database.url, CHANNEL, heard.put_nowait).listen())
    try:
        assert await asyncio.wait_for(heard.get(), 10) == ""
        yield heard
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def tell(database: Database, payload: str) -> None:
    async with database.transaction() as connection:
        await notify(connection, CHANNEL, payload)


async def test_every_listener_hears_what_was_committed(database: Database) -> None:
    async with listening(database) as one, listening(database) as two:
        with contextlib.suppress(ZeroDivisionError):
            async with database.transaction() as connection:
                await notify(connection, CHANNEL, "rolled back")
                raise ZeroDivisionError
        await tell(database, "acc-1")
        assert [await asyncio.wait_for(queue.get(), 10) for queue in (one, two)] == ["acc-1", "acc-1"]


async def test_a_listener_whose_connection_was_cut_says_that_anything_may_have_changed(
    database: Database,
) -> None:
    async with listening(database) as heard:
        async with database.transaction() as connection:
            await connection.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE application_name = 'listen changes'"
                )
            )
        assert await asyncio.wait_for(heard.get(), 10) == ""
        await tell(database, "acc-2")
        assert await asyncio.wait_for(heard.get(), 10) == "acc-2"


@pytest.mark.parametrize("name", ["", "Changes", "a b", "x;DROP", "ünder"])
def test_what_is_no_identifier_is_no_channel(name: str) -> None:
    with pytest.raises(ValueError, match="is no channel"):
        Listener("postgresql://x/y", name, lambda _: None)
