"""Auth's store on PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime

from sqlalchemy import text

from libs.db.engine import Database
from libs.kernel.ids import AccountId
from services.auth.adapters.sql import grants, installations
from services.auth.adapters.sql.app_tokens import SqlAppTokens
from services.auth.adapters.sql.audit import SqlAudit
from services.auth.adapters.sql.grants import SqlGrants
from services.auth.adapters.sql.revocations import SqlAnnouncements
from services.auth.adapters.sql.sessions import SqlAuthorizations, SqlSessions
from services.auth.adapters.sql.signing_keys import SqlSigningKeys
from services.auth.app.ports import Transaction
from services.auth.domain.installation import Installation, InstallationState
from services.auth.domain.revocation import FEED_KEPT
from services.auth.domain.session import IDLE, MARGIN


class SqlStore:
    """Implements the port `Store`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def transaction(self, account: AccountId) -> AbstractAsyncContextManager[Transaction]:
        return self._transaction(account)

    @asynccontextmanager
    async def _transaction(self, account: AccountId) -> AsyncIterator[Transaction]:
        async with self._database.transaction() as connection:
            announcements = SqlAnnouncements(connection)
            yield Transaction(
                installations.SqlInstallations(connection, account, announcements),
                SqlGrants(connection, account),
                SqlAuthorizations(connection, account),
                SqlSessions(connection, account),
                SqlAudit(connection, account),
                SqlAppTokens(connection, account),
                SqlSigningKeys(connection),
                announcements,
            )
            await announcements.flush()

    async def bind(self, installation: Installation) -> Installation:
        async with self._database.transaction() as connection:
            return await installations.bind(connection, installation)

    async def use_once(self, key: bytes, until: datetime) -> bool:
        async with self._database.transaction() as connection:
            done = await connection.execute(
                text(
                    "INSERT INTO used_signed_urls (key, expires_at) VALUES (:key, :until) ON CONFLICT DO NOTHING "
                    "RETURNING true"
                ),
                {"key": key, "until": until},
            )
            return done.scalar_one_or_none() is not None

    async def due_grants(self, now: datetime, after: AccountId | None, limit: int) -> Sequence[AccountId]:
        async with self._database.transaction(read_only=True) as connection:
            return await grants.due(connection, now, after, limit)

    async def claim_watched(self, now: datetime, limit: int) -> Sequence[Installation]:
        async with self._database.transaction() as connection:
            return await installations.claim_watched(connection, now, limit)

    async def siblings(self, installation: Installation) -> Sequence[Installation]:
        async with self._database.transaction(read_only=True) as connection:
            return await installations.siblings(connection, installation)

    async def take_over(self, former: AccountId, newcomer: Installation) -> bool:
        async with self._database.transaction() as connection:
            return await installations.take_over(connection, former, newcomer)

    async def sweep(self, now: datetime) -> None:
        # A session past its absolute end is not touched any more: its idle end tells both.
        ends = {"ended": now - MARGIN, "idle": now - IDLE - MARGIN, "feed": now - FEED_KEPT}
        async with self._database.transaction() as connection:
            for statement in (
                "DELETE FROM used_signed_urls WHERE expires_at < :ended",
                "DELETE FROM authorizations WHERE expires_at < :ended",
                "DELETE FROM sessions WHERE seen_at < :idle",
                # The newest entry stays: the next one takes its number from it.
                "DELETE FROM revocations WHERE at < :feed AND position < (SELECT max(position) FROM revocations)",
            ):
                await connection.execute(text(statement), ends)

    async def installations(
        self, after: AccountId | None, limit: int, state: InstallationState | None
    ) -> Sequence[Installation]:
        async with self._database.transaction() as connection:
            return await installations.page(connection, after, limit, state)
