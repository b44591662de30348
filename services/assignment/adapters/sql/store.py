"""Assignment's store on PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime

from sqlalchemy import text

from libs.db.engine import Database
from libs.db.requests import SqlRequests
from libs.kernel.ids import AccountId
from services.assignment.adapters.sql.capacities import SqlCapacities
from services.assignment.adapters.sql.decisions import SqlDecisions
from services.assignment.adapters.sql.directory import SqlDirectory
from services.assignment.adapters.sql.offers import SqlOffers
from services.assignment.adapters.sql.outbox import SqlOutbox
from services.assignment.adapters.sql.schedules import SqlSchedules
from services.assignment.adapters.sql.skills import SqlSkills
from services.assignment.adapters.sql.tickets import SqlTickets
from services.assignment.app.ports import Transaction


class SqlStore:
    """Implements the port `Store`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def transaction(self, account: AccountId) -> AbstractAsyncContextManager[Transaction]:
        return self._transaction(account)

    @asynccontextmanager
    async def _transaction(self, account: AccountId) -> AsyncIterator[Transaction]:
        async with self._database.transaction() as connection:
            yield Transaction(
                SqlDirectory(connection, account),
                SqlTickets(connection, account),
                SqlDecisions(connection, account),
                SqlOffers(connection, account),
                SqlSkills(connection, account),
                SqlSchedules(connection, account),
                SqlCapacities(connection, account),
                SqlOutbox(connection, account),
                SqlRequests(connection),
            )

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
