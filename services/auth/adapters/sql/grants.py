"""Grants in PostgreSQL; the lease of a refresh runs on the database's clock."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.kernel.ids import AccountId
from services.auth.domain.grant import JITTER, REFRESH_AT, Grant, GrantState


class SqlGrants:
    """Implements the port `Grants`."""

    def __init__(self, connection: AsyncConnection, account: AccountId) -> None:
        self._connection = connection
        self._account = account

    async def get(self) -> Grant | None:
        row = (
            await self._connection.execute(
                text(
                    "SELECT version, access, refresh, issued_at, access_expires_at, refresh_expires_at, state, "
                    "intent FROM grants WHERE account = :account"
                ),
                {"account": self._account},
            )
        ).one_or_none()
        if row is None:
            return None
        return Grant(
            self._account,
            row.version,
            row.access,
            row.refresh,
            row.issued_at,
            row.access_expires_at,
            row.refresh_expires_at,
            GrantState(row.state),
            row.intent,
        )

    async def replace(self, grant: Grant, *, expected_version: int) -> bool:
        values = {
            "account": self._account,
            "version": grant.version,
            "access": grant.access,
            "refresh": grant.refresh,
            "issued_at": grant.issued_at,
            "access_expires_at": grant.access_expires_at,
            "refresh_expires_at": grant.refresh_expires_at,
            "expected": expected_version,
        }
        if expected_version == 0:
            done = await self._connection.execute(
                text(
                    "INSERT INTO grants (account, version, access, refresh, issued_at, access_expires_at, "
                    "refresh_expires_at, state) VALUES (:account, :version, :access, :refresh, :issued_at, "
                    ":access_expires_at, :refresh_expires_at, 'ok') ON CONFLICT (account) DO NOTHING RETURNING true"
                ),
                values,
            )
        else:
            done = await self._connection.execute(
                text(
                    "UPDATE grants SET version = :version, access = :access, refresh = :refresh, "
                    "issued_at = :issued_at, access_expires_at = :access_expires_at, "
                    "refresh_expires_at = :refresh_expires_at, state = 'ok', intent = '', lease_owner = '', "
                    "lease_until = 'epoch' WHERE account = :account AND version = :expected RETURNING true"
                ),
                values,
            )
        return done.scalar_one_or_none() is not None

    async def take_lease(self, version: int, intent: str, seconds: float) -> GrantState | None:
        done = await self._connection.execute(
            text(
                "WITH found AS (SELECT state FROM grants WHERE account = :account AND version = :version "
                "AND lease_until < clock_timestamp() AND state IN ('ok', 'refreshing', 'uncertain') FOR UPDATE) "
                "UPDATE grants SET lease_owner = :intent, intent = :intent, state = 'refreshing', "
                "lease_until = clock_timestamp() + make_interval(secs => :seconds) "
                "FROM found WHERE account = :account RETURNING found.state"
            ),
            {"account": self._account, "version": version, "intent": intent, "seconds": seconds},
        )
        found = done.scalar_one_or_none()
        return None if found is None else GrantState(found)

    async def mark(self, version: int, intent: str, state: GrantState, *, hold_seconds: float = 0.0) -> bool:
        done = await self._connection.execute(
            text(
                "UPDATE grants SET state = :state, lease_owner = '', "
                "lease_until = clock_timestamp() + make_interval(secs => :hold) "
                "WHERE account = :account AND version = :version AND lease_owner = :intent "
                "AND lease_owner <> '' RETURNING true"
            ),
            {
                "account": self._account,
                "version": version,
                "intent": intent,
                "state": state.value,
                "hold": hold_seconds,
            },
        )
        return done.scalar_one_or_none() is not None

    async def delete(self) -> None:
        await self._connection.execute(
            text(
                "UPDATE grants SET version = version + 1, access = '', refresh = NULL, state = 'revoked', "
                "intent = '', lease_owner = '', lease_until = 'epoch' "
                "WHERE account = :account AND state <> 'revoked'"
            ),
            {"account": self._account},
        )


async def due(
    connection: AsyncConnection, now: datetime, after: AccountId | None, limit: int
) -> Sequence[AccountId]:
    """Return accounts whose grant may be due, or was left by a holder who is gone."""
    rows = await connection.execute(
        text(
            "SELECT account FROM grants WHERE account > :after AND lease_until < clock_timestamp() "
            "AND ((state = 'ok' AND refresh IS NOT NULL "
            "AND issued_at + (access_expires_at - issued_at) * :share <= :now) "
            "OR state IN ('refreshing', 'uncertain')) ORDER BY account LIMIT :limit"
        ),
        {"now": now, "share": REFRESH_AT * (1 - JITTER), "after": after or "", "limit": limit},
    )
    return [AccountId(account) for account in rows.scalars()]
