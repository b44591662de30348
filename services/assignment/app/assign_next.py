"""AssignNext: the agent asks; the best ticket that he may take is his, under the same limits as push."""

from __future__ import annotations

from collections.abc import Sequence

from libs.kernel.clock import Clock
from libs.kernel.errors import NotFoundError
from libs.kernel.ids import AccountId, IdSource
from services.assignment.app.ports import Store, Transaction
from services.assignment.app.pulling import asked
from services.assignment.app.route import Route
from services.assignment.app.rows import DecisionRow, QueueRow, TicketRow
from services.assignment.app.write_outbox import WriteOutbox

_METHOD = "AssignNext"


class AssignNext:
    """Pulls one ticket.

    Args:
        write: tells Zendesk; None in a rehearsal.
    """

    def __init__(
        self, store: Store, route: Route, write: WriteOutbox | None, clock: Clock, ids: IdSource
    ) -> None:
        self._store = store
        self._route = route
        self._write = write
        self._clock = clock
        self._ids = ids

    async def __call__(
        self, account: AccountId, agent: int, request_id: str
    ) -> tuple[TicketRow | None, DecisionRow | None]:
        """Assign the best waiting ticket to the agent; nothing when there is none for him now.

        Who has a Playlist Rule ID gets one of the queues that read this view; who has none, of any queue.

        Args:
            request_id: the same one again gives the same ticket, never a second one; empty = not repeatable.

        Returns:
            the ticket and its decision; the decision alone when somebody took the ticket in Zendesk meanwhile.

        Raises:
            NotFoundError: the user is no agent of this account.
            NoQueueForRuleError: no active queue reads the view that is his rule.
            RequestIdReusedError: the request id came from another agent before.
        """
        body = str(agent).encode()
        await self._route.prepare(account)
        async with self._store.transaction(account) as tx:
            await tx.decisions.lock()
            answered = await tx.requests.find(account, request_id, _METHOD, body)
            decision_id = answered.decode() if answered else await self._pull(tx, agent, request_id)
            if decision_id and not answered:
                await tx.requests.remember(account, request_id, _METHOD, body, decision_id.encode())
        if not decision_id:
            return None, None
        if self._write is not None:
            await self._write(account)
        async with self._store.transaction(account) as tx:
            decision = await tx.decisions.one(decision_id)
            ticket = await tx.tickets.one(decision.ticket) if decision else None
        if decision is not None and decision.write in ("conflict", "failed"):
            return None, decision
        return ticket, decision

    async def _pull(self, tx: Transaction, agent: int, request_id: str) -> str:
        row = await tx.directory.agent(agent)
        if row is None:
            raise NotFoundError("the user is no agent of this account", metadata={"name": f"agents/{agent}"})
        queues = asked(await tx.directory.queues(), row.rule)
        decision_id = await self._best(tx, queues, agent, request_id)
        if not decision_id and await tx.offers.unskip(agent):
            # He skipped everything: from the top again.
            return await self._best(tx, queues, agent, request_id)
        return decision_id

    async def _best(self, tx: Transaction, queues: Sequence[QueueRow], agent: int, request_id: str) -> str:
        now, command = self._clock.now(), f"pull/{request_id or self._ids.new('pul')}"
        for queue in queues:
            routed = await self._route.within(tx, queue, command, now, mechanism="pull", only=agent, most=1)
            decision_id = next((i for i, d in routed.news if d.agent == agent), "")
            if decision_id:
                return decision_id
        return ""
