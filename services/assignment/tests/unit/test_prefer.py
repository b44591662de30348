"""Dedicated support and the same agent come before the queue, and never stop a ticket (facts: §2.4, §2.5, D9, D10)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from services.assignment.app.options import AccountOptions
from services.assignment.app.prefer import LEASE_SECONDS
from services.assignment.app.rows import PREFERRING, DedicatedRow
from services.assignment.domain.errors import QueueNotActiveError
from services.assignment.domain.model import Code
from services.assignment.tests.house import ACCOUNT, SUPPORT, House
from services.assignment.tests.zendesk import LocalZendesk


async def options(house: House, **values: Any) -> None:
    """Set what the account uses."""
    async with house.store.transaction(ACCOUNT) as tx:
        account = await tx.directory.account()
        assert account is not None
        await tx.directory.put_account(replace(account, options=AccountOptions(**values)))


async def rules(house: House, *rows: DedicatedRow) -> None:
    assert await house.queues.replace_dedicated_rules(ACCOUNT, rows, validate_only=False) == []


async def history(house: House, agent: int = 2, hours: int = 3) -> None:
    """Let requester 900 have a ticket with an agent, and a new one."""
    house.zendesk.ticket(4, requester_id=900, assignee_id=agent, status="open", group_id=SUPPORT)
    house.clock.advance(timedelta(hours=hours))
    house.zendesk.ticket(5, requester_id=900, group_id=SUPPORT)


async def mechanism(house: House, ticket: int = 5) -> tuple[str, int | None]:
    decision = (await house.decisions(ticket))[-1]
    return decision.mechanism, decision.agent_id


async def test_the_same_agent_gets_the_ticket_with_its_tag_and_why(
    house: House, zendesk: LocalZendesk
) -> None:
    await house.open(1, 2)
    await options(house, same_agent_hours=3, same_agent_tag="same_agent")
    await history(house)

    _, decision = await house.webhook(5)
    await house.write(ACCOUNT)

    assert await mechanism(house) == ("same_agent", 2)
    assert (zendesk.tickets[5]["assignee_id"], zendesk.tickets[5]["tags"]) == (2, ["same_agent"])
    assert (await house.explain.decision(ACCOUNT, decision)).recomputes is True


async def test_outside_the_window_the_queue_decides(house: House, zendesk: LocalZendesk) -> None:
    await house.open(1)
    await options(house, same_agent_hours=2)
    await history(house)

    await house.webhook(5)

    assert await mechanism(house) == ("queue", 1)


@pytest.mark.parametrize("kept_from_it", ["offline", "full", "other group", "restricted"])
async def test_an_agent_who_cannot_take_it_does_not_stop_it(
    house: House, zendesk: LocalZendesk, kept_from_it: str
) -> None:
    await house.open(1, 2, 3)
    await options(house, same_agent_hours=24)
    await history(house, agent=3 if kept_from_it == "other group" else 2)
    if kept_from_it == "offline":
        await house.set_status("away", 2)
    if kept_from_it == "full":
        zendesk.ticket(7, group_id=SUPPORT, assignee_id=2, status="open")
        await house.webhook(7)
        await house.set_limits(2, inbox=1)
    if kept_from_it == "restricted":
        house.privacy.no_affinity = {900}
        await house.set_status("away", 2)

    await house.webhook(5)

    assert (await mechanism(house))[0] == "queue"
    assert (await house.ticket(5)).routing == "assigned"


ASKED = "GET users/900/tickets/requested"


async def test_while_zendesk_does_not_answer_no_queue_goes_ahead_and_it_is_asked_again(
    house: House, zendesk: LocalZendesk, lease_seconds: list[float]
) -> None:
    await house.open(1, 2)
    await house.queue("all")
    await options(house, same_agent_hours=24)
    await history(house)
    zendesk.fault(ASKED, status=400, times=1)

    assert await house.webhook(5) == (False, "")
    assert (await house.next(ACCOUNT, 1, ""))[0] is None
    await house.minute(minutes=1)
    assert (await house.ticket(5)).routing == "waiting"  # whoever asked may still be at it
    with pytest.raises(QueueNotActiveError, match="earlier agent"):
        await house.explain.why_waiting(ACCOUNT, 5)
    lease_seconds[0] += LEASE_SECONDS
    await house.minute(minutes=0)

    assert await mechanism(house) == ("same_agent", 2)
    assert zendesk.calls.count(ASKED) == 2


async def test_a_zendesk_that_never_answers_stops_no_ticket_for_long(
    house: House, zendesk: LocalZendesk, lease_seconds: list[float]
) -> None:
    await house.open(1)
    await house.queue("all")
    await options(house, same_agent_hours=24)
    await history(house)
    zendesk.fault(ASKED, status=400, times=99)
    await house.webhook(5)

    house.clock.advance(PREFERRING - timedelta(seconds=1))
    lease_seconds[0] += LEASE_SECONDS
    await house.minute(minutes=0)
    assert (await house.ticket(5)).routing == "waiting"
    house.clock.advance(timedelta(seconds=1))
    await house.minute(minutes=0)

    assert await mechanism(house) == ("queue", 1)


async def test_what_a_webhook_died_over_goes_on_with_its_repeat(
    house: House, zendesk: LocalZendesk, lease_seconds: list[float]
) -> None:
    await house.open(1, 2)
    await options(house, same_agent_hours=24)
    await history(house)
    zendesk.fault(ASKED, status=400)
    await house.webhook(5, invocation="one")

    assert await house.webhook(5, invocation="one") == (True, "")  # the first may still be at it
    lease_seconds[0] += LEASE_SECONDS
    repeat, decision = await house.webhook(5, invocation="one")

    assert repeat
    assert decision == (await house.decisions(5))[-1].id
    assert await mechanism(house) == ("same_agent", 2)


async def test_what_a_webhook_died_over_goes_on_with_the_next_one(
    house: House, zendesk: LocalZendesk, lease_seconds: list[float]
) -> None:
    await house.open(1, 2)
    await options(house, same_agent_hours=24)
    await history(house)
    zendesk.fault(ASKED, status=400)
    await house.webhook(5)
    lease_seconds[0] += LEASE_SECONDS

    zendesk.ticket(6, group_id=SUPPORT)
    await house.webhook(6)

    assert await mechanism(house) == ("same_agent", 2)


async def test_a_new_ticket_that_only_a_view_shows_is_sent_back_too(
    house: House, zendesk: LocalZendesk
) -> None:
    await house.open(1, 2)
    await house.queue("view", source=70)
    zendesk.views[70] = lambda row: row["id"] == 5
    await options(house, same_agent_hours=24)
    await history(house)

    await house.job(ACCOUNT, catch_up=False, wait_for_writes=True)

    assert await mechanism(house) == ("same_agent", 2)


async def test_daily_limits_do_not_count_for_the_same_agent_nor_it_for_them(
    house: House, zendesk: LocalZendesk
) -> None:
    await house.open(2)
    await house.queue("all")
    await house.set_limits(2, daily=1)
    await options(house, same_agent_hours=24)
    await history(house)

    await house.webhook(5)
    zendesk.ticket(6, group_id=SUPPORT)
    await house.minute()

    assert await mechanism(house) == ("same_agent", 2)
    assert await mechanism(house, 6) == ("queue", 2)


async def test_only_a_new_ticket_is_sent_back_and_once(house: House, zendesk: LocalZendesk) -> None:
    await house.open()
    await options(house, same_agent_hours=24)
    await history(house)
    await house.webhook(5)
    await house.set_status("online", 1, 2)
    zendesk.calls.clear()

    house.clock.advance(timedelta(seconds=5))
    zendesk.change(5, priority="high")
    await house.webhook(5)

    assert not [c for c in zendesk.calls if "requested" in c]
    assert (await mechanism(house))[0] == "queue"


async def test_a_ticket_that_no_webhook_told_of_is_sent_back_by_the_job(
    house: House, zendesk: LocalZendesk
) -> None:
    await house.open(1, 2)
    await options(house, same_agent_hours=24)
    await history(house)

    await house.minute()

    assert await mechanism(house) == ("same_agent", 2)


@pytest.mark.parametrize(
    ("rule", "values"),
    [
        (DedicatedRow("requester", "900", (9, 2)), {"requester_id": 900}),
        (DedicatedRow("organization", "77", (9, 2)), {"organization_id": 77}),
        (DedicatedRow("tag", "vip", (9, 2)), {"tags": ["vip", "other"]}),
    ],
)
async def test_the_first_dedicated_agent_who_is_free_gets_it(
    house: House, zendesk: LocalZendesk, rule: DedicatedRow, values: dict[str, Any]
) -> None:
    await house.open(1, 2)
    await rules(house, DedicatedRow("tag", "nobody", (1,)), rule)
    zendesk.ticket(5, group_id=SUPPORT, **values)

    await house.webhook(5)

    assert await mechanism(house) == ("dedicated", 2)


async def test_dedicated_support_comes_before_the_same_agent(house: House, zendesk: LocalZendesk) -> None:
    await house.open(1, 2)
    await options(house, same_agent_hours=24)
    await rules(house, DedicatedRow("requester", "900", (1,)))
    await history(house)

    await house.webhook(5)

    assert await mechanism(house) == ("dedicated", 1)


async def test_a_ticket_may_wait_for_its_agent_and_says_so(house: House, zendesk: LocalZendesk) -> None:
    await house.open(1)
    await rules(house, DedicatedRow("requester", "900", (2,), "wait"))
    zendesk.ticket(5, group_id=SUPPORT, requester_id=900)

    await house.webhook(5)
    why = await house.explain.why_waiting(ACCOUNT, 5)
    assert why.decision.codes[1] is Code.NOT_DEDICATED
    await house.set_status("online", 2)
    await house.minute()

    assert await mechanism(house) == ("queue", 2)


async def test_without_fallback_it_goes_its_ordinary_way(house: House, zendesk: LocalZendesk) -> None:
    await house.open(1)
    await rules(house, DedicatedRow("requester", "900", (3, 2)))
    zendesk.ticket(5, group_id=SUPPORT, requester_id=900)

    await house.webhook(5)

    assert await mechanism(house) == ("queue", 1)


async def test_a_rule_for_an_unknown_agent_is_refused(house: House, zendesk: LocalZendesk) -> None:
    await house.open()
    rows = [DedicatedRow("tag", "a", (1,)), DedicatedRow("tag", "b", (1, 404))]

    assert await house.queues.replace_dedicated_rules(ACCOUNT, rows, validate_only=False) == [(1, 404)]
    assert await house.queues.replace_dedicated_rules(ACCOUNT, rows[:1], validate_only=True) == []
    async with house.store.transaction(ACCOUNT) as tx:
        assert await tx.directory.dedicated_rules() == []


FIELD = [{"id": 77, "value": "gold"}, {"id": 78, "value": "secret"}]


@pytest.mark.parametrize(
    ("asked", "earlier", "new", "same"),
    [
        ({"match": ("brand",)}, {"brand_id": 3}, {"brand_id": 3}, True),
        ({"match": ("brand",)}, {"brand_id": 3}, {"brand_id": 4}, False),
        ({"match": ("form", "group")}, {"ticket_form_id": 3}, {"ticket_form_id": 3}, True),
        ({"match": ("form",)}, {"ticket_form_id": 3}, {}, False),
        ({"fields": (77,)}, {"custom_fields": FIELD}, {"custom_fields": FIELD}, True),
        ({"fields": (77,)}, {"custom_fields": FIELD}, {}, False),
        ({"channels": ("email",)}, {}, {"via": {"channel": "email"}}, True),
        ({"channels": ("email",)}, {"via": {"channel": "email"}}, {"via": {"channel": "web"}}, False),
        ({"priorities": ("urgent",)}, {}, {"priority": "urgent"}, True),
        ({"tags": ("vip",)}, {"tags": ["vip"]}, {}, False),
        ({"excluded_tags": ("bulk",)}, {}, {"tags": ["bulk"]}, False),
    ],
)
async def test_criteria_are_met_by_the_new_ticket_and_the_earlier_one(
    house: House,
    zendesk: LocalZendesk,
    asked: dict[str, Any],
    earlier: dict[str, Any],
    new: dict[str, Any],
    same: bool,
) -> None:
    await house.open(1, 2)
    await options(
        house, same_agent_hours=24, **{f"same_agent_{name}": value for name, value in asked.items()}
    )
    await house.set_limits(1, inbox=1)
    await history(house)
    zendesk.tickets[4] |= earlier
    zendesk.tickets[5] |= new

    await house.webhook(5)

    assert await mechanism(house) == (("same_agent", 2) if same else ("queue", 1))


async def test_an_earlier_ticket_that_does_not_match_neither_breaks_nor_extends_the_run(
    house: House, zendesk: LocalZendesk
) -> None:
    await house.open(1, 2)
    await options(house, same_agent_hours=3, same_agent_match=("brand",))
    zendesk.ticket(3, requester_id=900, assignee_id=2, status="open", group_id=SUPPORT, brand_id=8)
    house.clock.advance(timedelta(hours=1))
    await history(house)  # ticket 4, three hours ago, of no brand, by agent 2
    zendesk.ticket(6, requester_id=900, assignee_id=1, status="open", group_id=SUPPORT, brand_id=9)
    zendesk.tickets[4]["brand_id"] = zendesk.tickets[5]["brand_id"] = 7

    await house.webhook(5)

    assert await mechanism(house) == ("same_agent", 2)
