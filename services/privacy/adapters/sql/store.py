"""Privacy's store on PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from sqlalchemy import text

from libs.db.engine import Database
from libs.db.requests import Requests, SqlRequests
from libs.kernel.ids import AccountId
from services.privacy.adapters.sql.registers import SqlRegisters
from services.privacy.adapters.sql.work import SqlWork
from services.privacy.app.ports import Transaction


class SqlTransaction(SqlWork, SqlRegisters):
    """Implements the port `Transaction`."""

    @property
    def answers(self) -> Requests:
        return SqlRequests(self._connection)


class SqlStore:
    """Implements the port `Store`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def transaction(self, account: AccountId) -> AbstractAsyncContextManager[Transaction]:
        return self._transaction(account)

    @asynccontextmanager
    async def _transaction(self, account: AccountId) -> AsyncIterator[Transaction]:
        async with self._database.transaction() as connection:
            yield SqlTransaction(connection, account)

    async def due(self) -> list[tuple[AccountId, str]]:
        async with self._database.transaction(read_only=True) as connection:
            rows = await connection.execute(
                text(
                    "SELECT r.account, r.id FROM subject_requests r CROSS JOIN LATERAL (SELECT * FROM steps s "
                    "WHERE s.account = r.account AND s.request = r.id AND s.state NOT IN ('DONE', 'RETAINED') "
                    "ORDER BY s.position LIMIT 1) s "
                    "WHERE r.state IN ('RECEIVED', 'EXECUTING', 'VERIFYING') AND s.state IN ('PENDING', 'WAITING') "
                    "AND s.lease_until < clock_timestamp() AND s.not_before <= clock_timestamp() "
                    "ORDER BY s.updated_at LIMIT 100"
                )
            )
            return [(AccountId(row.account), row.id) for row in rows]
