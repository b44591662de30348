"""Assignment's store in memory: what tests and a try-out run on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from libs.db.requests import MemoryRequests
from libs.kernel.ids import AccountId
from services.assignment.adapters.memory.decisions import MemoryDecisions
from services.assignment.adapters.memory.directory import MemoryDirectory
from services.assignment.adapters.memory.outbox import MemoryOutbox
from services.assignment.adapters.memory.tables import Tables
from services.assignment.adapters.memory.tickets import MemoryTickets
from services.assignment.app.ports import Transaction


class MemoryStore:
    """Implements the port `Store`: one transaction at a time per account, on a copy that a clean exit swaps in.

    Args:
        clock: of leases, in seconds; what the database's clock is to PostgreSQL.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._tables: dict[AccountId, Tables] = {}
        self._turns: dict[AccountId, asyncio.Lock] = {}

    def transaction(self, account: AccountId) -> AbstractAsyncContextManager[Transaction]:
        return self._transaction(account)

    @asynccontextmanager
    async def _transaction(self, account: AccountId) -> AsyncIterator[Transaction]:
        async with self._turns.setdefault(account, asyncio.Lock()):
            work = self._tables.get(account, Tables(self._clock)).copy()
            yield Transaction(
                MemoryDirectory(work),
                MemoryTickets(work),
                MemoryDecisions(work),
                MemoryOutbox(work),
                MemoryRequests(work.requests),
            )
            self._tables[account] = work

    async def accounts(self) -> list[AccountId]:
        return sorted(a for a, tables in self._tables.items() if tables.account is not None)
