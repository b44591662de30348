"""What a round has to look at: the same is given as if it looked at everything."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from services.assignment.domain.decide import decide, tally, value_order
from services.assignment.domain.eligibility import slots
from services.assignment.domain.model import Decision, Need, Queue, Snapshot, Ticket
from services.assignment.domain.waiting import BESIDES, NEWCOMERS, Waiting
from services.assignment.tests.unit.worlds import T0, snapshots

SOME = settings(max_examples=150, deadline=None)
QUEUE = Queue("q")


def ticket(number: int, group: int = 7) -> Ticket:
    return Ticket(number, T0 + timedelta(seconds=number), group)


def told(one: Decision) -> tuple[object, ...]:
    return one.ticket, one.outcome, one.agent, one.group, sorted(tally(one).items())


@given(snapshots(), st.integers(1, 40))
@SOME
def test_a_round_gives_the_same_as_if_it_looked_at_everything(world: Snapshot, times: int) -> None:
    many = [replace(t, id=t.id + 1000 * n) for n in range(times) for t in world.tickets]
    world = replace(world, tickets=many)
    each = [slots(agent, world.queue)[0] for agent in world.agents]
    room = None if None in each else sum(one for one in each if one is not None)
    waiting = Waiting(world.queue)
    waiting.load((one, True) for one in many)

    looked_at = waiting.heads(room)

    whole, part = decide(world), decide(replace(world, tickets=looked_at))
    assert [told(d) for d in part.assigned] == [told(d) for d in whole.assigned]
    assert part.balances == whole.balances
    outcomes = {d.ticket: told(d) for d in whole.decisions}
    assert all(told(d) == outcomes[d.ticket] for d in part.decisions)


@given(
    st.lists(
        st.tuples(st.integers(1, 9), st.sampled_from(["put", "remove"]), st.integers(0, 2), st.booleans())
    )
)
@SOME
def test_changed_ticket_by_ticket_it_is_as_if_loaded_at_once(
    changes: list[tuple[int, str, int, bool]],
) -> None:
    waiting, rows = Waiting(QUEUE), dict[int, tuple[Ticket, bool]]()
    for number, change, group, known in changes:
        if change == "put":
            rows[number] = ticket(number, group), known
            waiting.put(*rows[number][:1], known=known)
        else:
            rows.pop(number, None)
            waiting.remove(number)

    loaded = Waiting(QUEUE)
    loaded.load(rows.values())

    assert len(waiting) == len(rows)
    assert (
        list(waiting)
        == list(loaded)
        == sorted((t for t, _ in rows.values()), key=lambda t: value_order(t, QUEUE))
    )
    assert waiting.heads(0) == loaded.heads(0)


def test_of_each_kind_the_most_valuable_are_looked_at_and_of_newcomers_no_more_than_can_be_told() -> None:
    waiting = Waiting(QUEUE)
    waiting.load((ticket(n, group=7 + n % 2), n > 3000) for n in range(1, 5001))

    numbers = {t.id for t in waiting.heads(5)}

    assert numbers == set(range(1, NEWCOMERS + 1))
    for number in range(1, 3001):
        waiting.put(ticket(number, group=7 + number % 2), known=True)
    assert {t.id for t in waiting.heads(5)} == set(range(1, 2 * (5 + BESIDES) + 1))
    assert len(waiting.heads(None)) == 5000


def test_tickets_that_their_age_tells_apart_are_all_looked_at() -> None:
    waiting, needs = Waiting(QUEUE), (Need("de", 1, 60),)
    waiting.load((replace(ticket(n), needs=needs), True) for n in range(1, 101))
    assert len(waiting.heads(0)) == 100

    aged = Waiting(QUEUE, ages=True)
    aged.load((ticket(n), True) for n in range(1, 101))
    assert len(aged.heads(0)) == 100
