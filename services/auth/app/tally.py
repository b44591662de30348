"""Tally: what happens too often for an audit event each, written as counts (facts: auth §6).

A refusal is the work of whoever comes: an event each would let strangers fill the database. Counts are written to the
account's chain once a minute, those of no account of ours to the platform's.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass

from libs.kernel.clock import Clock
from libs.kernel.errors import SetlistError
from libs.kernel.ids import AccountId
from libs.telemetry.logs import get_logger
from services.auth.app.ports import Store
from services.auth.domain.revocation import PLATFORM

EVERY_SECONDS = 60.0
MAXIMUM_KINDS = 2_000
_OTHERS = "others"


@dataclass(frozen=True, slots=True)
class Occurrence:
    """What is counted.

    Attributes:
        account: None when the caller named none.
        action: `refused` or `zendesk_access.handed_out`.
        outcome: the reason of a refusal.
    """

    account: AccountId | None
    peer: str
    action: str
    outcome: str
    method: str


class Tally:
    """Counts in memory, written by a background loop and at the end of the process."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._counts: Counter[Occurrence] = Counter()

    def note(self, occurrence: Occurrence) -> None:
        """Count one; beyond a bound of different ones only their number is kept."""
        if occurrence not in self._counts and len(self._counts) >= MAXIMUM_KINDS:
            occurrence = Occurrence(None, occurrence.peer, occurrence.action, _OTHERS, "")
        self._counts[occurrence] += 1

    async def run(self) -> None:
        """Write for ever."""
        while True:
            await asyncio.sleep(EVERY_SECONDS)
            try:
                await self.write()
            except SetlistError as error:  # the database is away: what is left is written next time
                get_logger().warning("refusals were not written", why=error.reason)

    async def write(self) -> None:
        """Write what was counted, one event per account and kind."""
        while self._counts:
            occurrence, count = next(iter(self._counts.items()))
            await self._write(occurrence, count)
            self._counts[occurrence] -= count
            if not self._counts[occurrence]:
                del self._counts[occurrence]

    async def _write(self, what: Occurrence, count: int) -> None:
        facts = {"count": str(count)} | ({"method": what.method} if what.method else {})
        chain = what.account or PLATFORM
        async with self._store.transaction(chain) as tx:
            if chain == PLATFORM or await tx.installations.get() is not None:
                await tx.audit.record(
                    f"service:{what.peer}", what.action, what.outcome, facts, self._clock.now()
                )
                return
        async with self._store.transaction(PLATFORM) as tx:  # an account that somebody made up
            await tx.audit.record(f"service:{what.peer}", what.action, what.outcome, facts, self._clock.now())
