"""What must hold of an account at every moment (facts: §6), recounted from the log and from Zendesk's own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta

from services.assignment.app.ports import Store
from services.assignment.app.rows import DecisionRow
from services.assignment.app.write_outbox import AUDIT_FIELDS
from services.assignment.domain.decide import decide
from services.assignment.domain.eligibility import barred, kind_of, slots
from services.assignment.domain.model import Model, Plan, Snapshot, Ticket
from services.assignment.domain.rotation import TURN
from services.assignment.tests.books import Books, books
from services.assignment.tests.house import ACCOUNT, House
from services.assignment.tests.zendesk import LocalZendesk

HALF_A_DAY = timedelta(hours=12)


@dataclass
class _Stretch:
    """The rounds of a queue so far, as long as the same agents shared every turn of it; then None."""

    members: frozenset[int] | None = None
    fixed: bool = True


@dataclass
class Audit:
    """Goes through what is new in the log each time, and through everything that lives.

    Attributes:
        seen: sequence of the last decision that was gone through.
        turns: what rounds handed out and took, by queue and agent.
    """

    seen: int = 0
    turns: Counter[tuple[str, int]] = field(default_factory=Counter)
    _stretches: dict[str, _Stretch] = field(default_factory=dict)

    async def __call__(self, house: House, store: Store, untouched: Iterable[int]) -> None:
        """Go through the account.

        Args:
            store: the one that does not die.
            untouched: tickets that nobody but us ever changed.

        Raises:
            AssertionError: something does not hold.
        """
        kept = await books(store)
        self._one_place_each(kept)
        once_each(house.zendesk)
        intact, _, bad = await house.explain.verify_chain(ACCOUNT)
        assert intact, f"the chain breaks at {bad}"
        async with store.transaction(ACCOUNT) as tx:
            fresh = await tx.decisions.page(self.seen, 10_000, None)
            rounds: dict[tuple[str, str], list[DecisionRow]] = {}
            for row in fresh:
                rounds.setdefault((row.command, row.inputs), []).append(row)
            snapshots = {key: await tx.decisions.inputs(key[1]) for key in rounds}
            order = {row.id: row.sequence for row in await tx.decisions.page(0, 10_000, None)}
        for key, rows in rounds.items():
            snapshot = snapshots[key]
            assert snapshot is not None, "the inputs of a decision are gone"
            plan = decide(snapshot)
            _recomputes(rows, plan)
            for row in rows:
                assert (await house.explain.decision(ACCOUNT, row.id)).recomputes, (
                    f"{row.id} does not recompute"
                )
            _within_limits(snapshot, plan)
            earlier = {i for i, sequence in order.items() if sequence < rows[0].sequence}
            _counted(snapshot, kept, earlier, frozenset(untouched))
            before = {a.id: a.credit for a in snapshot.agents}
            for agent, balance in plan.balances.items():
                self.turns[snapshot.queue.id, agent] += balance - before[agent]
            self._shared(snapshot)
        self.seen += len(fresh)
        self._turns_add_up(kept)

    @staticmethod
    def _one_place_each(kept: Books) -> None:
        """At most one agent has, or thinks about, a ticket."""
        places = Counter(g.ticket for g in [*kept.live, *kept.thought_about])
        assert not [t for t, n in places.items() if n > 1], f"tickets in two places: {places}"

    def _turns_add_up(self, kept: Books) -> None:
        """Balances are a recount of the log: turns that were handed out, taken, and given back."""
        lost = kept.given_back()
        expected = {
            place: self.turns[place] + TURN * lost[place] for place in self.turns.keys() | lost.keys()
        }
        assert dict(kept.rotation) == {place: balance for place, balance in expected.items() if balance}
        assert sum(kept.rotation.values()) == TURN * lost.total()
        for queue, stretch in self._stretches.items():
            lost_here = any(place[0] == queue for place in lost)
            if stretch.fixed and not lost_here:
                mine = [b for (of, _), b in kept.rotation.items() if of == queue]
                assert all(abs(balance) < TURN for balance in mine), "more than a turn from the exact share"

    def _shared(self, snapshot: Snapshot) -> None:
        """Note whether the members of a queue's turns are still the same."""
        stretch = self._stretches.setdefault(
            snapshot.queue.id, _Stretch(fixed=snapshot.queue.model is Model.ROUND_ROBIN)
        )
        able = {frozenset(_able(snapshot, ticket)) for ticket in snapshot.tickets}
        members = min(able, key=sorted)
        if not members and len(able) == 1:
            return  # nobody could take anything: there was no turn
        stretch.members = members if stretch.members is None else stretch.members
        # Whoever runs out of room in the middle of a round leaves the turns that come then.
        wanted, agents = len(snapshot.tickets), {a.id: a for a in snapshot.agents}
        rooms = [slots(agents[agent], snapshot.queue)[0] for agent in members]
        lasting = all(room is None or room >= wanted for room in rooms)
        stretch.fixed = stretch.fixed and lasting and able == {stretch.members}


