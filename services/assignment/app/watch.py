"""WatchAssignments and WatchStatuses: what is kept, as it is kept, without gaps, from any place on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from libs.kernel.ids import AccountId
from services.assignment.app.ports import Store
from services.assignment.app.rows import AgentRow, DecisionRow
from services.assignment.domain.model import GIVEN

HEARTBEAT_SECONDS = 5.0
STEP = 200
"""Decisions, or statuses that ended, that are read at once."""
_GIVEN = {outcome.value for outcome in GIVEN}


class Bell:
    """Wakes whoever waits for an account's decisions or statuses; a notice may be lost, so that they also look by themselves."""

    def __init__(self) -> None:
        self._waiting: dict[AccountId, asyncio.Event] = {}

    def ring(self, account: str) -> None:
        """Wake the watchers of an account; empty = everybody (notices were lost)."""
        for one, event in list(self._waiting.items()):
            if account in ("", one):
                del self._waiting[one]
                event.set()

    def next(self, account: AccountId) -> asyncio.Event:
        """Return what the next ring for an account sets; take it before looking, so that no ring is missed."""
        return self._waiting.setdefault(account, asyncio.Event())


@dataclass(frozen=True, slots=True)
class Seen:
    """A decision that gives a ticket to an agent; without one, a heartbeat.

    Attributes:
        sequence: everything up to it was told.
    """

    sequence: int
    row: DecisionRow | None = None


@dataclass(frozen=True, slots=True)
class SeenStatus:
    """An agent whose status changed, as he is now; without one, a heartbeat.

    Attributes:
        record: every change up to the record of this id was told.
    """

    record: int
    row: AgentRow | None = None


class Watch:
    """Reads the log of decisions, or the history of statuses; the bell wakes it, heartbeats tell that it lives."""

    def __init__(self, store: Store, bell: Bell, heartbeat_seconds: float = HEARTBEAT_SECONDS) -> None:
        self._store = store
        self._bell = bell
        self._heartbeat_seconds = heartbeat_seconds

    async def __call__(self, account: AccountId, after: int) -> AsyncIterator[Seen]:
        """Yield assignments and offers behind a sequence, oldest first, and a heartbeat when nothing happens.

        Args:
            after: what the last answer told; 0 = from now on.
        """
        if not after:
            async with self._store.transaction(account) as tx:
                after = await tx.decisions.head()
        yield Seen(after)
        while True:
            rung = self._bell.next(account)
            async with self._store.transaction(account) as tx:
                rows = await tx.decisions.page(after, STEP, None)
            for row in rows:
                after = row.sequence
                if row.outcome in _GIVEN:
                    yield Seen(after, row)
            if len(rows) == STEP:
                continue
            if not await self._rang(rung):
                yield Seen(after)

    async def statuses(self, account: AccountId, after: int) -> AsyncIterator[SeenStatus]:
        """Yield agents whose statuses changed behind a record, and a heartbeat when nothing happens.

        Who changed several times meanwhile is told once: what counts is what he has now.

        Args:
            after: what the last answer told; 0 = from now on.
        """
        if not after:
            async with self._store.transaction(account) as tx:
                after = await tx.statuses.head()
        yield SeenStatus(after)
        while True:
            rung = self._bell.next(account)
            async with self._store.transaction(account) as tx:
                records = await tx.statuses.page(after, STEP)
                users = {record.user_id for record in records}
                rows = await tx.directory.agents(inactive=True, only=users) if users else []
            for place, row in enumerate(rows, 1):
                yield SeenStatus(records[-1].id if place == len(rows) else after, row)
            if records:
                after = records[-1].id
            if len(records) == STEP:
                continue
            if not await self._rang(rung):
                yield SeenStatus(after)

    async def _rang(self, bell: asyncio.Event) -> bool:
        """Wait for the bell; False when it is time for a heartbeat."""
        try:
            await asyncio.wait_for(bell.wait(), self._heartbeat_seconds)
        except TimeoutError:
            return False
        return True
