"""What a verifier knows to be revoked, and whether it can know (facts: auth §6).

    revocations = Revocations()
    revocations.begin(position)           # a snapshot, or the continuation after a cut, is complete
    revocations.raise_generation("acc-1", 4, position)
    revocations.beat(position)            # a heartbeat: nothing up to here is missing

A generation only rises and a distrusted key stays distrusted, so repeats and reordering do no harm; only silence
does, and silence is noticed: without a heartbeat for `STALE_SECONDS` nobody knows what was revoked meanwhile.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from enum import StrEnum
from typing import Final

from libs.kernel.ids import AccountId

STALE_SECONDS: Final = 25.0
"""With a heartbeat of five seconds, what was revoked is refused at most 30 s later although the feed is cut."""


class Freshness(StrEnum):
    """Whether a verifier knows what is revoked."""

    UNKNOWN = "unknown"
    FRESH = "fresh"
    STALE = "stale"


class Revocations:
    """The generations of all accounts, and the keys that are not trusted.

    Args:
        monotonic: seconds that only grow; silence is real time, whatever the business clock plays.
        stale_seconds: of silence.

    Attributes:
        position: of the feed, up to which nothing is missing.
        distrusted: key ids.
        generations: by account, what `generation` returns.
        begun: whether a snapshot was complete once; before it nothing may be believed.
    """

    def __init__(
        self, monotonic: Callable[[], float] = time.monotonic, stale_seconds: float = STALE_SECONDS
    ) -> None:
        self._monotonic = monotonic
        self._stale_seconds = stale_seconds
        self.generations: dict[str, int] = {}
        self._heard_at: float | None = None
        self.begun = False
        self._forget: list[Callable[[AccountId | None], None]] = []
        self._key_set: list[Callable[[], None]] = []
        self.position = 0
        self.distrusted: frozenset[str] = frozenset()

    def on_revoked(self, forget: Callable[[AccountId | None], None]) -> None:
        """Have a cache told which account's entries are dead; None = it must forget everything."""
        self._forget.append(forget)

    def on_key_set(self, reload: Callable[[], None]) -> None:
        """Have a key set told that it changed."""
        self._key_set.append(reload)

    def generation(self, account: str) -> int:
        """Return the lowest generation of an account that is not revoked."""
        return self.generations.get(account, 0)

    @property
    def age_seconds(self) -> float | None:
        """How long ago the feed was last heard, for metrics; None = never."""
        return None if self._heard_at is None else self._monotonic() - self._heard_at

    @property
    def freshness(self) -> Freshness:
        """Whether what is known here is what is revoked."""
        if not self.begun or self._heard_at is None:
            return Freshness.UNKNOWN
        silent = self._monotonic() - self._heard_at
        return Freshness.STALE if silent > self._stale_seconds else Freshness.FRESH

    def begin(self, position: int) -> None:
        """Note that everything up to `position` is known.

        The position may be a lower one than before: a database that was restored counts from there, and what it
        counts next must not be taken for known.
        """
        self.begun = True
        self.position = position
        self.beat(position)

    def beat(self, position: int) -> None:
        """Note a heartbeat."""
        self._heard_at = self._monotonic()
        self.position = max(self.position, position)

    def raise_generation(self, account: AccountId, generation: int) -> None:
        """Note that tokens of a lower generation are dead.

        The generation that is known already, told again, says that something else of the account ended (a
        session): whatever is cached of it must be asked for anew.
        """
        known = self.generation(account)
        if generation > known:
            self.generations[account] = generation
        if generation >= known:
            for forget in self._forget:
                forget(account)

    def distrust(self, kid: str) -> None:
        """Note that nothing this key signed is believed any more."""
        if kid not in self.distrusted:
            self.distrusted |= {kid}
            for forget in self._forget:
                forget(None)

    def key_set_changed(self) -> None:
        """Note that the issuer publishes other keys now."""
        for reload in self._key_set:
            reload()
