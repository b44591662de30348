"""What token each app was given, in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.db.engine import Database
from libs.kernel.ids import AccountId
from services.auth.app.key_ports import AppToken, Due


class SqlAppTokens:
    """Implements the port `AppTokens`."""

    def __init__(self, connection: AsyncConnection, account: AccountId) -> None:
        self._connection = connection
        self._account = account

    async def get(self) -> AppToken | None:
        row = (
            await self._connection.execute(
                text(
                    "SELECT token_id, kid, issued_at, seen_at FROM app_tokens "
                    "WHERE account = :account AND token_id <> ''"
                ),
                {"account": self._account},
            )
        ).one_or_none()
        return None if row is None else AppToken(*row)

    async def put(self, token: AppToken) -> None:
        await self._connection.execute(
            text(
                "INSERT INTO app_tokens (account, token_id, kid, issued_at, seen_at) "
                "VALUES (:account, :token_id, :kid, :issued_at, :seen_at) ON CONFLICT (account) DO UPDATE SET "
                "token_id = excluded.token_id, kid = excluded.kid, issued_at = excluded.issued_at, "
                "seen_at = excluded.seen_at, claimed_until = 'epoch'"
            ),
            {
                "account": self._account,
                "token_id": token.token_id,
                "kid": token.kid,
                "issued_at": token.issued_at,
                "seen_at": token.seen_at,
            },
        )

    async def seen(self, token_id: str, at: datetime) -> None:
        await self._connection.execute(
            text(
                "UPDATE app_tokens SET seen_at = :at WHERE account = :account AND token_id = :token_id "
                "AND seen_at IS NULL"
            ),
            {"account": self._account, "token_id": token_id, "at": at},
        )

    async def claim(self, now: datetime, until: datetime) -> bool:
        done = await self._connection.execute(
            text(
                "INSERT INTO app_tokens (account, token_id, kid, issued_at, claimed_until) "
                "VALUES (:account, '', '', 'epoch', :until) ON CONFLICT (account) DO UPDATE SET "
                "claimed_until = :until WHERE app_tokens.claimed_until <= :now RETURNING true"
            ),
            {"account": self._account, "now": now, "until": until},
        )
        return done.scalar_one_or_none() is not None


class SqlTokensDue:
    """Implements the port `TokensDue`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def due(self, what: Due, now: datetime, limit: int) -> Sequence[AccountId]:
        query = text(
            "SELECT i.account FROM installations i LEFT JOIN app_tokens t ON t.account = i.account "
            "WHERE i.state = 'authorized' AND (t.claimed_until IS NULL OR t.claimed_until <= :now) AND ("
            "COALESCE(NULLIF(t.issued_at, 'epoch'), i.authorized_at) <= :aged "
            "OR (t.token_id <> '' AND t.seen_at IS NULL AND t.issued_at <= :unseen) "
            "OR t.kid = ANY(CAST(:distrusted AS text[]))) "
            "ORDER BY COALESCE(t.claimed_until, 'epoch'), i.account LIMIT :n"
        )
        async with self._database.transaction(read_only=True) as connection:
            found = await connection.execute(
                query,
                {
                    "now": now,
                    "aged": what.aged,
                    "unseen": what.unseen,
                    "distrusted": list(what.distrusted),
                    "n": limit,
                },
            )
            return [AccountId(account) for account in found.scalars()]
