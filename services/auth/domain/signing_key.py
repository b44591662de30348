"""Phases of our signing keys, and when a key moves on (facts: auth §4).

    published -> active -> retiring -> gone          any of them -> revoked -> gone

A key is published for `lead` before it signs, so that whoever caches the set has it by then; after it stops
signing it stays published until the last token of it is dead. Nothing here knows how a key is made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

MARGIN = timedelta(minutes=10)
"""Beyond the last token's end: leeways, and a replica that learned of the change late."""
MAXIMUM_LIVING = 24
"""Keys of one kind in the set; a verifier refuses a set of more than 32 keys as a whole."""


class Phase(StrEnum):
    """Where a key stands. Exactly one key of a kind is active; retiring and later ones have no private half."""

    PUBLISHED = "published"
    ACTIVE = "active"
    RETIRING = "retiring"
    REVOKED = "revoked"
    GONE = "gone"


LIVING = frozenset({Phase.PUBLISHED, Phase.ACTIVE, Phase.RETIRING})
"""Phases in which a key is in the published set."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """What is known of a key beside its text.

    Attributes:
        kid: its id.
        algorithm: `ES256` or `EdDSA`.
        published_at: since when verifiers could know it.
        activated_at: since when it signs; None = it never did.
        ended_at: when it stopped: since then retiring, revoked or gone.
    """

    kid: str
    algorithm: str
    phase: Phase
    published_at: datetime
    activated_at: datetime | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What must change now.

    Attributes:
        moves: the new phase of present keys.
        make: the first phase of each key to be made.
        rotated: whether the signing key changes.
    """

    moves: Mapping[str, Phase]
    make: tuple[Phase, ...] = ()
    rotated: bool = False

    @property
    def nothing(self) -> bool:
        """Whether everything is as it should be."""
        return not self.moves and not self.make


@dataclass(frozen=True, slots=True)
class Schedule:
    """How the keys of one kind live.

    Attributes:
        algorithm: of keys made from now on; a change of it rotates as soon as the next key is ripe.
        token_life: of the longest token that a key signs.
        period: how long a key signs.
        lead: how long it is published before; at least twice the max-age of the published set and twice the
            reload period of verifiers (both five minutes).
    """

    algorithm: str
    token_life: timedelta
    period: timedelta
    lead: timedelta = timedelta(hours=24)

    def plan(self, keys: Sequence[SigningKey], now: datetime, *, requested: bool = False) -> Plan:
        """Return what must change now.

        Args:
            keys: every key of the kind.
            now: business time.
            requested: an operator asked for a rotation.
        """
        moves = {k.kid: Phase.GONE for k in keys if self._over(k, now)}
        standby = self._standby(keys)
        # A key of another algorithm that never signed is of no more use.
        moves |= {k.kid: Phase.GONE for k in keys if k.phase is Phase.PUBLISHED and k not in standby}
        active = next((k for k in keys if k.phase is Phase.ACTIVE), None)
        make: list[Phase] = []
        rotated = False
        if active is None:  # the first start, or the active key was revoked: nothing may wait for a lead
            rotated = True
            if standby:
                moves[standby.pop(0).kid] = Phase.ACTIVE
            else:
                make.append(Phase.ACTIVE)
        elif (requested or self._due(active, now)) and self.ripe(standby, now) and not crowded(keys):
            rotated = True
            moves[active.kid] = Phase.RETIRING
            moves[standby.pop(0).kid] = Phase.ACTIVE
        if not standby:
            make.append(Phase.PUBLISHED)
        return Plan(moves, tuple(make), rotated)

    def ripe(self, standby: Sequence[SigningKey], now: datetime) -> bool:
        """Tell whether the first of the keys that wait was published long enough ago."""
        return bool(standby) and now - standby[0].published_at >= self.lead

    def _standby(self, keys: Sequence[SigningKey]) -> list[SigningKey]:
        fit = [k for k in keys if k.phase is Phase.PUBLISHED and k.algorithm == self.algorithm]
        return sorted(fit, key=lambda k: k.published_at)

    def _due(self, active: SigningKey, now: datetime) -> bool:
        since = active.activated_at or active.published_at
        return active.algorithm != self.algorithm or now - since >= self.period

    def _over(self, key: SigningKey, now: datetime) -> bool:
        """Tell whether no token of a key that ended can be alive."""
        ended = key.phase in (Phase.RETIRING, Phase.REVOKED) and key.ended_at is not None
        return ended and now - (key.ended_at or now) >= self.token_life + MARGIN


def crowded(keys: Sequence[SigningKey]) -> bool:
    """Tell whether the set is so large that another rotation would make verifiers refuse it."""
    return sum(k.phase in LIVING for k in keys) >= MAXIMUM_LIVING


def next_signer(keys: Sequence[SigningKey], schedule: Schedule) -> SigningKey | None:
    """Return the key that signs after the active one, None when there is none yet."""
    waiting = [k for k in keys if k.phase is Phase.PUBLISHED and k.algorithm == schedule.algorithm]
    return min(waiting, key=lambda k: k.published_at, default=None)
