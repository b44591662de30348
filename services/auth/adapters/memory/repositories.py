"""The parts of a transaction in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from libs.crypto.chain import GENESIS, chain_hash
from libs.kernel.clock import Clock
from libs.kernel.ids import AccountId
from services.auth.adapters.memory.keys import MemoryAnnouncements
from services.auth.adapters.memory.rows import DuplicateKeyError, Rows, StoredGrant
from services.auth.app.audit_chain import event
from services.auth.app.ports import AuditRow
from services.auth.domain.authorization import Authorization
from services.auth.domain.grant import DEAD, Grant, GrantState
from services.auth.domain.installation import Installation
from services.auth.domain.session import Session

_MINUTE = timedelta(minutes=1)


class MemoryInstallations:
    """Implements the port `Installations`."""

    def __init__(self, rows: Rows, account: AccountId, announcements: MemoryAnnouncements) -> None:
        self._rows = rows
        self._account = account
        self._announcements = announcements

    async def get(self, *, for_update: bool = False) -> Installation | None:
        return self._rows.installation

    async def put(self, installation: Installation) -> None:
        old = self._rows.installation
        if old is not None:  # what was bound at first sight stays
            installation = replace(
                installation,
                app_id=old.app_id,
                installation_id=old.installation_id,
                subdomain=old.subdomain,
                created_at=old.created_at,
            )
        self._rows.installation = replace(installation, account=self._account)
        if installation.generation > (old.generation if old is not None else 0):
            self._announcements.generation(self._account, installation.generation)


class MemoryGrants:
    """Implements the port `Grants`.

    Args:
        clock: the store's clock, on which leases end.
    """

    def __init__(self, rows: Rows, clock: Clock) -> None:
        self._rows = rows
        self._clock = clock

    async def get(self) -> Grant | None:
        return self._rows.grant.grant if self._rows.grant else None

    async def replace(self, grant: Grant, *, expected_version: int) -> bool:
        stored = self._rows.grant
        if (stored.grant.version if stored else 0) != expected_version:
            return False
        self._rows.grant = StoredGrant(replace(grant, state=GrantState.OK, intent=""))
        return True

    async def take_lease(self, version: int, intent: str, seconds: float) -> GrantState | None:
        stored, now = self._rows.grant, self._clock.now()
        if stored is None or stored.grant.version != version or stored.grant.state in DEAD:
            return None
        if stored.until is not None and now <= stored.until:
            return None
        taken = replace(stored.grant, state=GrantState.REFRESHING, intent=intent)
        self._rows.grant = StoredGrant(taken, intent, now + timedelta(seconds=seconds))
        return stored.grant.state

    async def mark(self, version: int, intent: str, state: GrantState, *, hold_seconds: float = 0.0) -> bool:
        stored = self._rows.grant
        if stored is None or stored.grant.version != version or not intent or stored.holder != intent:
            return False
        until = self._clock.now() + timedelta(seconds=hold_seconds) if hold_seconds else None
        self._rows.grant = StoredGrant(replace(stored.grant, state=state), "", until)
        return True

    async def delete(self) -> None:
        stored = self._rows.grant
        if stored is not None and stored.grant.state is not GrantState.REVOKED:
            gone = replace(
                stored.grant,
                version=stored.grant.version + 1,
                access=b"",
                refresh=None,
                state=GrantState.REVOKED,
                intent="",
            )
            self._rows.grant = StoredGrant(gone)


class MemoryAuthorizations:
    """Implements the port `Authorizations`."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows.authorizations

    async def add(self, authorization: Authorization) -> None:
        if authorization.id in self._rows:
            raise DuplicateKeyError
        self._rows[authorization.id] = authorization

    async def by_ticket(self, ticket_hash: bytes) -> Authorization | None:
        return next((a for a in self._rows.values() if a.ticket_hash == ticket_hash), None)

    async def by_state(self, state_hash: bytes) -> Authorization | None:
        return next((a for a in self._rows.values() if a.state_hash == state_hash), None)

    async def put(self, authorization: Authorization) -> None:
        old = self._rows.get(authorization.id)
        if old is not None:
            self._rows[authorization.id] = replace(
                old,
                state_hash=authorization.state_hash,
                cookie_hash=authorization.cookie_hash,
                used=authorization.used,
            )


class MemorySessions:
    """Implements the port `Sessions`."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows.sessions

    async def add(self, session: Session) -> None:
        if session.token_hash in self._rows:
            raise DuplicateKeyError
        self._rows[session.token_hash] = session

    async def get(self, token_hash: bytes) -> Session | None:
        return self._rows.get(token_hash)

    async def touch(self, token_hash: bytes, seen_at: datetime) -> None:
        found = self._rows.get(token_hash)
        if found is not None and found.seen_at < seen_at - _MINUTE:
            self._rows[token_hash] = replace(found, seen_at=seen_at)

    async def delete(self, token_hash: bytes) -> None:
        self._rows.pop(token_hash, None)


class MemoryAudit:
    """Implements the port `Audit`."""

    def __init__(self, rows: Rows, account: AccountId) -> None:
        self._rows = rows.audit
        self._account = account

    async def record(
        self, actor: str, action: str, outcome: str, facts: Mapping[str, str], at: datetime
    ) -> None:
        sequence = len(self._rows) + 1
        before = self._rows[-1].hash if self._rows else GENESIS
        link = chain_hash(before, event(self._account, sequence, at, actor, action, outcome, facts))
        self._rows.append(AuditRow(sequence, at, actor, action, outcome, dict(facts), link))

    async def page(self, after: int, limit: int) -> Sequence[AuditRow]:
        return self._rows[after : after + limit]
