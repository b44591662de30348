"""Policy's store on PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from libs.db.engine import Database, Isolation
from libs.kernel.ids import AccountId
from services.policy.adapters.sql.log import SqlLog
from services.policy.adapters.sql.relationships import SqlRelationships
from services.policy.adapters.sql.types import SqlTypes
from services.policy.adapters.sql.users import SqlUsers
from services.policy.app.ports import Transaction


class SqlTransaction(SqlTypes, SqlUsers, SqlRelationships, SqlLog):
    """Implements the port `Transaction`."""


class SqlStore:
    """Implements the port `Store`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def transaction(self, account: AccountId) -> AbstractAsyncContextManager[Transaction]:
        # READ COMMITTED: after the wait for the account's lock the next statement sees what was committed.
        return self._transaction(account, "READ COMMITTED")

    def snapshot(self, account: AccountId) -> AbstractAsyncContextManager[Transaction]:
        # Inserts into the log never conflict, so a serialization failure cannot happen here.
        return self._transaction(account, "REPEATABLE READ")

    @asynccontextmanager
    async def _transaction(self, account: AccountId, isolation: Isolation) -> AsyncIterator[Transaction]:
        async with self._database.transaction(isolation=isolation) as connection:
            yield SqlTransaction(connection, account)
