"""Privacy's store in memory: one transaction at a time, all or nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from libs.kernel.clock import Clock
from libs.kernel.ids import AccountId
from services.privacy.adapters.memory.tables import Tables
from services.privacy.adapters.memory.transaction import MemoryTransaction
from services.privacy.app.ports import Transaction
from services.privacy.domain.states import FINISHED, RUNNING, NodeState


class MemoryStore:
    """Implements the port `Store`.

    Args:
        clock: the database's clock: leases and waits end on it.
    """

    def __init__(self, clock: Clock) -> None:
        self.tables = Tables()
        self._clock = clock
        self._one_at_a_time = asyncio.Lock()

    def transaction(self, account: AccountId) -> AbstractAsyncContextManager[Transaction]:
        return self._transaction(account)

    @asynccontextmanager
    async def _transaction(self, account: AccountId) -> AsyncIterator[Transaction]:
        async with self._one_at_a_time:
            changed = self.tables.copy()
            yield MemoryTransaction(changed, account, self._clock)
            self.tables = changed

    async def due(self) -> list[tuple[AccountId, str]]:
        now, tables = self._clock.now(), self.tables
        found = []
        for (account, request), row in tables.requests.items():
            held = [s for key, s in tables.steps.items() if key[:2] == (account, request)]
            still_open = [s for s in held if s.row.state not in FINISHED]
            if row.state not in RUNNING or not still_open:
                continue
            first = min(still_open, key=lambda s: s.row.position)
            waits = first.lease_until >= now or first.not_before > now
            if first.row.state in (NodeState.PENDING, NodeState.WAITING) and not waits:
                found.append((AccountId(account), request))
        return found[:100]
