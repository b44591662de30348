"""A replica that dies in the middle: after so many steps nothing of it runs any more.

Steps are where a process can be killed with a difference: before and after each transaction, before its commit,
before and after each request to Zendesk. SIGKILL at every await, on PostgreSQL, is in `//tests/failure`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime

import httpx2

from libs.kernel.ids import AccountId
from libs.zendesk.client import ZendeskClient
from services.assignment.app.ports import Store, Transaction
from services.assignment.tests.zendesk import LocalZendesk


class KilledError(BaseException):
    """The process ends here; no handler of errors sees it."""


class Life:
    """What is left of a replica.

    Args:
        steps: how many; None = it lives on.
    """

    def __init__(self, steps: int | None = None) -> None:
        self._steps = steps

    def step(self) -> None:
        """Go one step.

        Raises:
            KilledError: the replica is dead, at this step and at every later one.
        """
        if self._steps == 0:
            raise KilledError
        if self._steps is not None:
            self._steps -= 1


class MortalStore:
    """Implements the port `Store`: another store's, as long as the replica lives."""

    def __init__(self, store: Store, life: Life) -> None:
        self._store = store
        self._life = life

    def transaction(
        self, account: AccountId, *, dry: bool = False
    ) -> AbstractAsyncContextManager[Transaction]:
        return self._transaction(account, dry)

    @asynccontextmanager
    async def _transaction(self, account: AccountId, dry: bool) -> AsyncIterator[Transaction]:
        self._life.step()
        async with self._store.transaction(account, dry=dry) as tx:
            yield tx
            self._life.step()  # before the commit: everything is rolled back
        self._life.step()

    async def accounts(self) -> list[AccountId]:
        return await self._store.accounts()

    async def with_due_offers(self, as_of: datetime) -> list[AccountId]:
        return await self._store.with_due_offers(as_of)


class MortalZendesk(httpx2.AsyncBaseTransport):
    """Implements the port `Zendesk`: reaches a local one as long as the replica lives."""

    def __init__(self, zendesk: LocalZendesk, life: Life) -> None:
        self._zendesk = zendesk
        self._life = life

    async def of(self, account: AccountId) -> ZendeskClient:
        return await self._zendesk.of(account, self)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self._life.step()
        answer = await self._zendesk.handle_async_request(request)
        self._life.step()  # carried out; nobody hears of it
        return answer
