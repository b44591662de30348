"""A history in virtual time: the same rules as in earnest, and the waits that queueing theory demands."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from services.assignment.domain.erlang import erlang_a, erlang_c, relaxation, wait_error, wait_percentile
from services.assignment.domain.history import Arrival, Change, Given, History, Hours, Rules, Update
from services.assignment.domain.model import Agent, Model, Need, Queue, Ticket
from services.assignment.domain.played import Played, differences, play
from services.assignment.domain.replay import Replay, Step

T0 = datetime(2026, 1, 5, tzinfo=UTC)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
AT_ONCE = Queue("q", scheduled=False)


def arrival(number: int, minutes: float, work: timedelta = HOUR, **ticket: object) -> Arrival:
    at = T0 + minutes * MINUTE
    return Arrival(at, Ticket(number, at, 7, **ticket), work, "q")  # type: ignore[arg-type]  # values of the test


def history(arrivals: list[Arrival], *agents: Agent, hours: float = 24) -> History:
    return History(T0, T0 + hours * HOUR, arrivals, [Change(T0, agent) for agent in agents])


def steps(past: History, queue: Queue) -> list[tuple[int, int, float]]:
    found: list[Step] = list(Replay(past, Rules([queue])).play())
    return [(s.ticket, s.given.agent, (s.given.at - T0) / MINUTE) for s in found]


def test_a_full_agent_gets_the_next_ticket_the_moment_he_is_free() -> None:
    past = history([arrival(n, n) for n in (1, 2, 3)], Agent(1, frozenset({7}), inbox_limit=1))

    assert steps(past, AT_ONCE) == [(1, 1, 1), (2, 1, 61), (3, 1, 121)]


def test_a_scheduled_queue_gives_by_the_minute_and_no_more_than_the_batch() -> None:
    past = history([arrival(n, 0.5) for n in range(1, 6)], Agent(1, frozenset({7})))

    assert steps(past, Queue("q", batch_size=2)) == [(1, 1, 1), (2, 1, 1), (3, 1, 2), (4, 1, 2), (5, 1, 3)]


def test_the_daily_limit_looks_twelve_hours_back() -> None:
    past = history([arrival(n, 0, MINUTE) for n in (1, 2, 3)], Agent(1, frozenset({7}), daily_limit=2))

    assert steps(past, Queue("q")) == [(1, 1, 0), (2, 1, 0), (3, 1, 720)]


def test_a_rate_limit_frees_at_the_very_minute_at_which_a_ticket_leaves_its_time() -> None:
    paced = Agent(1, frozenset({7}), rate_limit=2, rate_minutes=30)
    past = history([arrival(n, n, MINUTE) for n in range(1, 6)], paced)

    assert steps(past, AT_ONCE) == [(1, 1, 1), (2, 1, 2), (3, 1, 31), (4, 1, 32), (5, 1, 61)]
    assert steps(past, replace(AT_ONCE, rate_limit=1, rate_minutes=20)) == [
        (1, 1, 1),
        (2, 1, 21),
        (3, 1, 41),
        (4, 1, 61),
        (5, 1, 81),
    ]


def test_what_an_agent_got_before_the_days_counts_and_a_changed_time_holds_at_once() -> None:
    hour = Agent(1, frozenset({7}), rate_limit=1, rate_minutes=60)
    changes = [
        Change(T0, replace(hour, assigned_rate=1)),
        Change(T0 + 5 * MINUTE, hour),
        Change(T0 + 20 * MINUTE, replace(hour, rate_minutes=40)),
        Change(T0 + 50 * MINUTE, replace(hour, rate_minutes=1)),
    ]
    past = History(T0, T0 + 24 * HOUR, [arrival(n, n, MINUTE) for n in range(1, 5)], changes)

    assert steps(past, AT_ONCE) == [(1, 1, 5), (2, 1, 45), (3, 1, 50), (4, 1, 51)]


def test_agents_come_and_go_and_keep_what_they_have() -> None:
    one = Agent(1, frozenset({7}), inbox_limit=2)
    away = Agent(1, frozenset({7}), status="away", inbox_limit=2)
    changes = [Change(T0, one), Change(T0 + 2 * MINUTE, away), Change(T0 + 30 * MINUTE, one)]
    past = History(T0, T0 + 24 * HOUR, [arrival(n, n) for n in (1, 3, 4)], changes)

    assert steps(past, AT_ONCE) == [(1, 1, 1), (3, 1, 30), (4, 1, 61)]


def test_a_need_is_dropped_at_its_instant_and_patience_ends() -> None:
    skilled = arrival(1, 0, needs=(Need("fr", 1, 300),))
    hasty = Arrival(T0, Ticket(2, T0, 8), HOUR, "q", patience=MINUTE)
    past = history([skilled, hasty], Agent(1, frozenset({7})))
    played = play(past, Rules([AT_ONCE]), "")

    assert steps(past, AT_ONCE) == [(1, 1, 5)]
    assert (played.given_up, played.waiting, played.waits) == (1, 0, [60, 300])


def test_two_queues_share_their_agents() -> None:
    second = Arrival(T0 + MINUTE, Ticket(2, T0 + MINUTE, 7), HOUR, "r")
    past = history([arrival(1, 0), second], Agent(1, frozenset({7}), inbox_limit=1))
    found = list(Replay(past, Rules([AT_ONCE, Queue("r", scheduled=False)])).play())

    assert [(s.ticket, s.queue, (s.given.at - T0) / MINUTE) for s in found] == [(1, "q", 0), (2, "r", 60)]
    with pytest.raises(ValueError, match="`r`, which no rule names"):
        list(Replay(past, Rules([AT_ONCE])).play())


def test_a_queue_that_rests_gives_nothing_until_it_opens() -> None:
    past = history([arrival(1, 0), arrival(2, 5)], Agent(1, frozenset({7})))
    hours = [Hours(T0 + MINUTE, "q", closed=True), Hours(T0 + 30 * MINUTE, "q", closed=False)]

    assert steps(replace(past, hours=hours), AT_ONCE) == [(1, 1, 0), (2, 1, 30)]


def test_what_becomes_known_of_a_ticket_counts_while_it_waits() -> None:
    other = Arrival(T0, Ticket(1, T0, 8), HOUR, "q")
    moved = Update(T0 + 5 * MINUTE, Ticket(1, T0, 7), "r")
    late = Update(T0 + 6 * MINUTE, Ticket(1, T0, 8), "q")
    past = replace(history([other], Agent(1, frozenset({7}))), updates=[moved, late])
    found = list(Replay(past, Rules([AT_ONCE, Queue("r", scheduled=False)])).play())

    assert [(s.ticket, s.queue, (s.given.at - T0) / MINUTE) for s in found] == [(1, "r", 5)]


def test_capacity_is_shared_by_queues_of_unequal_work_and_open_limits_are_each_queue_s_own() -> None:
    asked = [arrival(1, 0), arrival(2, 2)]
    asked += [replace(arrival(n, 1), queue="r") for n in (3, 4)]
    past = history(asked, Agent(1, frozenset({7}), capacity=5))
    light, heavy = replace(AT_ONCE, open_limit=1), Queue("r", scheduled=False, work=2)
    found = list(Replay(past, Rules([light, heavy])).play())

    # Two heavy ones fit beside a light one; the second light one waits for its own queue's limit alone.
    assert [(s.ticket, (s.given.at - T0) / MINUTE) for s in found] == [(1, 0), (3, 1), (4, 1), (2, 60)]
    tight = replace(past, changes=[Change(T0, Agent(1, frozenset({7}), capacity=3))])
    found = list(Replay(tight, Rules([AT_ONCE, heavy])).play())
    assert [(s.ticket, (s.given.at - T0) / MINUTE) for s in found] == [(1, 0), (3, 1), (2, 60), (4, 61)]


def test_figures() -> None:
    people = [Agent(1, frozenset({7}), inbox_limit=1), Agent(2, frozenset({7}), status="away")]
    asked = [arrival(1, 0), arrival(2, 0), arrival(3, 23 * 60 + 30)]
    asked = [Arrival(a.at, a.ticket, a.work, "q", breach_at=a.at + 30 * MINUTE, requester=5) for a in asked]
    played = play(history(asked, *people), Rules([AT_ONCE]), "")

    assert played.waits == [0, 0, 3600]
    assert (played.wait(0.5), played.wait(0.9), played.wait(1)) == (0, 3600, 3600)
    assert (played.breaches, played.with_target) == (1, 2)  # the third would breach at the end, not before it
    assert (played.repeats, played.same_agent, played.backlog) == (2, 2, 1)
    assert [(load.tickets, load.open_seconds) for load in played.loads.values()] == [(3, 9000), (0, 0)]
    assert (played.fairness_by_count, round(played.waited, 4)) == (0.5, 0.3333)
    assert [level for _, level in played.backlogs] == [1, 0, 0, 0]


def test_what_was_decided_differently_is_listed() -> None:
    one, other, third = Given(T0, 1), Given(T0, 2), Given(T0 + HOUR, 1)

    assert differences({1: one, 2: one, 3: one}, {1: other, 2: third, 4: other}) == [
        (1, one, other),
        (3, one, None),
        (4, None, other),
    ]


def random_day(
    agents: int, arrivals: float, tickets: int, patience: float | None = None, *, classes: bool = False
) -> History:
    """Return Poisson arrivals and exponential work of mean one minute; `arrivals` per minute."""
    dice, at, made = random.Random(1), T0, []
    for number in range(1, tickets + 1):
        at += dice.expovariate(arrivals) * MINUTE
        work = dice.expovariate(1) * MINUTE
        gives_up = dice.expovariate(1 / patience) * MINUTE if patience else None
        ticket = Ticket(number, at, 7, dice.choice(["urgent", "low"]) if classes else None)
        made.append(Arrival(at, ticket, work, "q", patience=gives_up))
    people = [Agent(n, frozenset({7}), inbox_limit=1) for n in range(1, agents + 1)]
    return History(T0, at + 24 * HOUR, made, [Change(T0, a) for a in people])


TICKETS = 30_000
STANDARD_ERRORS = 4


@pytest.mark.parametrize(("agents", "arrivals"), [(3, 2.0), (8, 6.0)])
def test_waits_agree_with_erlang_c(agents: int, arrivals: float) -> None:
    by_formula = erlang_c(agents, arrivals, 1)
    played = play(random_day(agents, arrivals, TICKETS), Rules([AT_ONCE]), "")
    tolerance = STANDARD_ERRORS * wait_error(agents, arrivals, 1, TICKETS)

    assert abs(played.mean_wait / 60 - by_formula.wait) < tolerance
    assert tolerance < by_formula.wait / 2, "else the test could not fail"
    seen = TICKETS / arrivals / (2 * relaxation(agents, arrivals, 1))
    assert abs(played.waited - by_formula.waits) < STANDARD_ERRORS * (by_formula.waits / seen) ** 0.5
    p90 = wait_percentile(agents, arrivals, 1, 0.9)
    assert abs(played.wait(0.9) / 60 - p90) < p90 * tolerance / by_formula.wait


@pytest.mark.parametrize(("agents", "arrivals", "patience"), [(3, 2.0, 2.0), (10, 12.0, 3.0)])
def test_waits_agree_with_erlang_a(agents: int, arrivals: float, patience: float) -> None:
    """Also where the agents could never keep up: impatience bounds the queue."""
    by_formula = erlang_a(agents, arrivals, 1, patience)
    played = play(random_day(agents, arrivals, TICKETS, patience), Rules([AT_ONCE]), "")
    # What is given up follows the queue, whose memory is about the patience: one observation each two of them.
    observations = TICKETS / arrivals / (2 * max(patience, 1.0))
    tolerance = STANDARD_ERRORS * max(by_formula.wait, patience / 10) / observations**0.5

    assert abs(played.mean_wait / 60 - by_formula.wait) < tolerance < by_formula.wait / 2
    share = played.given_up / TICKETS
    assert abs(share - by_formula.abandoned) < tolerance / patience


def test_priority_decides_who_waits_but_not_how_long_all_wait_and_the_model_only_who_works() -> None:
    """Two classes of half the load each wait 2/9 and 2/3 (facts: §11.1); the mean depends on no model."""
    past = random_day(3, 2.0, TICKETS, classes=True)
    results: dict[Model, Played] = {}
    for model in (Model.ROUND_ROBIN, Model.LEAST_ACTIVE, Model.LONGEST_IDLE):
        results[model] = play(past, Rules([Queue("q", model=model, scheduled=False)]), "")
    means = {played.mean_wait for played in results.values()}
    waits: Counter[str | None] = Counter()
    number: Counter[str | None] = Counter()
    for a in past.arrivals:
        number[a.ticket.priority] += 1
        given = results[Model.ROUND_ROBIN].given[a.ticket.id]
        waits[a.ticket.priority] += (given.at - a.at) / MINUTE  # type: ignore[assignment]  # minutes, not whole

    assert max(means) - min(means) < 1e-6
    tolerance = STANDARD_ERRORS * wait_error(3, 2.0, 1, TICKETS)
    assert abs(waits["urgent"] / number["urgent"] - 2 / 9) < tolerance
    assert abs(waits["low"] / number["low"] - 2 / 3) < 2 * tolerance
    assert min(p.fairness_by_count for p in results.values()) > 0.99


def test_formulas_have_the_values_of_the_literature() -> None:
    """Facts: §11.1; rates per second, 48 tickets a minute of one minute each."""
    figures = erlang_c(50, 48 / 60, 1 / 60)
    assert (round(figures.waits, 4), round(figures.wait, 2)) == (0.6945, 20.83)
    assert round(wait_percentile(50, 48 / 60, 1 / 60, 0.9), 2) == 58.14
    assert wait_percentile(50, 48 / 60, 1 / 60, 0.3) == 0
    impatient = erlang_a(50, 48 / 60, 1 / 60, 120)
    assert (round(impatient.abandoned, 4), round(impatient.wait, 2)) == (0.0309, 3.71)
    assert (round(impatient.waits, 4), round(impatient.occupancy, 3)) == (0.4678, 0.930)
    assert erlang_a(2000, 1990, 1, 1).occupancy < 1
    with pytest.raises(ValueError, match="cannot keep up"):
        erlang_c(2, 2.0, 1)


def test_a_call_comes_in_at_once_though_email_fills_the_agent_in_a_replay_too() -> None:
    email = Queue("email", scheduled=False, interruptible=True)
    call = Queue("call", scheduled=False)
    arrivals = [
        Arrival(T0 + m * MINUTE, Ticket(n, T0 + m * MINUTE, 7), HOUR, queue)
        for n, m, queue in ((1, 1, "email"), (2, 2, "email"), (3, 5, "call"), (4, 6, "email"))
    ]
    past = history(arrivals, Agent(1, frozenset({7}), capacity=2))

    found = [(s.ticket, (s.given.at - T0) / MINUTE) for s in Replay(past, Rules([email, call])).play()]

    assert found == [(1, 1), (2, 2), (3, 5), (4, 62)], "beside the call there is room for one email"


def test_a_ticket_is_taken_at_the_very_second_at_which_a_lower_level_is_enough() -> None:
    need = Need("fr", 3, 600, ((120, 2), (300, 1)))
    low, mid = Agent(1, frozenset({7}), skills=(("fr", 1),)), Agent(2, frozenset({7}), skills=(("fr", 2),))
    skills = replace(AT_ONCE, model=Model.SKILLS)

    assert steps(history([arrival(1, 0, needs=(need,))], low, mid), skills) == [(1, 2, 2)]
    assert steps(history([arrival(1, 0, needs=(need,))], low), skills) == [(1, 1, 5)]
    assert steps(history([arrival(1, 0, needs=(need,))], Agent(3, frozenset({7}))), skills) == [(1, 3, 10)]
