"""Assignment's store on PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime
from functools import partial

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.db.engine import Database
from libs.db.requests import SqlRequests
from libs.kernel.ids import AccountId
from services.assignment.adapters.sql.capacities import SqlCapacities
from services.assignment.adapters.sql.decisions import SqlDecisions
from services.assignment.adapters.sql.directory import SqlDirectory
from services.assignment.adapters.sql.inputs import Bases
from services.assignment.adapters.sql.offers import SqlOffers
from services.assignment.adapters.sql.outbox import SqlOutbox
from services.assignment.adapters.sql.preferences import SqlPreferences
from services.assignment.adapters.sql.rate_limits import SqlRateLimits
from services.assignment.adapters.sql.returns import SqlReturns
from services.assignment.adapters.sql.rotations import SqlRotations
from services.assignment.adapters.sql.schedules import SqlSchedules
from services.assignment.adapters.sql.skills import SqlSkills
from services.assignment.adapters.sql.statuses import SqlStatuses
from services.assignment.adapters.sql.tickets import SqlTickets
from services.assignment.adapters.sql.usage import SqlUsage
from services.assignment.adapters.sql.views import SqlViews
from services.assignment.adapters.sql.waiting import Boards
from services.assignment.app.ports import Transaction


@asynccontextmanager
async def _undone(connection: AsyncConnection) -> AsyncIterator[None]:
    point = await connection.begin_nested()
    try:
        yield
    finally:
        await point.rollback()


class SqlStore:
    """Implements the port `Store`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._boards = Boards()
        self._bases = Bases()

    def transaction(
        self, account: AccountId, *, dry: bool = False
    ) -> AbstractAsyncContextManager[Transaction]:
        return self._transaction(account, dry)

    @asynccontextmanager
    async def _transaction(self, account: AccountId, dry: bool) -> AsyncIterator[Transaction]:
        async with self._database.transaction() as connection:
            yield Transaction(
                SqlDirectory(connection, account),
                SqlTickets(connection, account),
                # What a dry transaction sees is nobody's: it neither reads the copies nor fills them.
                SqlDecisions(
                    connection, account, Bases() if dry else self._bases, None if dry else self._boards
                ),
                SqlOffers(connection, account),
                SqlSkills(connection, account),
                SqlSchedules(connection, account),
                SqlCapacities(connection, account),
                SqlRateLimits(connection, account),
                SqlRotations(connection, account),
                SqlPreferences(connection, account),
                SqlReturns(connection, account),
                SqlStatuses(connection, account),
                SqlViews(connection, account),
                SqlUsage(connection, account),
                SqlOutbox(connection, account),
                SqlRequests(connection),
                partial(_undone, connection),
            )
            if dry:
                await connection.rollback()

    async def accounts(self) -> list[AccountId]:
        async with self._database.transaction(read_only=True) as connection:
            rows = await connection.execute(text("SELECT account FROM accounts ORDER BY account"))
            return [AccountId(row.account) for row in rows]

    async def with_due_offers(self, as_of: datetime) -> list[AccountId]:
        async with self._database.transaction(read_only=True) as connection:
            rows = await connection.execute(
                text(
                    "SELECT DISTINCT account FROM offers WHERE state = 'offered' AND expires_at <= :as_of ORDER BY account"
                ),
                {"as_of": as_of},
            )
            return [AccountId(row.account) for row in rows]
