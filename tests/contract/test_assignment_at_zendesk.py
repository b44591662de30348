"""Assignment's writes against the Zendesk simulator over HTTP: what goes back, is skipped, tagged, shared or sent back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx2
import pytest_asyncio

from libs.kernel.ids import AccountId, CountingIds
from libs.zendesk.client import ZendeskClient
from libs.zendesk.tests.simulated import AGENT, BILLING, REQUESTER, SUPPORT, Zendesk, simulated
from services.assignment.adapters.memory.store import MemoryStore
from services.assignment.app.options import AccountOptions, QueueOptions
from services.assignment.app.rows import QueueRow
from services.assignment.tests.house import ACCOUNT, House
from services.assignment.tests.zendesk import LocalZendesk

OTHER = 5


class AtSimulator(LocalZendesk):
    """The simulator where the house expects its local Zendesk."""

    def __init__(self, simulator: Zendesk) -> None:
        super().__init__(simulator.clock)
        self.simulator = simulator

    async def of(
        self, account: AccountId, transport: httpx2.AsyncBaseTransport | None = None
    ) -> ZendeskClient:
        return await self.simulator.client()


@pytest_asyncio.fixture
async def house() -> AsyncIterator[House]:
    people = [
        {"id": 1, "role": "admin", "name": "Ada", "groups": [SUPPORT]},
        {"id": AGENT, "role": "agent", "name": "Bo", "groups": [SUPPORT]},
        {"id": OTHER, "role": "agent", "name": "Di", "groups": [SUPPORT, BILLING]},
        {"id": REQUESTER, "role": "end-user", "name": "Cy", "email": "cy@example.com"},
    ]
    async with simulated(users=people) as simulator:
        house = House(MemoryStore(), AtSimulator(simulator), simulator.clock, CountingIds())
        await house.sync(ACCOUNT, "")
        yield house


async def made(house: House, *specs: dict[str, Any]) -> list[int]:
    assert isinstance(house.zendesk, AtSimulator)
    return await house.zendesk.simulator.tickets(*specs)


async def use(house: House, **values: Any) -> None:
    await house.queues.change_settings(
        ACCOUNT, "", lambda row: replace(row, options=AccountOptions(**values)), validate_only=False
    )


async def test_a_skipped_ticket_goes_back_and_zendesk_knows(house: House) -> None:
    (ticket,) = await made(house, {"group_id": SUPPORT})
    await house.set_status("online", AGENT)
    client = await house.zendesk.of(ACCOUNT)
    await house.minute()
    assert (await client.tickets.show(ticket)).assignee_id == AGENT

    await house.skip(ACCOUNT, ticket, AGENT, "not mine")
    await house.write(ACCOUNT)

    shown = await client.tickets.show(ticket)
    assert (shown.assignee_id, shown.group_id) == (None, SUPPORT)
    assert [s.ticket_id for s in await client.tickets.skips().all()] == [ticket]
    await house.set_status("online", OTHER)
    await house.minute()
    assert (await client.tickets.show(ticket)).assignee_id == OTHER


async def test_who_goes_out_of_office_leaves_tags_and_takes_them_back(house: House) -> None:
    await use(house, ooo_statuses=("away",), ooo_advanced=True)
    await made(house, *[{"group_id": SUPPORT}] * 3)
    await house.set_status("online", AGENT)
    client = await house.zendesk.of(ACCOUNT)
    done = await house.minute()
    tickets = sorted(ticket for ticket, _, _ in done.assignments)

    seen = []
    for status in ("away", "online"):
        house.clock.advance(timedelta(seconds=5))
        await house.absences.set_statuses(ACCOUNT, {AGENT: status}, None)
        await house.write(ACCOUNT)
        seen.append([t.tags for t in await client.tickets.show_many(tickets)])

    assert seen == [[("agent_ooo",)] * 3, [()] * 3]


async def test_who_goes_out_of_office_leaves_one_internal_note_with_the_tag(house: House) -> None:
    await use(house, ooo_statuses=("away",), ooo_note="Back on Monday.")
    await made(house, *[{"group_id": SUPPORT}] * 2)
    await house.set_status("online", AGENT)
    assert isinstance(house.zendesk, AtSimulator)
    client, simulator = await house.zendesk.of(ACCOUNT), house.zendesk.simulator
    done = await house.minute()
    tickets = sorted(ticket for ticket, _, _ in done.assignments)

    for status in ("away", "online", "away"):
        house.clock.advance(timedelta(seconds=5))
        await house.absences.set_statuses(ACCOUNT, {AGENT: status}, None)
        await house.write(ACCOUNT)

    headers = {"Authorization": f"Bearer {await simulator.token()}"}
    assert len(tickets) == 2
    for ticket in await client.tickets.show_many(tickets):
        answer = await simulator.http.get(f"/api/v2/tickets/{ticket.id}/comments.json", headers=headers)
        notes = [c for c in answer.json()["comments"] if c["body"] == "Back on Monday."]
        assert [c["public"] for c in notes] == [False]
        assert (ticket.tags, ticket.assignee_id, ticket.status) == (("agent_ooo",), AGENT, "open")


async def test_a_requester_s_next_ticket_goes_to_the_same_agent_with_a_tag(house: House) -> None:
    await use(house, same_agent_hours=24, same_agent_tag="same_agent")
    await made(house, {"group_id": SUPPORT, "assignee_id": OTHER, "status": "open"})
    await house.minute()
    await house.set_status("online", AGENT, OTHER)

    (ticket,) = await made(house, {"group_id": SUPPORT})
    await house.minute()

    shown = await (await house.zendesk.of(ACCOUNT)).tickets.show(ticket)
    assert (shown.assignee_id, shown.tags) == (OTHER, ("same_agent",))


async def test_tickets_without_a_group_are_shared_out(house: House) -> None:
    await use(house, group_shares=((SUPPORT, 1), (BILLING, 1)))
    tickets = await made(house, *[{}] * 4)

    await house.minute()
    await house.write(ACCOUNT)

    shown = await (await house.zendesk.of(ACCOUNT)).tickets.show_many(tickets)
    assert sorted(t.group_id or 0 for t in shown) == [SUPPORT, SUPPORT, BILLING, BILLING]
    assert await house.pending() == 0


async def test_an_accepted_offer_is_written(house: House) -> None:
    await house.queue("asked", options=QueueOptions(offer_seconds=60))
    (ticket,) = await made(house, {"group_id": SUPPORT})
    await house.set_status("online", AGENT)
    await house.minute()
    client = await house.zendesk.of(ACCOUNT)
    assert (await client.tickets.show(ticket)).assignee_id is None
    async with house.store.transaction(ACCOUNT) as tx:
        offer = await tx.offers.live(ticket)
    assert offer is not None

    await house.answer(ACCOUNT, offer.id, AGENT, accept=True)
    await house.write(ACCOUNT)

    assert (await client.tickets.show(ticket)).assignee_id == AGENT


async def test_skills_are_followed_in_zendesk_s_own_stream(house: House) -> None:
    assert isinstance(house.zendesk, AtSimulator)
    simulator = house.zendesk.simulator
    headers = {"authorization": f"Bearer {await simulator.token()}"}

    async def post(path: str, body: dict[str, Any]) -> Any:
        answer = await simulator.http.post(f"{simulator.base}/api/v2/{path}", json=body, headers=headers)
        assert answer.status_code in (200, 201), answer.text
        return answer.json()

    language = (await post("routing/attributes", {"attribute": {"name": "Language"}}))["attribute"]["id"]
    values = f"routing/attributes/{language}/values"
    french = (await post(values, {"attribute_value": {"name": "French"}}))["attribute_value"]["id"]
    client = await house.zendesk.of(ACCOUNT)
    await client.routing.set_agent_skills(OTHER, [french])
    (ticket,) = await made(house, {"group_id": SUPPORT})
    await client.routing.set_ticket_skills(ticket, [french])
    await use(house, skills=True)
    await house.sync(ACCOUNT, "")
    await house.queue("skilled", model="skills")
    await house.set_status("online", AGENT)
    await house.minute()
    assert (await client.tickets.show(ticket)).assignee_id is None

    await client.routing.set_agent_skills(AGENT, [french])
    await house.minute(minutes=3)

    assert (await client.tickets.show(ticket)).assignee_id == AGENT


async def test_the_same_agent_s_criteria_are_met_by_what_zendesk_shows(house: House) -> None:
    field = await (await house.zendesk.of(ACCOUNT)).ticket_fields.create(type="text", title="Product")
    await use(
        house,
        same_agent_hours=24,
        same_agent_match=("brand",),
        same_agent_fields=(field.id,),
        same_agent_channels=("api",),
        same_agent_excluded_tags=("bulk",),
    )
    alike: dict[str, Any] = {
        "group_id": SUPPORT,
        "brand_id": 7,
        "custom_fields": [{"id": field.id, "value": "printer"}],
    }
    await made(house, {**alike, "assignee_id": OTHER, "status": "open"})
    await house.minute()
    await house.set_limits(OTHER, inbox=2)
    await house.set_status("online", AGENT, OTHER)

    same, brand, product, bulk = await made(
        house, alike, {**alike, "brand_id": 8}, {**alike, "custom_fields": []}, {**alike, "tags": ["bulk"]}
    )
    await house.minute()

    mechanisms = {d.ticket: (d.mechanism, d.agent_id) for d in await house.decisions()}
    assert mechanisms.pop(same) == ("same_agent", OTHER)
    assert mechanisms == dict.fromkeys((brand, product, bulk), ("queue", AGENT))


async def test_a_ticket_that_is_merged_on_its_way_to_an_agent_is_given_up(house: House) -> None:
    assert isinstance(house.zendesk, AtSimulator)
    simulator, client = house.zendesk.simulator, await house.zendesk.of(ACCOUNT)
    target, source = await made(house, {"group_id": BILLING}, {"group_id": SUPPORT})
    house.clock.advance(timedelta(minutes=2))
    await house.job(ACCOUNT, catch_up=True, wait_for_writes=False)
    await house.set_status("online", AGENT)
    (queue,) = [q for q in await _queues(house) if q.state == "active"]
    routed = await house.route(ACCOUNT, queue.id, "round", house.clock.now())
    assert [(d.ticket, d.agent) for _, d in routed.news if d.agent] == [(source, AGENT)]

    bearer = {"authorization": f"Bearer {await simulator.token()}"}
    answer = await simulator.http.post(
        f"/api/v2/tickets/{target}/merge.json", json={"ids": [source]}, headers=bearer
    )
    house.clock.advance(timedelta(seconds=5))  # its job
    merged = await client.tickets.show(source)
    assert (answer.status_code, merged.status, merged.tags) == (200, "closed", ("closed_by_merge",))
    await house.write(ACCOUNT)

    row = (await house.decisions(source))[-1]
    assert row.write == "conflict"
    assert (await house.ticket(source)).routing == "not_routable"
    assert (await client.tickets.show(source)).updated_at == merged.updated_at


async def _queues(house: House) -> list[QueueRow]:
    async with house.store.transaction(ACCOUNT) as tx:
        return await tx.directory.queues()


async def test_a_reopened_ticket_of_somebody_suspended_goes_to_somebody_else(house: House) -> None:
    assert isinstance(house.zendesk, AtSimulator)
    simulator, client = house.zendesk.simulator, await house.zendesk.of(ACCOUNT)
    (ticket,) = await made(house, {"group_id": SUPPORT, "assignee_id": OTHER, "status": "solved"})
    await house.minute()
    await house.set_status("online", AGENT)
    bearer = {"authorization": f"Bearer {await simulator.token()}"}
    answer = await simulator.http.put(
        f"/api/v2/users/{OTHER}.json", json={"user": {"suspended": True}}, headers=bearer
    )
    assert answer.status_code == 200
    await house.sync(ACCOUNT, "")

    await simulator.change({"id": ticket, "status": "open"})
    await house.minute()
    await house.write(ACCOUNT)
    assert (await client.tickets.show(ticket)).assignee_id is None
    await house.minute()

    assert (await client.tickets.show(ticket)).assignee_id == AGENT


async def test_what_comes_back_to_a_sticky_queue_goes_to_who_had_it(house: House) -> None:
    assert isinstance(house.zendesk, AtSimulator)
    await house.queue("sticky", model="least_active", options=QueueOptions(sticky_seconds=3600))
    ticket, *_ = await made(house, *[{"group_id": SUPPORT, "assignee_id": OTHER, "status": "open"}] * 3)
    await house.minute()
    await house.set_status("online", AGENT, OTHER)

    await house.zendesk.simulator.change({"id": ticket, "assignee_id": None})
    await house.minute()

    (decision,) = await house.decisions(ticket)
    assert (decision.queue, decision.agent_id) == ("sticky", OTHER)
    assert (await (await house.zendesk.of(ACCOUNT)).tickets.show(ticket)).assignee_id == OTHER
