"""Signing keys, revocations and app tokens in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from libs.kernel.ids import AccountId
from services.auth.adapters.memory.rows import Rows
from services.auth.app.key_ports import AppToken, Due, KeyRing, StoredKey
from services.auth.domain.installation import InstallationState
from services.auth.domain.revocation import PLATFORM, Revocation
from services.auth.domain.signing_key import Phase, SigningKey

AllRows = Callable[[], Mapping[AccountId, Rows]]


class MemorySigningKeys:
    """Implements the port `SigningKeys` over the platform's rows."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    async def ring(self, kind: str) -> KeyRing:
        return self._rows.rings.get(kind, KeyRing(0, False, ()))

    async def change(
        self,
        kind: str,
        version: int,
        *,
        moves: Mapping[str, SigningKey],
        new: Sequence[StoredKey],
        requested: bool,
    ) -> bool:
        ring = await self.ring(kind)
        if ring.version != version:
            return False
        moved = [self._moved(one, moves.get(one.key.kid)) for one in ring.keys]
        keys = sorted([*moved, *new], key=lambda one: (one.key.published_at, one.key.kid))
        self._rows.rings[kind] = KeyRing(version + 1, requested, tuple(keys))
        return True

    async def publish(self, kind: str, kid: str, public: str) -> None:
        ring = await self.ring(kind)
        keys = [replace(k, public=k.public or public) if k.key.kid == kid else k for k in ring.keys]
        self._rows.rings[kind] = replace(ring, keys=tuple(keys))

    @staticmethod
    def _moved(stored: StoredKey, move: SigningKey | None) -> StoredKey:
        if move is None:
            return stored
        return replace(stored, key=move, sealed=stored.sealed if move.phase is Phase.ACTIVE else None)

    async def find(self, kid: str) -> tuple[str, Phase] | None:
        for kind, ring in self._rows.rings.items():
            for one in ring.keys:
                if one.key.kid == kid:
                    return kind, one.key.phase
        return None


class MemoryAnnouncements:
    """Implements the port `Announcements`."""

    def __init__(self) -> None:
        self.told: list[Revocation] = []

    def generation(self, account: AccountId, generation: int) -> None:
        """Announce a raised generation."""
        self.told.append(Revocation(0, account, generation))

    def distrust(self, kid: str) -> None:
        self.told.append(Revocation(0, kid=kid))

    def keys_changed(self) -> None:
        self.distrust("")


class MemoryRevocationFeed:
    """Implements the port `RevocationFeed`.

    Args:
        rows: gives the rows of every account.
        answer: raises what an absent database would.
        heard: called after each commit that announced something.
    """

    def __init__(self, rows: AllRows, answer: Callable[[], None]) -> None:
        self._rows = rows
        self._answer = answer
        self._entries: list[Revocation] = []
        self.heard: list[Callable[[str], None]] = []

    def commit(self, told: Sequence[Revocation]) -> None:
        """Give the entries of a committed transaction their positions."""
        for entry in told:
            self._entries.append(replace(entry, position=len(self._entries) + 1))
        for heard in self.heard if told else ():
            heard(str(len(self._entries)))

    async def tail(self, limit: int) -> Sequence[Revocation]:
        self._answer()
        return self._entries[-limit:]

    async def after(self, position: int, limit: int) -> Sequence[Revocation]:
        self._answer()
        return self._entries[position : position + limit]

    async def snapshot(self) -> AsyncIterator[Revocation]:
        self._answer()
        position = len(self._entries)
        yield Revocation(position)
        rows = self._rows()
        for ring in rows.get(PLATFORM, Rows()).rings.values():
            for one in ring.keys:
                if one.key.phase is Phase.REVOKED:
                    yield Revocation(position, kid=one.key.kid)
        for account in sorted(rows):
            installation = rows[account].installation
            if installation is not None and installation.generation > 0:
                yield Revocation(position, account, installation.generation)


class MemoryAppTokens:
    """Implements the port `AppTokens`."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    async def get(self) -> AppToken | None:
        return self._rows.app_token

    async def put(self, token: AppToken) -> None:
        self._rows.app_token, self._rows.app_token_claim = token, None

    async def seen(self, token_id: str, at: datetime) -> None:
        known = self._rows.app_token
        if known is not None and known.token_id == token_id and known.seen_at is None:
            self._rows.app_token = replace(known, seen_at=at)

    async def claim(self, now: datetime, until: datetime) -> bool:
        if self._rows.app_token_claim is not None and self._rows.app_token_claim > now:
            return False
        self._rows.app_token_claim = until
        return True


class MemoryTokensDue:
    """Implements the port `TokensDue`."""

    def __init__(self, rows: AllRows) -> None:
        self._rows = rows

    async def due(self, what: Due, now: datetime, limit: int) -> Sequence[AccountId]:
        rows, never = self._rows(), datetime.min.replace(tzinfo=UTC)
        due = [account for account in sorted(rows) if _due(rows[account], what, now)]
        return sorted(due, key=lambda account: rows[account].app_token_claim or never)[:limit]


def _due(rows: Rows, what: Due, now: datetime) -> bool:
    installation, token = rows.installation, rows.app_token
    if installation is None or installation.state is not InstallationState.AUTHORIZED:
        return False
    if rows.app_token_claim is not None and rows.app_token_claim > now:
        return False
    since = token.issued_at if token is not None else installation.authorized_at
    if since is not None and since <= what.aged:
        return True
    if token is None:
        return False
    return (token.seen_at is None and token.issued_at <= what.unseen) or token.kid in what.distrusted
