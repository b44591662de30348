"""Grants in PostgreSQL; the lease of a refresh runs on the database's clock."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.kernel.ids import AccountId
from services.auth.domain.grant import Grant, GrantState


class SqlGrants:
    """Implements the port `Grants`."""

    def __init__(self, connection: AsyncConnection, account: AccountId) -> None:
        self._connection = connection
        self._account = account

    async def get(self) -> Grant | None:
        row = (
            await self._connection.execute(
                text("SELECT * FROM grants WHERE account = :account"), {"account": self._account}
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
                    "lease_until = '-infinity' WHERE account = :account AND version = :expected RETURNING true"
                ),
                values,
            )
        return done.scalar_one_or_none() is not None

    async def take_lease(self, version: int, owner: str, intent: str, seconds: float) -> bool:
        done = await self._connection.execute(
            text(
                "UPDATE grants SET lease_owner = :owner, intent = :intent, state = 'refreshing', "
                "lease_until = clock_timestamp() + make_interval(secs => :seconds) "
                "WHERE account = :account AND version = :version AND lease_until < clock_timestamp() "
                "AND state <> 'needs_reauthorization' RETURNING true"
            ),
            {
                "account": self._account,
                "version": version,
                "owner": owner,
                "intent": intent,
                "seconds": seconds,
            },
        )
        return done.scalar_one_or_none() is not None

    async def mark(self, version: int, state: str) -> None:
        await self._connection.execute(
            text(
                "UPDATE grants SET state = :state, lease_owner = '', lease_until = '-infinity' "
                "WHERE account = :account AND version = :version"
            ),
            {"account": self._account, "version": version, "state": str(state)},
        )

    async def delete(self) -> None:
        await self._connection.execute(
            text("DELETE FROM grants WHERE account = :account"), {"account": self._account}
        )
