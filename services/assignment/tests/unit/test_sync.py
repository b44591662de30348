"""SyncAccount copies what routing needs and installs what we need, once."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from libs.kernel.errors import NotFoundError
from services.assignment.app.rows import Account
from services.assignment.domain.errors import NotSyncedError
from services.assignment.domain.model import Restrictions
from services.assignment.tests.house import ACCOUNT, BILLING, HOOK, SUPPORT, House
from services.assignment.tests.zendesk import LocalZendesk


async def account(house: House) -> Account:
    async with house.store.transaction(ACCOUNT) as tx:
        found = await tx.directory.account()
    assert found is not None
    return found


async def test_agents_memberships_views_and_restrictions_are_copied(
    house: House, zendesk: LocalZendesk
) -> None:
    zendesk.views[70] = lambda _: True
    zendesk.agent(4, SUPPORT, BILLING, manager=True, role_type=1)
    house.installations.by_account[ACCOUNT] = Restrictions(groups=frozenset({SUPPORT}))

    done = await house.sync(ACCOUNT, HOOK)

    assert (done.agents, done.groups, done.memberships, done.views) == (5, 2, 7, 1)
    assert done.webhook_created
    async with house.store.transaction(ACCOUNT) as tx:
        agents = {a.user_id: a for a in await tx.directory.agents()}
    assert agents[4].groups == (SUPPORT, BILLING)
    assert (agents[4].manager, agents[4].role_type, agents[4].status) == (True, 1, "away")
    assert (await account(house)).restrictions.groups == {SUPPORT}
    assert await house.policy.may_update_settings(ACCOUNT, 4, 1) == "manages_agent_settings"


async def test_a_sync_before_the_export_was_ever_read_leaves_out_nothing(
    house: House, zendesk: LocalZendesk
) -> None:
    await house.open(1)
    zendesk.ticket(5, group_id=SUPPORT)
    house.clock.advance(timedelta(minutes=30))
    await house.sync(ACCOUNT, HOOK)

    await house.minute()

    assert zendesk.writes == [(5, 1)]


async def test_a_second_sync_makes_nothing_twice_and_keeps_what_is_ours(
    house: House, zendesk: LocalZendesk
) -> None:
    await house.open(1)
    await house.set_limits(1, inbox=3)
    await house.queues.change_settings(
        ACCOUNT, "", lambda row: replace(row, inbox_limit=7), validate_only=False
    )
    zendesk.users[1]["name"] = "Renamed"
    zendesk.memberships -= {(1, SUPPORT)}

    again = await house.sync(ACCOUNT, HOOK)

    assert not again.webhook_created
    assert [len(rows) for rows in (zendesk.webhooks, zendesk.triggers)] == [1, 1]
    assert [len(rows) for rows in zendesk.fields.values()] == [3, 4]
    async with house.store.transaction(ACCOUNT) as tx:
        one = await tx.directory.agent(1)
    assert one is not None
    assert (one.name, one.groups, one.status, one.inbox_limit) == ("Renamed", (), "online", 3)
    assert (await account(house)).inbox_limit == 7


async def test_an_agent_who_left_is_no_candidate_and_comes_back_as_he_was(
    house: House, zendesk: LocalZendesk
) -> None:
    await house.open(1)
    zendesk.users[1]["active"] = False
    await house.sync(ACCOUNT, "")
    async with house.store.transaction(ACCOUNT) as tx:
        assert 1 not in {a.user_id for a in await tx.directory.agents()}
        assert 1 in {a.user_id for a in await tx.directory.agents(inactive=True)}

    zendesk.users[1]["active"] = True
    await house.sync(ACCOUNT, "")
    async with house.store.transaction(ACCOUNT) as tx:
        one = await tx.directory.agent(1)
    assert one is not None
    assert (one.active, one.status) == (True, "online")


async def test_the_webhook_follows_its_address_and_a_sync_without_one_leaves_it(
    house: House, zendesk: LocalZendesk
) -> None:
    await house.sync(ACCOUNT, HOOK)
    before = await account(house)
    await house.sync(ACCOUNT, "")
    assert (await account(house)).webhook_secret == before.webhook_secret

    moved = await house.sync(ACCOUNT, "https://new.test/hook")

    assert not moved.webhook_created
    assert [w["endpoint"] for w in zendesk.webhooks] == ["https://new.test/hook"]
    assert b"c2VjcmV0" not in (before.webhook_secret or b"")


async def test_the_trigger_sends_ids_and_times_and_no_text(house: House, zendesk: LocalZendesk) -> None:
    await house.sync(ACCOUNT, HOOK)

    (action,) = zendesk.triggers[0]["actions"]
    assert action["value"][0] == zendesk.webhooks[0]["id"]
    sent = json.loads(action["value"][1])
    assert sent.keys() == {
        "ticket_id", "status", "priority", "group_id", "assignee_id", "requester_id", "created_at", "updated_at",
    }  # fmt: skip
    assert not any(
        word in action["value"][1] for word in ("name", "title", "comment", "email", "description")
    )


async def test_only_a_new_account_gets_a_queue(house: House) -> None:
    await house.sync(ACCOUNT, HOOK)
    async with house.store.transaction(ACCOUNT) as tx:
        (made,) = await tx.directory.queues()
    assert (made.kind, made.source, made.state) == ("trigger", 0, "active")

    await house.queues.delete(ACCOUNT, made.id, "", validate_only=False)
    await house.sync(ACCOUNT, HOOK)

    async with house.store.transaction(ACCOUNT) as tx:
        assert await tx.directory.queues() == []


async def test_nothing_works_before_the_first_sync(house: House) -> None:
    with pytest.raises(NotSyncedError):
        await house.job(ACCOUNT, catch_up=True, wait_for_writes=True)
    with pytest.raises(NotSyncedError):
        await house.queues.settings(ACCOUNT)
    with pytest.raises(NotSyncedError):
        await house.ingest(ACCOUNT, b"{}", "x", house.zendesk.stamp(), "i1")
    with pytest.raises(NotFoundError):
        await house.next(ACCOUNT, 1, "")
