"""Policy's store on PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.db.engine import Database, Isolation
from libs.db.requests import Requests, SqlRequests
from libs.kernel.ids import AccountId
from services.policy.adapters.sql.history import SqlHistory
from services.policy.adapters.sql.log import SqlLog, keep_decisions
from services.policy.adapters.sql.objects import SqlObjects
from services.policy.adapters.sql.relationships import SqlRelationships
from services.policy.adapters.sql.types import SqlTypes
from services.policy.adapters.sql.users import SqlUsers
from services.policy.app.ports import LogRow, Reading, Transaction


class SqlTransaction(SqlHistory, SqlTypes, SqlUsers, SqlObjects, SqlRelationships, SqlLog):
    """Implements the port `Transaction`."""

    def __init__(self, connection: AsyncConnection, account: AccountId) -> None:
        super().__init__(connection, account)
        self.requests: Requests = SqlRequests(connection)


class SqlStore:
    """Implements the port `Store`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def transaction(self, account: AccountId) -> AbstractAsyncContextManager[Transaction]:
        # READ COMMITTED: after the wait for the account's lock the next statement sees what was committed.
        return self._transaction(account, "READ COMMITTED")

    def snapshot(self, account: AccountId) -> AbstractAsyncContextManager[Reading]:
        return self._transaction(account, "REPEATABLE READ", read_only=True)

    @asynccontextmanager
    async def _transaction(
        self, account: AccountId, isolation: Isolation, *, read_only: bool = False
    ) -> AsyncIterator[SqlTransaction]:
        async with self._database.transaction(isolation=isolation, read_only=read_only) as connection:
            yield SqlTransaction(connection, account)

    async def revisions(self, accounts: Collection[AccountId] | None = None) -> Mapping[AccountId, int]:
        async with self._database.transaction() as connection:
            rows = await connection.execute(
                text(
                    "SELECT account, revision FROM revisions "
                    "WHERE CAST(:accounts AS text[]) IS NULL OR account = ANY(CAST(:accounts AS text[]))"
                ),
                {"accounts": None if accounts is None else sorted(accounts)},
            )
            return {AccountId(row.account): row.revision for row in rows}

    async def log(self, rows: Sequence[tuple[AccountId, LogRow]]) -> None:
        async with self._database.transaction() as connection:
            await keep_decisions(connection, rows)
