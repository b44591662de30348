"""Reads from Zendesk when the tickets of a queue in SLA order are breached next (facts: §2.1, decision 4)."""

from __future__ import annotations

from libs.kernel.clock import Clock
from libs.kernel.errors import DependencyUnavailableError
from libs.kernel.ids import AccountId
from libs.telemetry.logs import get_logger
from libs.zendesk.errors import ZendeskError
from services.assignment.app.ports import Store, Zendesk
from services.assignment.app.rows import QueueRow

AT_ONCE = 100
"""How many tickets one call of Zendesk's shows."""
CALLS = 5
"""Most lists per queue and run: a backlog's times come in over some minutes and leave the budget to others."""


class ReadSlas:
    """Keeps the times of what waits; costs nothing while nothing changes."""

    def __init__(self, store: Store, zendesk: Zendesk, clock: Clock) -> None:
        self._store = store
        self._zendesk = zendesk
        self._clock = clock

    async def __call__(self, account: AccountId, queue: QueueRow) -> int:
        """Read what is not known yet; return how many tickets were read.

        While Zendesk does not answer the queue is routed by the times that are known.
        """
        read = 0
        for _ in range(CALLS):
            now = self._clock.now()  # before the read: what changes meanwhile is read again
            async with self._store.transaction(account) as tx:
                unread = await tx.tickets.unread_slas(queue, AT_ONCE, now)
            if not unread:
                return read
            try:
                breaches = await (await self._zendesk.of(account)).tickets.breaches(unread)
            except (ZendeskError, DependencyUnavailableError) as error:
                get_logger().warning("sla times wait", account=account, why=type(error).__name__)
                return read
            async with self._store.transaction(account) as tx:
                await tx.decisions.lock()  # two replicas' reads of one account write the same rows
                await tx.tickets.put_slas(breaches, now)
            read += len(breaches)
            if len(breaches) < len(unread) or len(unread) < AT_ONCE:
                return read  # the rest is gone, or was left out: the next run asks again
        return read
