"""WhyWaiting, ExplainDecision and VerifyDecisionChain: the evidence, asked."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from libs.crypto.chain import GENESIS, chain_hash
from libs.kernel.clock import Clock
from libs.kernel.errors import NotFoundError
from libs.kernel.ids import AccountId
from services.assignment.app import freeing, overflow, pulling, schedules, stickiness
from services.assignment.app.chained import chained
from services.assignment.app.ports import Store, Transaction
from services.assignment.app.rounds import rules
from services.assignment.app.route import Route
from services.assignment.app.rows import Account, DecisionRow, QueueRow, TicketRow
from services.assignment.domain.decide import decide, tally
from services.assignment.domain.details import detail
from services.assignment.domain.errors import QueueNotActiveError
from services.assignment.domain.model import GIVEN, Code, Decision, Outcome, Snapshot
from services.assignment.domain.place import place
from services.assignment.domain.scores import Score, Scored, scored
from services.assignment.domain.sentences import about_skills, sentences
from services.assignment.domain.verdict import verdict

_PAGE = 1000
_MOST_TICKETS = 20
"""That are named of those that took an agent's slots."""


@dataclass(frozen=True, slots=True)
class Why:
    """What would be decided for a waiting ticket now.

    Attributes:
        instead: all there is to say, where it is not the decision that tells why it waits.
        first: what comes before everything else.
        asked: what would be decided if an agent asked for a ticket, where a queue gives to who asks alone.
    """

    decision: Decision
    queue: str
    model: str
    snapshot: Snapshot
    notes: Sequence[str] = ()
    instead: Sequence[str] = ()
    first: str = ""
    asked: Decision | None = None

    @property
    def free_eligible_agent(self) -> bool:
        """Whether somebody could take the ticket now."""
        return (self.asked or self.decision).outcome in GIVEN

    @property
    def sentences(self) -> list[str]:
        """Why it waits and what would free it."""
        if self.instead:
            return list(self.instead)
        shown = self.asked or self.decision
        why = [] if self.asked and self.free_eligible_agent else sentences(shown, self.snapshot)
        found = [*why, *self.notes, *about_skills(shown, self.snapshot)]
        return [self.first] * bool(self.first) + found + place(self.decision, self.snapshot)


@dataclass(frozen=True, slots=True)
class Explained:
    """A kept decision.

    Attributes:
        codes: everybody who was considered, with his one code; nobody once the inputs are forgotten.
        recomputes: whether the kept inputs give the same decision today; None when no inputs are kept.
        inputs: that it was made from, and what they come to today.
    """

    row: DecisionRow
    codes: Mapping[int, str]
    recomputes: bool | None
    inputs: Snapshot | None = None
    again: Scored | None = None

    @property
    def sentences(self) -> list[str]:
        """The rule, the winner's score and by how much who lost; or why the ticket waited."""
        if self.inputs is None or self.again is None:
            return ["its inputs are not kept any more: the codes alone are left"]
        if self.again.decision.outcome in GIVEN:
            return verdict(self.again, self.inputs)
        return [
            *sentences(self.again.decision, self.inputs),
            *about_skills(self.again.decision, self.inputs),
            *place(self.again.decision, self.inputs),
        ]

    def score(self, agent: int) -> Score | None:
        """Return what the rule compared of an agent when the ticket was given."""
        return self.again.scores.get(agent) if self.again is not None else None

    def details(self, agents: Collection[int]) -> dict[int, dict[str, str]]:
        """Return the numbers behind the codes of some agents."""
        ticket = (
            next((t for t in self.inputs.tickets if t.id == self.row.ticket), None) if self.inputs else None
        )
        if self.inputs is None or ticket is None:
            return {}
        found = {
            one.id: detail(Code(self.codes[one.id]), one, self.inputs.queue, ticket, self.inputs.as_of)
            for one in self.inputs.agents
            if one.id in agents and one.id in self.codes
        }
        for agent, tickets in self.again.took.items() if self.again is not None else ():
            if agent in found:
                shown = tickets[:_MOST_TICKETS]
                found[agent] = {"count": str(len(tickets)), "tickets": ",".join(map(str, shown))}
        return found


