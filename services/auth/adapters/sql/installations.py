"""Installations in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.kernel.ids import AccountId, UserId
from services.auth.adapters.sql.revocations import SqlAnnouncements
from services.auth.domain.installation import (
    ASK_EVERY,
    CONFIRM_AFTER,
    ERASE_AFTER,
    Installation,
    InstallationState,
)

_COLUMNS = (
    "account, app_id, installation_id, subdomain, state, enabled, group_restrictions, role_restrictions, scopes, "
    "generation, admin_user_id, contact_name, contact_email, authorized_at, checked_at, gone_since, created_at"
)
_VALUES = ", ".join(f":{c}" for c in _COLUMNS.split(", "))
_CHANGES = ", ".join(f"{c} = excluded.{c}" for c in _COLUMNS.split(", ")[4:-1])


def _read(row: Row[Any]) -> Installation:
    return Installation(
        account=AccountId(row.account),
        app_id=row.app_id,
        installation_id=row.installation_id,
        subdomain=row.subdomain,
        created_at=row.created_at,
        state=InstallationState(row.state),
        enabled=row.enabled,
        group_restrictions=tuple(row.group_restrictions),
        role_restrictions=tuple(row.role_restrictions),
        scopes=tuple(row.scopes),
        generation=row.generation,
        admin=UserId(row.admin_user_id) if row.admin_user_id is not None else None,
        contact_name=row.contact_name,
        contact_email=row.contact_email,
        authorized_at=row.authorized_at,
        checked_at=row.checked_at,
        gone_since=row.gone_since,
    )


def _write(installation: Installation) -> dict[str, object]:
    return {
        "account": installation.account,
        "app_id": installation.app_id,
        "installation_id": installation.installation_id,
        "subdomain": installation.subdomain,
        "state": installation.state.value,
        "enabled": installation.enabled,
        "group_restrictions": list(installation.group_restrictions),
        "role_restrictions": list(installation.role_restrictions),
        "scopes": list(installation.scopes),
        "generation": installation.generation,
        "admin_user_id": installation.admin,
        "contact_name": installation.contact_name,
        "contact_email": installation.contact_email,
        "authorized_at": installation.authorized_at,
        "checked_at": installation.checked_at,
        "gone_since": installation.gone_since,
        "created_at": installation.created_at,
    }


class SqlInstallations:
    """Implements the port `Installations`."""

    def __init__(
        self, connection: AsyncConnection, account: AccountId, announcements: SqlAnnouncements
    ) -> None:
        self._connection = connection
        self._account = account
        self._announcements = announcements

    async def get(self, *, for_update: bool = False) -> Installation | None:
        query = f"SELECT {_COLUMNS} FROM installations WHERE account = :account"  # noqa: S608 - constants only
        lock = " FOR UPDATE" if for_update else ""
        row = (await self._connection.execute(text(query + lock), {"account": self._account})).one_or_none()
        return _read(row) if row else None

    async def put(self, installation: Installation) -> None:
        query = (
            "WITH before AS (SELECT generation FROM installations WHERE account = :account) "  # noqa: S608 - constants only
            f"INSERT INTO installations ({_COLUMNS}) VALUES ({_VALUES}) "
            f"ON CONFLICT (account) DO UPDATE SET {_CHANGES} "
            "RETURNING COALESCE((SELECT generation FROM before), 0)"
        )
        done = await self._connection.execute(text(query), _write(installation) | {"account": self._account})
        if installation.generation > done.scalar_one():
            self._announcements.generation(self._account, installation.generation)


async def bind(connection: AsyncConnection, installation: Installation) -> Installation:
    """Return the installation with this app, subdomain and installation id; keep it when it is new."""
    query = (
        f"INSERT INTO installations ({_COLUMNS}) VALUES ({_VALUES}) "  # noqa: S608 - constants only
        "ON CONFLICT (app_id, subdomain, installation_id) DO NOTHING"
    )
    await connection.execute(text(query), _write(installation))
    found = await connection.execute(
        text(
            f"SELECT {_COLUMNS} FROM installations "  # noqa: S608 - constants only
            "WHERE app_id = :app_id AND subdomain = :subdomain AND installation_id = :installation_id"
        ),
        {
            "app_id": installation.app_id,
            "subdomain": installation.subdomain,
            "installation_id": installation.installation_id,
        },
    )
    return _read(found.one())


async def page(
    connection: AsyncConnection, after: AccountId | None, limit: int, state: InstallationState | None
) -> Sequence[Installation]:
    """Return installations over all accounts, ordered by account."""
    rows = await connection.execute(
        text(
            f"SELECT {_COLUMNS} FROM installations WHERE account > :after "  # noqa: S608 - constants only
            "AND (CAST(:state AS text) IS NULL OR state = :state) ORDER BY account LIMIT :limit"
        ),
        {"after": after or "", "limit": limit, "state": state.value if state else None},
    )
    return [_read(row) for row in rows]


async def claim_watched(connection: AsyncConnection, now: datetime, limit: int) -> Sequence[Installation]:
    """Return installations that it is time to ask Zendesk about, or to end; another replica does not get them."""
    rows = await connection.execute(
        text(
            "UPDATE installations SET checked_at = :now WHERE account IN (SELECT account FROM installations "  # noqa: S608 - constants only
            "WHERE (state IN ('authorized', 'needs_reauthorization') "
            "AND (checked_at IS NULL OR checked_at <= :ask OR (gone_since IS NOT NULL AND checked_at <= :confirm))) "
            "OR (state = 'revoked' AND gone_since <= :erase AND checked_at <= :ask) "
            "ORDER BY checked_at NULLS FIRST, account LIMIT :limit FOR UPDATE SKIP LOCKED) "
            f"RETURNING {_COLUMNS}"
        ),
        {
            "now": now,
            "ask": now - ASK_EVERY,
            "confirm": now - CONFIRM_AFTER,
            "erase": now - ERASE_AFTER,
            "limit": limit,
        },
    )
    return [_read(row) for row in rows]


async def siblings(connection: AsyncConnection, installation: Installation) -> Sequence[Installation]:
    """Return other installations of the app on the subdomain that were once authorised, newest first."""
    rows = await connection.execute(
        text(
            f"SELECT {_COLUMNS} FROM installations WHERE app_id = :app_id "  # noqa: S608 - constants only
            "AND subdomain = :subdomain AND account <> :account AND authorized_at IS NOT NULL "
            "ORDER BY authorized_at DESC, account"
        ),
        {
            "app_id": installation.app_id,
            "subdomain": installation.subdomain,
            "account": installation.account,
        },
    )
    return [_read(row) for row in rows]


async def take_over(connection: AsyncConnection, former: AccountId, newcomer: Installation) -> bool:
    """Move the newcomer's installation id to the former account, in one transaction."""
    values = {
        "former": former,
        "newcomer": newcomer.account,
        "installation_id": newcomer.installation_id,
        "generation": newcomer.generation,
    }
    gone = await connection.execute(
        text(
            "DELETE FROM installations WHERE account = :newcomer AND authorized_at IS NULL "
            "AND state = 'unauthorized' AND generation = :generation AND installation_id = :installation_id"
        ),
        values,
    )
    if gone.rowcount != 1:
        return False
    for table in ("sessions", "authorizations", "grants"):
        await connection.execute(text(f"DELETE FROM {table} WHERE account = :newcomer"), values)  # noqa: S608 - constants
    moved = await connection.execute(
        text(
            "UPDATE installations SET installation_id = :installation_id, state = 'unauthorized', enabled = true, "
            "gone_since = NULL WHERE account = :former"
        ),
        values,
    )
    return moved.rowcount == 1
