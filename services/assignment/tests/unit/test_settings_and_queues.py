"""Delegated administration by policy; queues and defaults with etags, repeats and versions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from libs.kernel.errors import (
    EtagMismatchError,
    NotFoundError,
    PermissionDeniedError,
    RequestIdReusedError,
)
from libs.zendesk.errors import ZendeskError
from services.assignment.app.rows import AgentRow, QueueRow
from services.assignment.domain.errors import FieldNotManagedError
from services.assignment.tests.house import ACCOUNT, SUPPORT, House, caller
from services.assignment.tests.zendesk import LocalZendesk

MANAGER, ADMIN, AGENT = 4, 9, 1


@pytest.fixture
async def delegated(house: House, zendesk: LocalZendesk) -> House:
    """A house where agent 4 is a delegated administrator."""
    zendesk.agent(MANAGER, SUPPORT, manager=True)
    await house.open()
    return house


async def change(house: House, user: int | None, agent: int, **values: Any) -> tuple[AgentRow, str]:
    return await house.settings(ACCOUNT, caller(user), agent, values, validate_only=False)


@pytest.mark.parametrize("user", [ADMIN, MANAGER])
async def test_who_may_changes_another_agent_here_and_in_zendesk(
    delegated: House, zendesk: LocalZendesk, user: int
) -> None:
    row, reason = await change(delegated, user, AGENT, rule_id=70, autoplay=True)

    assert (row.rule, row.autoplay, row.manager, bool(reason)) == (70, True, False, True)
    fields = zendesk.users[AGENT]["user_fields"]
    assert (fields["playlist_rule_id"], fields["playlist_autoplay"]) == (70, True)
    cleared, _ = await change(delegated, user, AGENT, rule_id=0)
    assert (cleared.rule, zendesk.users[AGENT]["user_fields"]["playlist_rule_id"]) == (None, None)


@pytest.mark.parametrize("user", [AGENT, 2, 901, None])
async def test_nobody_else_may_not_even_for_himself_and_learns_nothing(
    delegated: House, zendesk: LocalZendesk, user: int | None
) -> None:
    for agent in (AGENT, 12345):
        with pytest.raises(PermissionDeniedError):
            await change(delegated, user, agent, autoplay=True)

    assert "PUT users/1" not in zendesk.calls


async def test_who_is_no_manager_any_more_may_nothing_from_that_moment(delegated: House) -> None:
    await change(delegated, MANAGER, 2, manager=True)
    await change(delegated, 2, AGENT, autoplay=True)
    await change(delegated, ADMIN, MANAGER, manager=False)

    with pytest.raises(PermissionDeniedError):
        await change(delegated, MANAGER, AGENT, autoplay=False)


@pytest.mark.parametrize("values", [{}, {"name": "x"}, {"autoplay": True, "role": "admin"}])
async def test_only_the_three_fields_pass(
    delegated: House, zendesk: LocalZendesk, values: dict[str, Any]
) -> None:
    with pytest.raises(FieldNotManagedError):
        await change(delegated, ADMIN, AGENT, **values)

    assert "PUT users/1" not in zendesk.calls


async def test_a_dry_run_and_a_refusal_leave_everything_as_it_was(
    delegated: House, zendesk: LocalZendesk
) -> None:
    dry, _ = await delegated.settings(ACCOUNT, caller(ADMIN), AGENT, {"autoplay": True}, validate_only=True)
    zendesk.fault("PUT users/.*", status=422)
    with pytest.raises(ZendeskError):
        await change(delegated, ADMIN, AGENT, autoplay=True)

    async with delegated.store.transaction(ACCOUNT) as tx:
        kept = await tx.directory.agent(AGENT)
    assert kept is not None
    assert (dry.autoplay, kept.autoplay, kept.version) == (True, False, 1)


async def test_limits_changed_while_zendesk_was_asked_are_kept(
    delegated: House, zendesk: LocalZendesk
) -> None:
    done: list[object] = []
    zendesk.fault("PUT users/.*", first=lambda: done.append(delegated.set_limits(AGENT, inbox=3)))
    answer = zendesk.handle_async_request

    async def with_limits(request: Any) -> Any:
        found = await answer(request)
        while done:
            await done.pop()  # type: ignore[misc]  # the coroutine that the fault left
        return found

    zendesk.handle_async_request = with_limits  # type: ignore[method-assign]  # somebody else acts meanwhile
    row, _ = await change(delegated, ADMIN, AGENT, autoplay=True)

    assert (row.inbox_limit, row.autoplay) == (3, True)


def queue(house: House, **values: Any) -> QueueRow:
    now = house.clock.now()
    return QueueRow(**{
        "id": "q1", "title": "One", "kind": "scheduled", "source": 0, "model": "round_robin", "position": 3,
        "created_at": now, "updated_at": now, **values,
    })  # fmt: skip


async def create(house: House, row: QueueRow, request: str = "r1", body: bytes = b"x") -> QueueRow:
    return await house.queues.create(ACCOUNT, row, request, body, validate_only=False)


async def test_a_queue_is_made_once_per_request(house: House) -> None:
    await house.open()
    before = await house.queues.settings(ACCOUNT)
    made = await create(house, queue(house))
    changed = await house.queues.change(
        ACCOUNT, "q1", "1", lambda q: replace(q, title="Two"), validate_only=False
    )
    again = await create(house, queue(house))

    assert (made.title, changed.title, changed.version, again) == ("One", "Two", 2, changed)
    assert (await house.queues.settings(ACCOUNT)).rule_version == before.rule_version + 2
    with pytest.raises(RequestIdReusedError):
        await create(house, queue(house, id="q2"), body=b"y")
    # So late that the answer is forgotten: still the queue that was made, as it is now.
    assert await create(house, queue(house), request="") == changed


async def test_an_old_etag_changes_and_deletes_nothing(house: House) -> None:
    await house.open()
    await create(house, queue(house))
    await house.queues.change(ACCOUNT, "q1", "1", lambda q: replace(q, title="Two"), validate_only=False)

    with pytest.raises(EtagMismatchError):
        await house.queues.change(ACCOUNT, "q1", "1", lambda q: q, validate_only=False)
    with pytest.raises(EtagMismatchError):
        await house.queues.delete(ACCOUNT, "q1", "1", validate_only=False)
    with pytest.raises(EtagMismatchError):
        await house.queues.change_settings(ACCOUNT, "1", lambda a: a, validate_only=False)
    await house.queues.delete(ACCOUNT, "q1", "2", validate_only=True)
    await house.queues.delete(ACCOUNT, "q1", "2", validate_only=False)
    with pytest.raises(NotFoundError):
        await house.queues.delete(ACCOUNT, "q1", "", validate_only=False)


async def test_dry_runs_of_rules_leave_no_trace(house: House) -> None:
    await house.open()
    before = await house.queues.settings(ACCOUNT)

    await house.queues.create(ACCOUNT, queue(house), "r1", b"x", validate_only=True)
    await house.queues.change_settings(ACCOUNT, "", lambda a: replace(a, inbox_limit=1), validate_only=True)

    assert await house.queues.settings(ACCOUNT) == before
    async with house.store.transaction(ACCOUNT) as tx:
        assert await tx.directory.queue("q1") is None
    assert (await create(house, queue(house), body=b"other")).id == "q1"


async def test_a_decision_names_the_rules_it_was_made_under(house: House, zendesk: LocalZendesk) -> None:
    await house.open(1)
    await create(house, queue(house, position=0))
    zendesk.ticket(5, group_id=SUPPORT)
    await house.minute()

    (row,) = await house.decisions(5)
    assert (row.queue, row.rule_version) == ("q1", (await house.queues.settings(ACCOUNT)).rule_version)
    assert row.command.startswith("q1/2026-01-05T09:02Z")
