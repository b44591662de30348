"""LISTEN/NOTIFY: a wake-up, never the truth. Whoever listens also polls, for a notice can be lost.

listener = Listener(database.url, "policy_changes", wake)
...                                       # among the supervised loops: ("changes", listener.listen)
async with database.transaction() as connection:
    ...
    await notify(connection, "policy_changes", account)   # sent when the transaction commits
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import psycopg
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.db.urls import libpq_url
from libs.telemetry.logs import get_logger

RECONNECT_SECONDS = 1.0
_CHECK_SECONDS = 30.0


async def notify(connection: AsyncConnection, channel: str, payload: str) -> None:
    """Send a notice to every listener once the transaction commits.

    Args:
        channel: a lower-case identifier.
        payload: less than 8,000 bytes; the same payload twice in one transaction is sent once.
    """
    await connection.execute(
        text("SELECT pg_notify(:channel, :payload)"), {"channel": channel, "payload": payload}
    )


class Listener:
    """Listens on a connection of its own, and connects anew when that one is lost.

    Args:
        url: of the database.
        channel: a lower-case identifier.
        heard: called with each payload, and with an empty one after every connect: what was sent while
            nobody listened is lost, so that then everything counts as changed.
    """

    def __init__(self, url: str, channel: str, heard: Callable[[str], None]) -> None:
        if not channel.isidentifier() or not channel.isascii() or channel != channel.lower():
            raise ValueError(f"`{channel}` is no channel: use a-z, 0-9 and _")
        self._url = libpq_url(url)
        self._channel = channel
        self._heard = heard

    async def listen(self) -> None:
        """Listen until cancelled."""
        while True:
            try:
                await self._once()
            except (psycopg.Error, OSError) as error:
                get_logger().warning("listener lost", channel=self._channel, why=type(error).__name__)
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _once(self) -> None:
        connection = await psycopg.AsyncConnection.connect(
            self._url, autocommit=True, connect_timeout=5, application_name=f"listen {self._channel}"
        )
        async with connection:
            await connection.execute(f"LISTEN {self._channel}".encode())
            self._heard("")
            while True:
                async for notice in connection.notifies(timeout=_CHECK_SECONDS):
                    self._heard(notice.payload)
                await connection.execute(b"SELECT 1")  # a peer that is gone without a word is noticed
