"""Policy's store in memory.

Everything that the port promises holds: a transaction works on a copy that replaces the state at a clean
exit, keys are unique, and an account's transactions run one after the other.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field

from libs.kernel.ids import AccountId
from services.policy.adapters.memory.transaction import MemoryTransaction, Tables
from services.policy.app.ports import LogRow, Reading, Transaction


@dataclass(slots=True)
class _Account:
    tables: Tables = field(default_factory=Tables)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class MemoryStore:
    """Implements the port `Store`."""

    def __init__(self) -> None:
        self._accounts: defaultdict[AccountId, _Account] = defaultdict(_Account)

    def transaction(self, account: AccountId) -> AbstractAsyncContextManager[Transaction]:
        return self._transaction(account)

    @asynccontextmanager
    async def _transaction(self, account: AccountId) -> AsyncIterator[Transaction]:
        own = self._accounts[account]
        async with own.lock:
            tables = own.tables.copy()
            yield MemoryTransaction(tables)
            own.tables = tables

    @asynccontextmanager
    async def _snapshot(self, account: AccountId) -> AsyncIterator[Reading]:
        yield MemoryTransaction(self._accounts[account].tables.copy())

    def snapshot(self, account: AccountId) -> AbstractAsyncContextManager[Reading]:
        return self._snapshot(account)

    async def revisions(self, accounts: Collection[AccountId] | None = None) -> Mapping[AccountId, int]:
        found = {account: own.tables.state.revision for account, own in self._accounts.items()}
        return {a: r for a, r in found.items() if accounts is None or a in accounts}

    async def log(self, rows: Sequence[tuple[AccountId, LogRow]]) -> None:
        for account, row in rows:
            self._accounts[account].tables.log.setdefault(row.id, row)
