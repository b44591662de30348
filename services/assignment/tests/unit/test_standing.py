"""State that is kept between rounds decides what a fresh snapshot would."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from services.assignment.domain.decide import decide
from services.assignment.domain.eligibility import barred, kind_of
from services.assignment.domain.model import Agent, Code, Model, Queue, Restrictions, Snapshot, Ticket
from services.assignment.domain.standing import Standing

T0 = datetime(2026, 1, 5, 9, tzinfo=UTC)
BARS = {Code.NOT_IN_ROTATION, Code.NOT_IN_GROUP, Code.STATUS_NOT_ONLINE, Code.DECLINED, Code.NOT_DEDICATED}
GROUPS = st.integers(1, 3)


class Rounds(RuleBasedStateMachine):
    """Anything that happens between rounds, told to a standing queue, and written down for a snapshot."""

    @initialize(
        model=st.sampled_from(Model),
        people=st.lists(
            st.tuples(
                st.sets(GROUPS, min_size=1), st.none() | st.integers(1, 3), st.none() | st.integers(1, 3)
            ),
            min_size=1,
            max_size=5,
        ),
        ageing=st.none() | st.just(60),
        chosen=st.just(frozenset()) | st.frozensets(st.integers(1, 5), min_size=1),
        pace=st.none() | st.integers(1, 3),
        weights=st.dictionaries(st.integers(1, 5), st.integers(1, 9)),
    )
    def start(
        self,
        model: Model,
        people: list[tuple[set[int], int | None, int | None]],
        ageing: int | None,
        chosen: frozenset[int],
        pace: int | None,
        weights: dict[int, int],
    ) -> None:
        self.now, self.stretch = T0, ""
        self.queue = Queue(
            "q",
            model=model,
            ageing_seconds=ageing,
            agents=chosen,
            rate_limit=pace,
            weights=tuple(sorted(weights.items())),
        )
        self.standing = Standing(self.queue)
        self.agents = {
            n: Agent(n, frozenset(g), inbox_limit=cap, rate_limit=rate)
            for n, (g, cap, rate) in enumerate(people, 1)
        }
        self.tickets: dict[int, Ticket] = {}
        self.made = 0
        for agent in self.agents.values():
            self.standing.put(agent)

    @rule(
        facts=st.lists(
            st.tuples(
                st.none() | GROUPS,
                st.integers(0, 3),
                st.sampled_from([None, "low", "urgent"]),
                st.frozensets(st.integers(1, 5), max_size=1),
                st.none() | st.integers(1, 5),
            ),
            min_size=1,
            max_size=5,
        )
    )
    def arrive(self, facts: list[tuple[int | None, int, str | None, frozenset[int], int | None]]) -> None:
        fresh = []
        for group, minutes, priority, declined, dedicated in facts:
            self.made += 1
            at = T0 + timedelta(minutes=minutes)
            fresh.append(Ticket(self.made, at, group, priority, declined=declined, dedicated=dedicated))
        self.tickets |= {t.id: t for t in fresh}
        self.standing.arrive(fresh)

    @precondition(lambda self: self.tickets)
    @rule(data=st.data(), gone=st.booleans())
    def change(self, data: st.DataObject, gone: bool) -> None:
        ticket = self.tickets.pop(data.draw(st.sampled_from(sorted(self.tickets))))
        if gone:
            self.standing.withdraw(ticket.id)
        else:
            preferred = data.draw(st.none() | st.integers(1, 6))
            self.tickets[ticket.id] = replace(ticket, priority="high", group=1, preferred=preferred)
            self.standing.arrive([self.tickets[ticket.id]])

    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        busy = [a for a in self.agents.values() if a.open_count]
        if busy:
            agent = data.draw(st.sampled_from(busy))
            self.agents[agent.id] = replace(agent, open_count=agent.open_count - 1)
            self.standing.finish(agent.id)

    @rule(data=st.data(), status=st.sampled_from(["online", "away"]), by_hand=st.integers(0, 2))
    def put(self, data: st.DataObject, status: str, by_hand: int) -> None:
        agent = self.agents[data.draw(st.sampled_from(sorted(self.agents)))]
        agent = replace(agent, status=status, open_count=agent.open_count + by_hand)
        self.agents[agent.id] = agent
        self.standing.put(agent)

    @rule(data=st.data())
    def lapse(self, data: st.DataObject) -> None:
        """One of an agent's tickets leaves the time of his rate limit; of the queue's, it may have before or not."""
        agent = self.agents[data.draw(st.sampled_from(sorted(self.agents)))]
        mine, of_queue = data.draw(st.sampled_from([(1, 0), (0, 1), (1, 1)]))
        self.agents[agent.id] = replace(
            agent,
            assigned_rate=max(0, agent.assigned_rate - mine),
            assigned_rate_queue=max(0, agent.assigned_rate_queue - of_queue),
        )
        self.standing.put(self.agents[agent.id])

    @rule()
    def decide(self) -> None:
        self.now += timedelta(minutes=1)
        waiting = list(self.tickets.values())
        plan = decide(Snapshot(list(self.agents.values()), waiting, self.queue, stretch=self.stretch))
        self.stretch = plan.stretch
        expected = [(d.ticket, d.agent) for d in plan.decisions if d.agent is not None]

        assert self.standing.decide(self.now) == expected
        for decision in plan.decisions:  # agent by agent, as if there were no profiles
            kind = kind_of(self.tickets[decision.ticket])
            for agent in self.agents.values():
                bar = barred(agent, kind, self.queue, Restrictions())
                code = decision.codes[agent.id]
                assert code is bar if bar else code not in BARS
        given = Counter(agent for _, agent in expected)
        for number, agent in self.agents.items():
            self.agents[number] = replace(
                agent,
                open_count=agent.open_count + given[number],
                assigned_rate=agent.assigned_rate + given[number],
                assigned_rate_queue=agent.assigned_rate_queue + given[number],
                last_assigned_at=self.now if given[number] else agent.last_assigned_at,
                credit=plan.balances.get(number, agent.credit),
            )
        for ticket, _ in expected:
            del self.tickets[ticket]

    @invariant()
    def counts(self) -> None:
        if hasattr(self, "standing"):
            assert self.standing.waiting == len(self.tickets)
            assert self.standing.crew.stretch in (None, self.stretch)
            for number, agent in self.agents.items():
                member = self.standing.crew.members[number]
                assert (member.open, member.credit) == (agent.open_count, agent.credit)


TestRounds = Rounds.TestCase
TestRounds.settings = settings(max_examples=60, stateful_step_count=20, deadline=None)


def test_a_closed_queue_gives_nothing_and_an_agent_who_left_gets_nothing() -> None:
    standing = Standing(Queue("q", closed=True))
    standing.put(Agent(1, frozenset({7})))
    standing.arrive([Ticket(1, T0, 7)])
    assert standing.decide(T0) == []

    standing = Standing(Queue("q"))
    standing.put(Agent(1, frozenset({7})))
    standing.arrive([Ticket(1, T0, 7)])
    standing.remove(1)
    assert standing.decide(T0) == []
    assert standing.waiting == 1
