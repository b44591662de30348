"""Whatever happens in Zendesk, and however little of it a webhook tells: views are known rightly in the end."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from libs.kernel.clock import ManualClock
from libs.kernel.ids import CountingIds
from services.assignment.adapters.memory.store import MemoryStore
from services.assignment.tests.house import ACCOUNT, BILLING, SUPPORT, House
from services.assignment.tests.zendesk import LocalZendesk

Row = dict[str, Any]
UNSOLVED = {"field": "status", "operator": "less_than", "value": "solved"}
TAGGED = {"field": "current_tags", "operator": "includes", "value": "a"}
IN_SUPPORT = {"field": "group_id", "operator": "is", "value": str(SUPPORT)}
IN_BILLING = {"field": "group_id", "operator": "is", "value": str(BILLING)}
VIEWS: dict[int, tuple[Row, Callable[[Row], bool]]] = {
    70: ({"all": [UNSOLVED, TAGGED]}, lambda t: "a" in t["tags"]),
    71: ({"all": [UNSOLVED, IN_SUPPORT]}, lambda t: t["group_id"] == SUPPORT),
    72: (
        {"all": [UNSOLVED], "any": [IN_BILLING, TAGGED]},
        lambda t: t["group_id"] == BILLING or "a" in t["tags"],
    ),
}
GROUPS, TAGS = st.sampled_from([None, SUPPORT, BILLING]), st.sampled_from([[], ["a"]])
CHANGES = st.one_of(
    st.builds(lambda tags: {"tags": tags}, TAGS),
    st.builds(lambda group: {"group_id": group}, GROUPS),
    st.sampled_from([{"status": "pending"}, {"status": "open"}, {"assignee_id": 1}, {"assignee_id": None}]),
)
STEPS = st.one_of(
    st.tuples(st.just("create"), GROUPS, TAGS, st.booleans()),
    st.tuples(st.just("change"), CHANGES, st.booleans(), st.integers(0, 3)),
    st.tuples(st.just("job"), st.sampled_from([1, 1, 3, 12])),
    st.tuples(st.just("pass"), st.sampled_from([1, 20, 59, 61])),
    st.tuples(st.just("fail"), st.sampled_from(sorted(VIEWS))),
    st.tuples(st.just("replica")),
)
SETTLED_MINUTES = 4
"""Two until the export tells of a change, one for a view that could not be read, one for the read that makes sure."""


async def play(house: House, steps: list[tuple[Any, ...]]) -> None:
    """Let things happen in Zendesk."""
    zendesk = house.zendesk
    for step in steps:
        match step:
            case "create", group, tags, told:
                number = len(zendesk.tickets) + 1
                zendesk.ticket(number, group_id=group, tags=tags)
                if told:
                    await house.webhook(number)
            case "change", values, told, which if zendesk.tickets:
                number = 1 + which % len(zendesk.tickets)
                zendesk.change(number, **values)
                if told:
                    await house.webhook(number)
            case "pass", seconds:
                house.clock.advance(timedelta(seconds=seconds))
            case "job", times:
                for _ in range(times):
                    await house.minute(minutes=1)
            case "fail", view:
                zendesk.fault(f"GET views/{view}/tickets", status=400)
            case ("replica",):
                house.job = replica(house).job


def replica(house: House) -> House:
    """Return another replica."""
    return House(house.store, house.zendesk, house.clock, house.ids)


TAGGED_TICKETS = [("create", None, ["a"], True)] * 3


@example([*TAGGED_TICKETS[:1], ("job", 3), ("change", {"tags": []}, True, 0)], 1)
@example([*TAGGED_TICKETS, ("job", 12), ("change", {"tags": []}, False, 0)], 1)  # not on the last page
@settings(max_examples=100, deadline=None)
@given(st.lists(STEPS, min_size=3, max_size=20), st.sampled_from([1, 2, 100]))
async def test_a_few_minutes_after_the_last_change_every_waiting_ticket_is_where_zendesk_shows_it(
    steps: list[tuple[Any, ...]], page: int
) -> None:
    clock = ManualClock()
    zendesk = LocalZendesk(clock)
    zendesk.agent(1, SUPPORT, BILLING)
    zendesk.view_page = page
    for view, (conditions, holds) in VIEWS.items():
        zendesk.view_conditions[view] = conditions
        zendesk.views[view] = lambda t, holds=holds: t["status"] in ("new", "open", "pending") and holds(t)  # type: ignore[misc]  # bound at once
    house = House(MemoryStore(), zendesk, clock, CountingIds())
    await house.open()
    async with house.store.transaction(ACCOUNT) as tx:
        for queue in await tx.directory.queues():
            await tx.directory.delete_queue(queue.id)
    for position, view in enumerate(VIEWS):
        await house.queue(f"q{view}", source=view, position=position)

    await play(house, steps)
    zendesk.faults.clear()
    for _ in range(SETTLED_MINUTES):
        await house.minute(minutes=1)

    async with house.store.transaction(ACCOUNT) as tx:
        for number, row in zendesk.tickets.items():
            waits = row["status"] in ("new", "open") and row["assignee_id"] is None
            shown = [view for view in VIEWS if zendesk.views[view](row)] if waits else []
            holder = await tx.tickets.holder(number, clock.now())
            assert (holder.source if holder else None) == (shown[0] if shown else None), number
