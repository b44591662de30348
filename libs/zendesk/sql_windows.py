"""The windows in PostgreSQL: what every replica of a service agrees on."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import BigInteger, Column, Float, MetaData, Table, Text, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.db.engine import Database
from libs.kernel.clock import Clock, SystemClock
from libs.zendesk.windows import Ask, Lease, Window

ZENDESK_WINDOWS_DDL = """
CREATE TABLE zendesk_windows (
    account    text NOT NULL,
    bucket     text NOT NULL,
    number     bigint NOT NULL,
    capacity   bigint NOT NULL,
    used       bigint NOT NULL,
    ends_at    double precision NOT NULL,
    held_until double precision NOT NULL,
    PRIMARY KEY (account, bucket)
)
"""
"""The table of the budget, for a service's migration: `op.execute(ZENDESK_WINDOWS_DDL)`. Unix seconds."""


def windows_table(metadata: MetaData) -> Table:
    """Return the table of the budget in `metadata`; its rows are few (one per endpoint and view) and stay."""
    return Table(
        "zendesk_windows",
        metadata,
        Column("account", Text, primary_key=True),
        Column("bucket", Text, primary_key=True),
        Column("number", BigInteger, nullable=False),
        Column("capacity", BigInteger, nullable=False),
        Column("used", BigInteger, nullable=False),
        Column("ends_at", Float(53), nullable=False),
        Column("held_until", Float(53), nullable=False),
    )


_WINDOWS = windows_table(MetaData())
_STATE = (_WINDOWS.c.number, _WINDOWS.c.capacity, _WINDOWS.c.used, _WINDOWS.c.ends_at, _WINDOWS.c.held_until)


class SqlWindows:
    """Implements `libs.zendesk.windows.Windows`.

    Args:
        database: of the service that calls Zendesk.
        clock: business time. Windows end on the database's clock, so that replicas agree; where a played day
            has moved business time, they are moved by as much.
    """

    def __init__(self, database: Database, clock: Clock | None = None) -> None:
        self._database = database
        self._clock = clock or SystemClock()

    async def lease(self, account: str, bucket: str, ask: Ask) -> Lease:
        async with self._database.transaction() as connection:
            window, now = await self._locked(connection, account, bucket)
            changed, lease = window.lease(now, ask)
            await self._put(connection, account, bucket, changed)
        return lease

    async def hold(self, account: str, bucket: str, seconds: float) -> None:
        async with self._database.transaction() as connection:
            window, now = await self._locked(connection, account, bucket)
            await self._put(connection, account, bucket, window.held(now, seconds))

    async def forget_account(self, account: str) -> int:
        """Drop an account's windows; returns how many."""
        statement = delete(_WINDOWS).where(_WINDOWS.c.account == account)
        async with self._database.transaction() as connection:
            return (await connection.execute(statement)).rowcount

    async def _locked(self, connection: AsyncConnection, account: str, bucket: str) -> tuple[Window, float]:
        """Return a window that nobody else changes before the transaction ends, and the time."""
        here = (_WINDOWS.c.account == account) & (_WINDOWS.c.bucket == bucket)
        now = func.extract("epoch", func.clock_timestamp()).cast(Float(53))
        # The outer query tells the time when the lock is held, the inner one alone would tell when it began.
        query = select(now, select(*_STATE).where(here).with_for_update().cte("locked"))
        row = (await connection.execute(query)).one_or_none()
        if row is None:
            fresh = insert(_WINDOWS).values(
                account=account, bucket=bucket, number=0, capacity=0, used=0, ends_at=0.0, held_until=0.0
            )
            await connection.execute(fresh.on_conflict_do_nothing())
            row = (await connection.execute(query)).one()
        told, *state = row
        moved = (self._clock.now() - datetime.now(UTC)).total_seconds()
        return Window(*state), told + moved

    @staticmethod
    async def _put(connection: AsyncConnection, account: str, bucket: str, window: Window) -> None:
        statement = (
            update(_WINDOWS)
            .where(_WINDOWS.c.account == account, _WINDOWS.c.bucket == bucket)
            .values(
                number=window.number,
                capacity=window.capacity,
                used=window.used,
                ends_at=window.ends_at,
                held_until=window.held_until,
            )
        )
        await connection.execute(statement)