def _able(snapshot: Snapshot, ticket: Ticket) -> Iterable[int]:
    """Return who may take a ticket, full or not."""
    kind = kind_of(ticket, snapshot.as_of)
    for agent in snapshot.agents:
        if barred(agent, kind, snapshot.queue, snapshot.restrictions) is None:
            yield agent.id


def _recomputes(rows: Iterable[DecisionRow], plan: Plan) -> None:
    """Each decision is what its inputs come to."""
    again = {d.ticket: d for d in plan.decisions}
    for row in rows:
        found = again[row.ticket]
        assert (found.outcome.value, found.agent, found.group, found.rank) == (
            row.outcome,
            row.agent_id,
            row.group_id,
            row.rank,
        )


def _within_limits(snapshot: Snapshot, plan: Plan) -> None:
    """No round takes an agent over a limit."""
    got, queue = Counter(d.agent for d in plan.assigned), snapshot.queue
    for agent in (a for a in snapshot.agents if got[a.id]):
        counted = {"inbox": (agent.open_count, agent.inbox_limit)}
        if queue.scheduled:
            counted["daily"] = (agent.assigned_12h, agent.daily_limit)
            counted["queue's daily"] = (agent.assigned_12h_queue, queue.daily_limit)
            if queue.model == "round_robin":
                counted["batch"] = (agent.assigned_run, queue.batch_size)
        for name, (count, limit) in counted.items():
            over = limit is not None and count + got[agent.id] > limit
            assert not over, f"agent {agent.id} is over his {name} limit of {limit}"


def _counted(snapshot: Snapshot, kept: Books, earlier: set[str], untouched: frozenset[int]) -> None:
    """A round counted everything that was given before it and still stands.

    Args:
        earlier: decisions before the round's.
        untouched: tickets that only we changed: what we gave is open and his.
    """
    assert snapshot.as_of is not None
    since = snapshot.as_of - HALF_A_DAY
    offers = [o for o in kept.thought_about if o.id in earlier]
    given = [a for a in kept.assignments if a.id in earlier and a.state != "conflict"]
    daily = [a for a in given if a.mechanism == "queue" and a.at > since] + offers
    live = [a for a in given if a.state in ("committed", "confirmed") and a.ticket in untouched] + offers
    for agent in snapshot.agents:
        mine = [g for g in daily if g.agent == agent.id]
        assert agent.open_count >= sum(g.agent == agent.id for g in live), "an open ticket was not counted"
        assert agent.assigned_12h >= len(mine), "a ticket of the last 12 hours was not counted"
        assert agent.assigned_12h_queue >= sum(g.queue == snapshot.queue.id for g in mine)


def once_each(zendesk: LocalZendesk) -> list[str]:
    """No decision was written to Zendesk twice or over somebody else's, by Zendesk's own account of what was changed.

    Returns:
        the decisions that were written.
    """
    title = AUDIT_FIELDS["decision"]
    field_id = next((f["id"] for f in zendesk.fields["ticket_fields"] if f["title"] == title), None)
    written = Counter[str]()
    for change in zendesk.updates:
        for decision in [f["value"] for f in change.get("custom_fields", []) if f["id"] == field_id]:
            written[decision] += 1
            assert change["before"] is None, f"{decision} took the ticket from agent {change['before']}"
    assert not [i for i, times in written.items() if times > 1], f"written twice: {written}"
    return [*written]
