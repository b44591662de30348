"""Every resource against the simulator: what is read, what is changed, how a person's data goes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio

from libs.zendesk.errors import (
    RecordInvalidError,
    RecordNotFoundError,
    UpdateConflictError,
)
from libs.zendesk.tests.simulated import (
    ADMIN,
    AGENT,
    BILLING,
    REQUESTER,
    SUPPORT,
    Zendesk,
    simulated,
)


@pytest_asyncio.fixture
async def zendesk() -> AsyncIterator[Zendesk]:
    async with simulated(plan="high_volume") as one:
        yield one


async def test_people_groups_and_roles(zendesk: Zendesk) -> None:
    admin = await zendesk.client()

    assert [u.id for u in await admin.users.agents()] == [ADMIN, AGENT]
    assert (await admin.users.show(REQUESTER)).name == ""
    assert [u.id for u in await admin.users.show_many([AGENT, REQUESTER, 999])] == [AGENT, REQUESTER]
    me = await admin.users.me()
    assert me is not None
    assert me.id == ADMIN
    assert [g.name for g in await admin.groups.all()] == ["Support", "Billing"]
    assert (await admin.groups.show(BILLING)).id == BILLING
    assert {(m.user_id, m.group_id) for m in await admin.memberships.all()} == {
        (ADMIN, SUPPORT),
        (AGENT, SUPPORT),
    }
    await admin.users.custom_roles()
    assert await admin.organizations.all().all() == []


async def test_who_leaves_a_group_gives_his_tickets_back(zendesk: Zendesk) -> None:
    admin = await zendesk.client()
    joined = await admin.memberships.create(AGENT, BILLING)
    (ticket,) = await zendesk.tickets({"group_id": BILLING, "assignee_id": AGENT})
    assert [m.user_id for m in await admin.memberships.of_group(BILLING)] == [AGENT]

    await admin.memberships.delete(joined.id)

    zendesk.clock.advance(timedelta(seconds=30))
    assert (await admin.tickets.show(ticket)).assignee_id is None
    assert [m.group_id for m in await admin.memberships.of_user(AGENT)] == [SUPPORT]


async def test_a_ticket_is_made_once_and_changed_safely(zendesk: Zendesk) -> None:
    admin = await zendesk.client()
    values = {"comment": {"body": "hello"}, "requester_id": REQUESTER}
    made = await admin.tickets.create(values, idempotency_key="k-1")
    again = await admin.tickets.create(values, idempotency_key="k-1")
    assert again.id == made.id
    zendesk.clock.advance(timedelta(seconds=5))

    changed = await admin.tickets.update(
        made.id, {"assignee_id": AGENT, "group_id": SUPPORT}, read_at=made.updated_at
    )
    with pytest.raises(UpdateConflictError) as caught:
        await admin.tickets.update(made.id, {"priority": "low"}, read_at=made.updated_at)

    assert (changed.assignee_id, changed.group_id, changed.status) == (AGENT, SUPPORT, "open")
    assert (caught.value.error, caught.value.done) == ("UpdateConflict", False)
    changes = [c for audit in await admin.tickets.audits(made.id).all() for c in audit.changes]
    assert ("assignee_id", str(AGENT)) in [(c.field, c.value) for c in changes]


async def test_tags_are_added_and_taken_away(zendesk: Zendesk) -> None:
    admin = await zendesk.client()
    (ticket,) = await zendesk.tickets({"tags": ["old"]})

    await admin.tickets.add_tags(ticket, ["new", "agent_ooo"])
    await admin.tickets.remove_tags(ticket, ["old"])

    assert set(await admin.tickets.tags(ticket)) == {"new", "agent_ooo"}


async def test_a_skip_belongs_to_its_agent(zendesk: Zendesk) -> None:
    agent = await zendesk.client(AGENT)
    (ticket,) = await zendesk.tickets({})

    skip = await agent.tickets.skip(ticket, "not my language, says Cy")

    assert (skip.ticket_id, skip.user_id) == (ticket, AGENT)
    assert [s.id for s in await agent.tickets.skips(user_id=AGENT).all()] == [skip.id]
    assert "language" not in repr(skip)


async def test_a_batch_tells_how_each_of_its_tickets_went(zendesk: Zendesk) -> None:
    admin = await zendesk.client()
    good, closed = await zendesk.tickets({}, {"status": "closed"})

    job = await admin.tickets.update_many(
        [{"id": i, "assignee_id": AGENT, "group_id": SUPPORT} for i in (good, closed, 999)]
    )
    assert not job.ended
    done = await admin.jobs.wait(job)

    assert {r.id: r.success for r in done.results} == {good: True, closed: False, 999: False}
    assert len(done.refused) == 2
    assert all(r.error for r in done.refused)
    assert [j.id for j in await admin.jobs.show_many([job.id])] == [job.id]


async def test_views_are_listed_run_and_counted(zendesk: Zendesk) -> None:
    admin = await zendesk.client()
    tickets = await zendesk.tickets({}, {}, {})
    (view,) = await admin.views.active()

    assert sorted(t.id for t in await admin.tickets.of_view(view.id)) == tickets
    assert sorted(await admin.views.execute(view.id)) == tickets
    count = await admin.views.count(view.id)
    assert count.value is None  # that is not zero
    zendesk.clock.advance(timedelta(seconds=6))
    assert (await admin.views.count(view.id)).value == 3
    assert [c.view_id for c in await admin.views.count_many([view.id])] == [view.id]
    assert (await admin.views.show(view.id)).title == "Waiting"


async def test_a_view_is_run_five_times_a_minute(zendesk: Zendesk) -> None:
    admin = await zendesk.client()
    (view,) = await admin.views.active()
    zendesk.clock.advance(timedelta(minutes=2))
    before = zendesk.clock.now()

    for _ in range(6):
        await admin.views.execute(view.id)

    assert (zendesk.clock.now() - before).total_seconds() > 1
    assert await zendesk.asked("GET views/{id:int}/execute") == 6  # none of them was refused


async def test_skills_of_agents_and_tickets(zendesk: Zendesk) -> None:
    admin = await zendesk.client()
    headers = {"authorization": f"Bearer {await zendesk.token()}"}

    async def post(path: str, **body: object) -> dict[str, dict[str, str]]:
        answer = await zendesk.http.post(f"/api/v2/{path}", json=body, headers=headers)
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    attribute = (await post("routing/attributes", attribute={"name": "Language"}))["attribute"]["id"]
    path = f"routing/attributes/{attribute}/values"
    french = (await post(path, attribute_value={"name": "French"}))["attribute_value"]["id"]
    (ticket,) = await zendesk.tickets({})

    assert [a.name for a in await admin.routing.attributes()] == ["Language"]
    assert [v.id for v in await admin.routing.values(attribute)] == [french]
    assert [v.id for v in await admin.routing.set_agent_skills(AGENT, [french])] == [french]
    assert [v.id for v in await admin.routing.set_ticket_skills(ticket, [french])] == [french]
    assert [v.id for v in await admin.routing.ticket_skills(ticket)] == [french]
    skills = await admin.routing.agent_skills([AGENT])
    assert [(s.agent_id, s.attribute_value_id) for s in skills] == [(AGENT, french)]


async def test_business_hours_and_holidays(zendesk: Zendesk) -> None:
    admin = await zendesk.client()

    for schedule in await admin.schedules.all():
        assert schedule.time_zone
        await admin.schedules.holidays(schedule.id)


async def test_the_next_breach_of_tickets(zendesk: Zendesk) -> None:
    admin = await zendesk.client()
    at = datetime(2030, 1, 1, 9, tzinfo=UTC)
    running = {"breach_at": at.isoformat(), "stage": "active", "metric": "next_reply_time", "hours": 1}
    first, second, third = await zendesk.tickets({"slas": {"policy_metrics": [running]}}, {}, {})

    # The simulator shows no SLAs in a list of ids, so each is asked for alone.
    assert await admin.tickets.breaches([first, second, third], alone=2) == {first: at, second: None}
    assert await zendesk.asked("GET tickets/{id:int}") == 2


async def test_webhooks_their_secret_and_triggers(zendesk: Zendesk) -> None:
    admin = await zendesk.client()
    hook = await admin.webhooks.create(name="Setlist", endpoint="https://edge.example/hook")
    await admin.webhooks.update_endpoint(hook.id, "https://edge.example/other")
    secret = await admin.webhooks.signing_secret(hook.id)
    assert secret != await admin.webhooks.reset_signing_secret(hook.id)
    assert [w.endpoint for w in await admin.webhooks.all()] == ["https://edge.example/other"]

    conditions = {"all": [], "any": [{"field": "update_type", "operator": "is", "value": "Create"}]}
    actions = [{"field": "notification_webhook", "value": [hook.id, '{"ticket_id":"{{ticket.id}}"}']}]
    trigger = await admin.triggers.create(title="Tell", conditions=conditions, actions=actions)
    await admin.triggers.update(trigger.id, conditions=conditions, actions=actions)
    assert [t.id for t in await admin.triggers.all()] == [trigger.id]
    await admin.triggers.delete(trigger.id)
    await admin.webhooks.delete(hook.id)
    assert await admin.webhooks.all() == []


async def test_search_gives_ids(zendesk: Zendesk) -> None:
    admin = await zendesk.client()
    tickets = await zendesk.tickets({}, {})

    assert sorted(await admin.search.export("status<solved", "ticket").all()) == tickets
    assert await admin.search.count("type:ticket status<solved") == 2


async def test_a_person_is_erased_ticket_by_ticket(zendesk: Zendesk) -> None:
    admin = await zendesk.client()
    first, second = await zendesk.tickets({}, {"status": "closed"})
    with pytest.raises(RecordInvalidError) as caught:
        await admin.user_deletion.delete(REQUESTER)
    assert caught.value.details
    requested = [t.id for t in await admin.tickets.requested(REQUESTER)]
    assert requested == [first, second]

    for ticket in requested:
        await admin.ticket_deletion.trash(ticket)
    assert [t.id for t in await admin.ticket_deletion.trashed().all()] == [first, second]
    await admin.ticket_deletion.restore(second)
    await admin.ticket_deletion.trash(second)
    done = await admin.jobs.wait(await admin.ticket_deletion.destroy_many(requested))
    await admin.user_deletion.delete(REQUESTER)
    assert not (await admin.users.show(REQUESTER)).active
    assert [u.id for u in await admin.user_deletion.all_deleted().all()] == [REQUESTER]
    assert await admin.user_deletion.deleted(REQUESTER) is not None
    await admin.user_deletion.delete_permanently(REQUESTER)

    assert done.status == "completed"
    assert await admin.user_deletion.deleted(REQUESTER) is None
    zendesk.clock.advance(timedelta(days=2))
    admin = await zendesk.client()  # the token is over
    statuses = await admin.user_deletion.compliance(REQUESTER)
    assert {s.action for s in statuses} == {"request_deletion", "started", "complete"}
    with pytest.raises(RecordNotFoundError):
        await admin.ticket_deletion.restore(first)


async def test_one_ticket_is_destroyed_by_itself(zendesk: Zendesk) -> None:
    admin = await zendesk.client()
    (ticket,) = await zendesk.tickets({})
    job = await admin.ticket_deletion.trash_many([ticket])
    await admin.jobs.wait(job)

    await admin.jobs.wait(await admin.ticket_deletion.destroy(ticket))

    assert await admin.ticket_deletion.trashed().all() == []
