"""A decision names its rule, the winner's score and by how much the others lost."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings

from services.assignment.domain.decide import decide
from services.assignment.domain.model import Agent, Code, Model, Need, Queue, Snapshot, Ticket
from services.assignment.domain.scores import LOST, order, scored
from services.assignment.domain.verdict import verdict
from services.assignment.tests.unit.worlds import snapshots

T0 = datetime(2026, 1, 5, 9, tzinfo=UTC)
SEVEN = frozenset({7})


def ticket(number: int, group: int = 7, *needs: Need, preferred: int | None = None) -> Ticket:
    return Ticket(number, T0 + timedelta(minutes=number), group, needs=needs, preferred=preferred)


def world(model: Model, *agents: Agent, tickets: int = 1, weights: tuple[int, ...] = ()) -> Snapshot:
    queue = Queue("q", model=model, weights=tuple(enumerate(weights, 1)))
    waiting = [ticket(n) for n in range(1, tickets + 1)]
    return Snapshot(list(agents), waiting, queue, as_of=T0 + timedelta(hours=1))


def said(snapshot: Snapshot, number: int = 1) -> list[str]:
    found = scored(snapshot, number)
    assert found is not None
    return verdict(found, snapshot)


@given(snapshots())
@settings(max_examples=150, deadline=None)
def test_whoever_is_asked_the_decision_is_the_same_and_the_winner_s_score_is_told(snapshot: Snapshot) -> None:
    plan = decide(snapshot)
    for decision in plan.decisions:
        found = scored(snapshot, decision.ticket)
        assert found is not None
        assert found.decision == decision
        if decision.agent is None:
            assert (found.scores, found.runner_up, verdict(found, snapshot)) == ({}, None, [])
            continue
        assert found.scores.keys() == decision.codes.keys()
        before = sum(d.agent == decision.agent and d.rank < decision.rank for d in plan.decisions)
        winner = found.scores[decision.agent]
        started = next(a for a in snapshot.agents if a.id == decision.agent)
        assert (winner.before, winner.open) == (before, started.open_count + before)
        for agent, code in decision.codes.items():
            mine = [d.ticket for d in plan.assigned if d.agent == agent]
            assert found.took.get(agent, []) == (mine if code is Code.SLOT_TAKEN else [])
        losers = [a for a, code in decision.codes.items() if code in LOST]
        assert (found.runner_up is None) is (not losers)
        if found.runner_up is not None:
            model = snapshot.queue.model
            assert all(
                order(model, found.scores[found.runner_up]) <= order(model, found.scores[a]) for a in losers
            )
        assert f"`{decision.agent}`" in " ".join(verdict(found, snapshot))


def test_turns() -> None:
    agents = [Agent(1, SEVEN), Agent(2, SEVEN), Agent(3, frozenset({8}))]
    snapshot = world(Model.ROUND_ROBIN, *agents, tickets=2)

    assert said(snapshot) == [
        "the queue gives in turns",
        "agents `1` and `2` came out equal: the smaller number goes first",
    ]
    assert said(snapshot, 2)[1] == "agent `2` was owed 1.00 turns, the next, agent `1`, 0.00"


def test_loads_and_idle_times() -> None:
    loaded = world(Model.LEAST_ACTIVE, Agent(1, SEVEN, open_count=5), Agent(2, SEVEN, open_count=3))
    assert said(loaded)[1] == "agent `2` had 3 tickets open, the next, agent `1`, 5"

    at = T0 - timedelta(hours=2)
    idle = world(Model.LONGEST_IDLE, Agent(1, SEVEN, last_assigned_at=at), Agent(2, SEVEN), tickets=2)
    assert (
        said(idle)[1]
        == "agent `2` never got one; the next, agent `1`, got none since 2026-01-05 07:00:00 UTC"
    )
    assert said(idle, 2)[1] == (
        "agent `1` got none since 2026-01-05 07:00:00 UTC; the next, agent `2`, had 1 ticket of this round before it "
        "and never got one"
    )


def test_weights_and_deadlines() -> None:
    """The fifth of seven turns of 5 to 1 to 1 goes to 1, who would miss his share otherwise (facts: A A B A A C A)."""
    snapshot = world(Model.WEIGHTED, Agent(1, SEVEN), Agent(2, SEVEN), tickets=2, weights=(3, 1))

    assert said(snapshot)[0] == "the queue gives in turns, in proportion to weights"
    assert said(snapshot)[1] == "agent `1` was owed 0.75 turns, the next, agent `2`, 0.25"
    assert said(snapshot, 2)[1] == "agents `1` and `2` came out equal: the smaller number goes first"
    due = world(Model.WEIGHTED, *(Agent(n, SEVEN) for n in (1, 2, 3)), tickets=5, weights=(5, 1, 1))
    assert said(due, 5)[1] == (
        "agent `1` was owed 0.57 turns, the next, agent `3`, 0.71: but by their weights the turn of agent `1` was due first"
    )


def test_a_better_fit() -> None:
    speaker = Agent(1, SEVEN, skills=(("fr", 2),), open_count=3)
    wish = replace(world(Model.SKILLS), agents=[speaker, Agent(2, SEVEN), Agent(4, SEVEN)])
    wish = replace(wish, tickets=[ticket(1, 7, Need("fr", 2, 0))])

    assert said(wish) == [
        "the queue gives to whoever fits best, then to whoever has the fewest open tickets",
        "agent `1` holds 1 of the skills that are wished for; 2 agents fit worse, the best of them, agent `2`, with 0",
    ]
    preferred = replace(wish, queue=Queue("q"), tickets=[ticket(1, preferred=2)])
    assert said(preferred)[1] == "agent `2` is preferred, for he had the ticket before; 2 agents fit worse"
    both = replace(wish, agents=[*wish.agents, Agent(5, SEVEN, skills=(("fr", 9),), open_count=4)])
    assert said(both)[2] == "agent `1` had 3 tickets open, the next, agent `5`, 4"


def test_who_is_alone_and_who_is_needed_elsewhere() -> None:
    assert said(world(Model.ROUND_ROBIN, Agent(1, SEVEN), Agent(2, frozenset({8}))))[1] == (
        "agent `1` is the only one who could have it"
    )
    needed = Snapshot(
        [Agent(1, SEVEN, open_count=2), Agent(2, frozenset({7, 8}), open_count=1)],
        [ticket(1), ticket(2, 8), ticket(3, 8)],
        Queue("q", model=Model.LEAST_ACTIVE),
    )

    assert said(needed)[1] == (
        "agent `1` had 2 tickets open, the next, agent `2`, 1: but other tickets of this round need that agent, and "
        "the whole is the most even this way"
    )


def test_whose_room_other_tickets_need_is_told() -> None:
    one_each = Agent(1, frozenset({7, 8}), inbox_limit=1)
    snapshot = Snapshot([one_each, Agent(2, SEVEN, inbox_limit=1)], [ticket(1), ticket(2, 8)], Queue("q"))
    found = scored(snapshot, 1)

    assert found is not None
    assert found.decision.codes == {1: Code.SLOT_TAKEN, 2: Code.CHOSEN}
    assert found.took == {1: [2]}
    assert said(snapshot)[1:] == [
        "other tickets of this round take the room of 1 agent",
        "agent `2` is the only one who could have it",
    ]


def test_a_better_fit_of_the_whole_round() -> None:
    """Both tickets wish for French, the second for German besides; who speaks both is kept for it."""
    both = Agent(1, SEVEN, skills=(("de", 1), ("fr", 1)), inbox_limit=1)
    one = Agent(2, SEVEN, skills=(("fr", 1),), open_count=7)
    first = ticket(1, 7, Need("fr", 1, 0))
    second = ticket(2, 7, Need("de", 1, 0), Need("fr", 1, 0))
    snapshot = Snapshot(
        [both, one], [first, second], Queue("q", model=Model.SKILLS), as_of=T0 + timedelta(hours=1)
    )

    assert [d.agent for d in decide(snapshot).decisions] == [2, 1]
    assert decide(snapshot).decisions[0].codes[1] is Code.LOST_QUALITY
    assert said(snapshot)[1] == (
        "agent `2` has it because the tickets of the round fit best that way; 1 agent fits worse on the whole"
    )


def test_what_did_not_wait_has_no_score() -> None:
    assert scored(world(Model.ROUND_ROBIN, Agent(1, SEVEN)), 99) is None
