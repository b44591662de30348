"""Rotations of data keys in memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from libs.crypto.envelope import key_id_of
from libs.kernel.clock import Clock
from libs.kernel.ids import AccountId
from services.auth.adapters.memory.rows import Rows
from services.auth.app.vault_ports import Rotation, SealedValue


class MemorySealedValues:
    """Implements the port `SealedValues` over the rows of a store in memory.

    Args:
        rows: every account's rows, as they are now.
    """

    def __init__(self, rows: Callable[[], dict[AccountId, Rows]]) -> None:
        self._rows = rows

    def _all(self, account: str) -> list[SealedValue]:
        rows = self._rows().get(AccountId(account))
        if rows is None:
            return []
        found = [
            SealedValue("authorizations", "verifier", one.id, one.verifier)
            for one in rows.authorizations.values()
        ]
        if rows.grant is not None:
            grant = rows.grant.grant
            found.append(SealedValue("grants", "access", str(grant.version), grant.access))
            found.append(SealedValue("grants", "refresh", str(grant.version), grant.refresh or b""))
        if rows.installation is not None:
            mine = rows.installation
            found.append(SealedValue("installations", "contact_name", account, mine.contact_name or b""))
            found.append(SealedValue("installations", "contact_email", account, mine.contact_email or b""))
        return found

    async def under(self, account: str, key_id: bytes, limit: int) -> Sequence[SealedValue]:
        return [value for value in self._all(account) if key_id_of(value.sealed) == key_id][:limit]

    async def replace(self, account: str, value: SealedValue, sealed: bytes) -> bool:
        if value not in self._all(account):
            return False
        rows = self._rows()[AccountId(account)]
        if value.table == "authorizations":
            rows.authorizations[value.row] = replace(rows.authorizations[value.row], verifier=sealed)
        elif value.table == "grants" and rows.grant is not None:
            access = sealed if value.column == "access" else rows.grant.grant.access
            refresh = sealed if value.column == "refresh" else rows.grant.grant.refresh
            rows.grant = replace(rows.grant, grant=replace(rows.grant.grant, access=access, refresh=refresh))
        elif rows.installation is not None:
            name = sealed if value.column == "contact_name" else rows.installation.contact_name
            email = sealed if value.column == "contact_email" else rows.installation.contact_email
            rows.installation = replace(rows.installation, contact_name=name, contact_email=email)
        return True


class MemoryRotations:
    """Implements the port `Rotations`.

    Args:
        clock: on which turns end.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._rows: dict[str, Rotation] = {}
        self._turn: tuple[str, datetime] | None = None

    async def begin(self, rotation: Rotation) -> Rotation:
        found = await self.under_way()
        if found is None:
            self._rows[rotation.id] = found = rotation
        return found

    async def under_way(self) -> Rotation | None:
        return next((one for one in self._rows.values() if one.finished_at is None), None)

    async def get(self, rotation: str) -> Rotation | None:
        return self._rows.get(rotation)

    async def progress(self, rotation: str, *, renewed: int = 0, resealed: int = 0, dropped: int = 0) -> None:
        old = self._rows[rotation]
        self._rows[rotation] = replace(
            old,
            renewed=old.renewed + renewed,
            resealed=old.resealed + resealed,
            dropped=old.dropped + dropped,
        )

    async def finish(self, rotation: str, at: datetime) -> bool:
        if self._rows[rotation].finished_at is not None:
            return False
        self._rows[rotation] = replace(self._rows[rotation], finished_at=at)
        return True

    async def take_turn(self, holder: str, seconds: float) -> bool:
        now = self._clock.now()
        if self._turn is not None and self._turn[0] != holder and now < self._turn[1]:
            return False
        self._turn = (holder, now + timedelta(seconds=seconds))
        return True


class MemoryEvictions:
    """Implements the port `Evictions`: tells whoever listens in this process."""

    def __init__(self) -> None:
        self.listeners: list[Callable[[str], None]] = []

    async def tell(self, account: AccountId) -> None:
        for heard in self.listeners:
            heard(account)
