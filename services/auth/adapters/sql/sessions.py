"""Sessions and authorisations in PostgreSQL."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.kernel.ids import AccountId, UserId
from services.auth.domain.authorization import Authorization
from services.auth.domain.session import Session


class SqlSessions:
    """Implements the port `Sessions`."""

    def __init__(self, connection: AsyncConnection, account: AccountId) -> None:
        self._connection = connection
        self._account = account

    async def add(self, session: Session) -> None:
        await self._connection.execute(
            text(
                "INSERT INTO sessions (account, token_hash, installation_id, user_id, generation, opened_at, seen_at) "
                "VALUES (:account, :token_hash, :installation_id, :user, :generation, :opened_at, :seen_at)"
            ),
            {
                "account": self._account,
                "token_hash": session.token_hash,
                "installation_id": session.installation_id,
                "user": session.user,
                "generation": session.generation,
                "opened_at": session.opened_at,
                "seen_at": session.seen_at,
            },
        )

    async def get(self, token_hash: bytes) -> Session | None:
        row = (
            await self._connection.execute(
                text("SELECT * FROM sessions WHERE account = :account AND token_hash = :hash"),
                {"account": self._account, "hash": token_hash},
            )
        ).one_or_none()
        if row is None:
            return None
        return Session(
            self._account,
            row.token_hash,
            row.installation_id,
            UserId(row.user_id),
            row.generation,
            row.opened_at,
            row.seen_at,
        )

    async def touch(self, token_hash: bytes, seen_at: datetime) -> None:
        # At most once a minute: a busy session must not write on every call.
        await self._connection.execute(
            text(
                "UPDATE sessions SET seen_at = :seen_at WHERE account = :account AND token_hash = :hash "
                "AND seen_at < CAST(:seen_at AS timestamptz) - interval '1 minute'"
            ),
            {"account": self._account, "hash": token_hash, "seen_at": seen_at},
        )

    async def delete(self, token_hash: bytes) -> None:
        await self._connection.execute(
            text("DELETE FROM sessions WHERE account = :account AND token_hash = :hash"),
            {"account": self._account, "hash": token_hash},
        )


class SqlAuthorizations:
    """Implements the port `Authorizations`."""

    def __init__(self, connection: AsyncConnection, account: AccountId) -> None:
        self._connection = connection
        self._account = account

    async def add(self, authorization: Authorization) -> None:
        await self._connection.execute(
            text(
                "INSERT INTO authorizations (account, id, ticket_hash, state_hash, cookie_hash, verifier, user_id, "
                "generation, expires_at, used) VALUES (:account, :id, :ticket_hash, :state_hash, :cookie_hash, "
                ":verifier, :user, :generation, :expires_at, :used)"
            ),
            self._values(authorization),
        )

    async def put(self, authorization: Authorization) -> None:
        await self._connection.execute(
            text(
                "UPDATE authorizations SET state_hash = :state_hash, cookie_hash = :cookie_hash, used = :used "
                "WHERE account = :account AND id = :id"
            ),
            self._values(authorization),
        )

    async def by_ticket(self, ticket_hash: bytes) -> Authorization | None:
        return await self._one("ticket_hash", ticket_hash)

    async def by_state(self, state_hash: bytes) -> Authorization | None:
        return await self._one("state_hash", state_hash)

    async def _one(self, column: str, value: bytes) -> Authorization | None:
        query = f"SELECT * FROM authorizations WHERE account = :account AND {column} = :value FOR UPDATE"  # noqa: S608 - constants only
        row = (
            await self._connection.execute(text(query), {"account": self._account, "value": value})
        ).one_or_none()
        if row is None:
            return None
        return Authorization(
            self._account,
            row.id,
            row.ticket_hash,
            row.state_hash,
            row.verifier,
            UserId(row.user_id),
            row.generation,
            row.expires_at,
            row.cookie_hash,
            row.used,
        )

    def _values(self, authorization: Authorization) -> dict[str, object]:
        return {
            "account": self._account,
            "id": authorization.id,
            "ticket_hash": authorization.ticket_hash,
            "state_hash": authorization.state_hash,
            "cookie_hash": authorization.cookie_hash,
            "verifier": authorization.verifier,
            "user": authorization.user,
            "generation": authorization.generation,
            "expires_at": authorization.expires_at,
            "used": authorization.used,
        }
