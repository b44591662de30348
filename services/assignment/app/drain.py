"""Rounds as soon as something changed: queues drain the moment capacity appears; the minute job is the safety net.

Whoever asks while an account's queues are gone through is served by the next pass, together with everybody else who
asked meanwhile. So webhooks that come together are decided together (facts: §5.9), and a pass that takes long is
followed by one pass, not by many.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial

from libs.kernel.clock import Clock
from libs.kernel.errors import SetlistError
from libs.kernel.ids import AccountId, IdSource
from libs.telemetry.logs import get_logger
from services.assignment.app.ports import Store
from services.assignment.app.route import Route

AT_ONCE = 4
"""Accounts that are gone through side by side; each holds a connection."""


SOON = timedelta(minutes=1)
"""What is due later is found by the minute job before."""
Found = Mapping[int, str]
"""What a pass decided: ids of decisions, by ticket."""


class Drain:
    """Goes through the active queues of accounts, in their order, one pass per account at a time.

    Args:
        wake: set when there is something to write to Zendesk.
        owns: whether an account is this replica's to drain; that saves work, the account's lock keeps order.
    """

    def __init__(
        self,
        store: Store,
        route: Route,
        clock: Clock,
        ids: IdSource,
        wake: asyncio.Event,
        owns: Callable[[AccountId], bool] = lambda _: True,
    ) -> None:
        self._store = store
        self._route = route
        self._clock = clock
        self._ids = ids
        self._wake = wake
        self._owns = owns
        self._asked: dict[AccountId, tuple[str, asyncio.Future[Found]]] = {}
        self._tasks: dict[AccountId, asyncio.Task[None]] = {}
        self._places = asyncio.Semaphore(AT_ONCE)
        self._heard: asyncio.Queue[str] = asyncio.Queue()
        self._timers: dict[AccountId, tuple[datetime, asyncio.TimerHandle]] = {}

    async def __call__(self, account: AccountId, command: str) -> Found:
        """Wait for a pass that begins after this call.

        Args:
            command: what caused it, for the decisions; of several callers the first one's counts.

        Raises:
            SetlistError: a queue could not be decided; the others were.
        """
        return await asyncio.shield(self._ask(account, command))

    def hear(self, account: str) -> None:
        """Note that something changed in an account; empty = anywhere (notices were lost)."""
        self._heard.put_nowait(account)

    def expect(self, account: AccountId, at: datetime | None) -> None:
        """Let a pass begin at an instant, unless an earlier one is expected; one far off is the minute job's."""
        now = self._clock.now()
        if at is None or at - now > SOON:
            return
        known = self._timers.get(account)
        if known is not None:
            if known[0] <= at:
                return
            known[1].cancel()
        delay = max(0.0, (at - now).total_seconds())
        self._timers[account] = at, asyncio.get_running_loop().call_later(delay, self._due, account)

    def owns(self, account: AccountId) -> bool:
        """Tell whether this replica drains an account."""
        return self._owns(account)

    async def run(self) -> None:
        """Drain whatever is heard of, until cancelled."""
        try:
            while True:
                account = await self._heard.get()
                for one in [AccountId(account)] if account else await self._store.accounts():
                    if self._owns(one):
                        self._ask(one, "").add_done_callback(partial(_logged, one))
        finally:
            await self.close()

    async def close(self) -> None:
        """End every pass that runs, and expect no more."""
        for _, timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _due(self, account: AccountId) -> None:
        del self._timers[account]
        self.hear(account)

    def _ask(self, account: AccountId, command: str) -> asyncio.Future[Found]:
        if account not in self._asked:
            command = command or f"drain/{self._ids.new('drn')}"
            answer: asyncio.Future[Found] = asyncio.get_running_loop().create_future()
            answer.add_done_callback(_seen)
            self._asked[account] = command, answer
        if account not in self._tasks:
            self._tasks[account] = asyncio.create_task(self._work(account))
        return self._asked[account][1]

    async def _work(self, account: AccountId) -> None:
        """Make passes as long as somebody asks."""
        try:
            while account in self._asked:
                async with self._places:
                    command, answer = self._asked.pop(account)
                    try:
                        answer.set_result(await self._pass(account, command))
                    except Exception as error:
                        answer.set_exception(error)
                    finally:
                        answer.cancel()  # nothing happens unless this was cancelled
        finally:
            del self._tasks[account]
            if (left := self._asked.pop(account, None)) is not None:
                left[1].cancel()

    async def _pass(self, account: AccountId, command: str) -> Found:
        async with self._store.transaction(account) as tx:
            queues = [q for q in await tx.directory.queues() if q.state == "active"]
        found: dict[int, str] = {}
        failed: SetlistError | None = None
        now = self._clock.now()  # one instant for the whole pass: batch sizes count by run
        for queue in queues:
            try:
                routed = await self._route(account, queue.id, command, now)
            except SetlistError as error:  # one queue must not hold up the others
                failed = error
                continue
            self.expect(account, routed.next_at)
            found |= {decision.ticket: decision_id for decision_id, decision in routed.news}
            if any(decision.agent is not None for _, decision in routed.news):
                self._wake.set()
        if failed is not None:
            raise failed
        return found


def _seen(done: asyncio.Future[Found]) -> None:
    """Take note of a failure that nobody waits for any more: it is no news to the loop."""
    if not done.cancelled():
        done.exception()


def _logged(account: AccountId, done: asyncio.Future[Found]) -> None:
    if not done.cancelled() and (error := done.exception()) is not None:
        get_logger().warning("queues were not drained", account=account, why=type(error).__name__)