class Explain:
    """Answers without changing anything."""

    def __init__(self, store: Store, route: Route, clock: Clock) -> None:
        self._store = store
        self._route = route
        self._clock = clock

    async def decision(self, account: AccountId, decision_id: str) -> Explained:
        """Return a decision, and decide it again from the inputs that were kept with it.

        Raises:
            NotFoundError: no such decision.
        """
        async with self._store.transaction(account) as tx:
            row = await tx.decisions.one(decision_id)
            inputs = await tx.decisions.inputs(row.inputs) if row and row.inputs else None
        if row is None:
            name = f"accounts/{account}/decisions/{decision_id}"
            raise NotFoundError("no such decision", metadata={"name": name})
        again = None if inputs is None else scored(inputs, row.ticket)
        codes = {} if again is None else {agent: code.value for agent, code in again.decision.codes.items()}
        if row.named:
            codes = {agent: code for code, agents in row.named.items() for agent in agents}
        if row.agent_id is not None:
            codes[row.agent_id] = Code.CHOSEN.value
        recomputes = None if inputs is None else again is not None and _same(again.decision, row)
        return Explained(row, codes, recomputes, inputs, again)

    async def why_waiting(self, account: AccountId, ticket: int) -> Why:
        """Decide the ticket's queue again, on a snapshot as of now, and keep nothing.

        Raises:
            NotFoundError: the ticket does not wait here.
            QueueNotActiveError: it waits, but no active queue holds it.
        """
        missing = NotFoundError("the ticket does not wait", metadata={"name": f"tickets/{ticket}"})
        await self._route.prepare(account)
        async with self._store.transaction(account) as tx:
            kept, known = await tx.directory.account(), await tx.tickets.one(ticket)
            if kept is None or known is None or known.routing not in ("waiting", "offered"):
                raise missing
            now = self._clock.now()
            if known.routing == "offered":
                return await _thought_about(tx, ticket, missing)
            queue = await tx.tickets.holder(ticket, now)
            if queue is None:
                if await tx.preferences.since(ticket) is not None:
                    raise QueueNotActiveError(
                        "the ticket is new: rules and its requester's earlier agent come first, ask again in a moment"
                    )
                raise QueueNotActiveError(await _nowhere(tx, known))
            snapshot = await self._route.look(tx, kept, queue, now)
            found = next((d for d in decide(snapshot).decisions if d.ticket == ticket), None)
            if found is None and queue.scan_limit is not None:
                return await self._beyond(tx, kept, queue, ticket, now, missing)
            if found is None:  # taken this very moment
                raise missing
            first, asked = "", None
            if found.outcome is Outcome.QUEUE_PULL_ONLY:
                first, snapshot = pulling.said(queue), pulling.as_asked(snapshot)
                asked = next(d for d in decide(snapshot).decisions if d.ticket == ticket)
            shown = asked or found
            notes = await schedules.notes(tx, queue, shown, now)
            if asked is None:  # who asks for a ticket gets the next one, whoever had it before
                notes += await stickiness.notes(tx, queue, found, now)
            notes += overflow.notes(queue, found, snapshot, await tx.directory.queues())
            notes += await freeing.notes(tx, shown, snapshot, now)
            return Why(found, queue.id, queue.model, snapshot, notes, first=first, asked=asked)

    async def _beyond(
        self,
        tx: Transaction,
        kept: Account,
        queue: QueueRow,
        ticket: int,
        now: datetime,
        missing: NotFoundError,
    ) -> Why:
        """Return why a ticket waits that its queue does not look at."""
        snapshot = await self._route.look(tx, kept, replace(queue, scan_limit=None), now)
        found = next((d for d in decide(snapshot).decisions if d.ticket == ticket), None)
        if found is None:
            raise missing
        said = (
            f"its queue looks at the {queue.scan_limit} oldest of the {len(snapshot.tickets)} tickets that wait in it, and "
            "it is none of these: it is looked at as these go, or with a higher scan limit"
        )
        return Why(found, queue.id, queue.model, snapshot, instead=[said])

    async def verify_chain(self, account: AccountId) -> tuple[bool, int, int]:
        """Return whether the chain is intact, how many decisions were checked, and the first that does not fit."""
        previous, after, checked = GENESIS, 0, 0
        while True:
            async with self._store.transaction(account) as tx:
                rows: list[DecisionRow] = await tx.decisions.page(after, _PAGE, None)
            for row in rows:
                previous = chain_hash(previous, chained(account, row))
                checked += 1
                if previous != row.hash or row.sequence != checked:
                    return False, checked, row.sequence
            if len(rows) < _PAGE:
                return True, checked, 0
            after = rows[-1].sequence


async def _thought_about(tx: Transaction, ticket: int, missing: NotFoundError) -> Why:
    """Return why a ticket waits that an agent thinks about."""
    offer = await tx.offers.live(ticket)
    queue = await tx.directory.queue(offer.queue) if offer is not None else None
    if offer is None or queue is None:
        raise missing
    decision = Decision(ticket, Outcome.OFFERED, 0, offer.agent_id, offer.group_id)
    said = (
        f"it is offered to agent `{offer.agent_id}`, who may answer until {offer.expires_at:%Y-%m-%d %H:%M:%S} UTC: then "
        "the next is asked"
    )
    return Why(decision, queue.id, queue.model, Snapshot([], [], rules(queue)), instead=[said])


async def _nowhere(tx: Transaction, ticket: TicketRow) -> str:
    """Return why no active queue holds a ticket, and what would change it."""
    queues, gone = await tx.directory.queues(), {r.view for r in (await tx.views.reads()).values() if r.gone}
    for queue in queues:
        if queue.state == "active" and queue.kind == "scheduled" and queue.source in gone:
            return (
                f"no active queue holds the ticket: Zendesk shows no view `{queue.source}` any more, which queue "
                f"`{queue.title}` goes by: give the queue another view, or let the account see this one again"
            )
    paused = [
        f"`{queue.title}`"
        for queue in queues
        if queue.state == "paused"
        and (queue.kind == "scheduled" or queue.source in (0, ticket.facts.group_id))
    ]
    if paused:
        return f"no active queue holds the ticket: resume {' or '.join(paused)}, or make a queue that does"
    return "no active queue holds the ticket: make one for its group, or for a view that shows it"


def _same(again: Decision, row: DecisionRow) -> bool:
    counts = {code.value: number for code, number in tally(again).items() if code is not Code.CHOSEN}
    found = (again.outcome.value, again.agent, again.group, again.rank, counts)
    return found == (row.outcome, row.agent_id, row.group_id, row.rank, dict(row.rejected))
