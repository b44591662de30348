"""Assignment's store in memory: what tests and a try-out run on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime

from libs.db.requests import MemoryRequests
from libs.kernel.ids import AccountId
from services.assignment.adapters.memory.capacities import MemoryCapacities
from services.assignment.adapters.memory.decisions import MemoryDecisions
from services.assignment.adapters.memory.directory import MemoryDirectory
from services.assignment.adapters.memory.offers import MemoryOffers
from services.assignment.adapters.memory.outbox import MemoryOutbox
from services.assignment.adapters.memory.preferences import MemoryPreferences
from services.assignment.adapters.memory.rate_limits import MemoryRateLimits
from services.assignment.adapters.memory.returns import MemoryReturns
from services.assignment.adapters.memory.rotations import MemoryRotations
from services.assignment.adapters.memory.schedules import MemorySchedules
from services.assignment.adapters.memory.skills import MemorySkills
from services.assignment.adapters.memory.statuses import MemoryStatuses
from services.assignment.adapters.memory.tables import Tables
from services.assignment.adapters.memory.tickets import MemoryTickets
from services.assignment.adapters.memory.usage import MemoryUsage
from services.assignment.adapters.memory.views import MemoryViews
from services.assignment.app.ports import Transaction


class MemoryStore:
    """Implements the port `Store`: one transaction at a time per account, on a copy that a clean exit swaps in.

    Args:
        clock: of leases, in seconds; what the database's clock is to PostgreSQL.
        heard: told the account after each transaction that kept decisions or changed statuses.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        heard: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._clock = clock
        self._heard = heard
        self._tables: dict[AccountId, Tables] = {}
        self._turns: dict[AccountId, asyncio.Lock] = {}

    def transaction(
        self, account: AccountId, *, dry: bool = False
    ) -> AbstractAsyncContextManager[Transaction]:
        return self._transaction(account, dry)

    @asynccontextmanager
    async def _transaction(self, account: AccountId, dry: bool) -> AsyncIterator[Transaction]:
        async with self._turns.setdefault(account, asyncio.Lock()):
            before = self._tables.get(account, Tables(self._clock))
            work = before.copy()
            yield Transaction(
                MemoryDirectory(work),
                MemoryTickets(work),
                MemoryDecisions(work),
                MemoryOffers(work),
                MemorySkills(work),
                MemorySchedules(work),
                MemoryCapacities(work),
                MemoryRateLimits(work),
                MemoryRotations(work),
                MemoryPreferences(work),
                MemoryReturns(work),
                MemoryStatuses(work),
                MemoryViews(work),
                MemoryUsage(work),
                MemoryOutbox(work),
                MemoryRequests(work.requests),
                work.undone,
            )
            if dry:
                return
            self._tables[account] = work
            changed = work.last_status_record > before.last_status_record
            if changed or len(work.decisions) > len(before.decisions):
                self._heard(account)

    async def accounts(self) -> list[AccountId]:
        return sorted(a for a, tables in self._tables.items() if tables.account is not None)

    async def with_due_offers(self, as_of: datetime) -> list[AccountId]:
        return sorted(
            account
            for account, tables in self._tables.items()
            if any(o.expires_at <= as_of for o in tables.live_offers())
        )
