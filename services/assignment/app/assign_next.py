"""AssignNext: the agent asks; the best ticket that he may take is his, under the same limits as push."""

from __future__ import annotations

from libs.kernel.clock import Clock
from libs.kernel.errors import NotFoundError
from libs.kernel.ids import AccountId
from services.assignment.app.ports import DecisionRow, Store, TicketRow
from services.assignment.app.route import Route
from services.assignment.app.write_outbox import WriteOutbox


class AssignNext:
    """Pulls one ticket."""

    def __init__(self, store: Store, route: Route, write: WriteOutbox, clock: Clock) -> None:
        self._store = store
        self._route = route
        self._write = write
        self._clock = clock

    async def __call__(
        self, account: AccountId, agent: int, request_id: str
    ) -> tuple[TicketRow | None, DecisionRow | None]:
        """Assign the best waiting ticket to the agent; nothing when there is none for him now.

        Raises:
            NotFoundError: the user is no agent of this account.
        """
        now = self._clock.now()
        decision_id = ""
        async with self._store.transaction(account) as tx:
            await tx.decisions.lock()
            if await tx.directory.agent(agent) is None:
                raise NotFoundError(
                    "the user is no agent of this account", metadata={"name": f"agents/{agent}"}
                )
            for queue in await tx.directory.queues():
                if queue.state != "active":
                    continue
                routed = await self._route.within(
                    tx, account, queue, f"pull/{request_id}", now, mechanism="pull", only=agent, most=1
                )
                decision_id = next((i for i, d in routed.news if d.agent == agent), "")
                if decision_id:
                    break
        if not decision_id:
            return None, None
        await self._write(account)
        async with self._store.transaction(account) as tx:
            decision = await tx.decisions.one(decision_id)
            ticket = await tx.tickets.one(decision.ticket) if decision else None
        if decision is not None and decision.write in ("conflict", "failed"):
            return None, decision
        return ticket, decision
