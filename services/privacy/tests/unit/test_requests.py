"""What is refused, held, duplicate or stuck, and how a request goes on or ends."""

from __future__ import annotations

from datetime import timedelta
from typing import cast

import pytest

from libs.kernel.clock import ManualClock
from libs.kernel.errors import (
    DependencyUnavailableError,
    InvalidRequestError,
    NotBuiltError,
    NotFoundError,
    RequestIdReusedError,
)
from services.privacy.app.create_request import Asked
from services.privacy.domain.backoff import MAXIMUM_REFUSALS
from services.privacy.domain.errors import (
    DeadlinePassedError,
    DuplicateRequestError,
    LegalHoldError,
    PlanChangedError,
    RequestStateError,
)
from services.privacy.domain.identity import Identity
from services.privacy.domain.states import NodeState, State
from services.privacy.tests.house import ACCOUNT, ADMIN, EMAIL, USER, WHO, House

OTHER: list[Identity] = [("zendesk_user_id", "880022")]


async def test_the_same_request_id_returns_the_first_request() -> None:
    house = House()
    asked = Asked("ERASURE", WHO, request_id="6a1f", body=b"one")

    first = await house.use.create(ACCOUNT, asked, ADMIN)

    assert await house.use.create(ACCOUNT, asked, ADMIN) == first
    with pytest.raises(RequestIdReusedError):
        await house.use.create(ACCOUNT, Asked("ERASURE", WHO, request_id="6a1f", body=b"two"), ADMIN)
    assert len(house.store.tables.requests) == 1


async def test_a_person_has_one_active_request() -> None:
    house = House()
    first = await house.ask()

    with pytest.raises(DuplicateRequestError) as caught:
        await house.ask([("zendesk_user_id", f"00{USER}")])
    assert caught.value.metadata == {"request": first}
    with pytest.raises(DuplicateRequestError):
        await house.use.create.preview(ACCOUNT, Asked("ERASURE", WHO))

    await house.use.withdraw.cancel(ACCOUNT, first, ADMIN)
    assert await house.ask() != first


@pytest.mark.parametrize("kind", ["ACCESS", "PORTABILITY", "RECTIFICATION", "RESTRICTION", "OBJECTION"])
async def test_what_cannot_be_done_is_not_taken(kind: str) -> None:
    house = House()

    with pytest.raises(NotBuiltError):
        await house.use.create(ACCOUNT, Asked(kind, WHO), ADMIN)
    assert not house.store.tables.requests


async def test_a_person_without_a_user_id_is_not_taken() -> None:
    with pytest.raises(NotBuiltError):
        await House().ask([("email", EMAIL)])


@pytest.mark.parametrize(
    "identity", [("zendesk_user_id", "0"), ("zendesk_user_id", "seven"), ("email", "cy"), ("phone", "0171")]
)
async def test_a_wrong_identity_is_named_by_its_place_only(identity: Identity) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        await House().ask([WHO[0], identity])

    assert [v.field for v in caught.value.violations] == ["identities[1].value"]
    assert identity[1] not in f"{caught.value.message} {caught.value.violations[0].description}".split()


@pytest.mark.parametrize(("user", "role"), [(2000, "admin"), (3000, "agent")])
async def test_only_end_users_are_erased(user: int, role: str) -> None:
    house = House()

    request = await house.ask([("zendesk_user_id", str(user))], auto=True)

    row = await house.row(request)
    assert row.state is State.REFUSED
    assert f"`{role}`" in row.refusal
    assert row.identities is None
    assert house.fate.calls == []
    assert house.fate.names[-1] == "drop"
    _, plan = await house.use.create.preview(ACCOUNT, Asked("ERASURE", [("zendesk_user_id", str(user))]))
    assert plan.refusal == row.refusal


async def test_somebody_promoted_after_the_approval_is_not_deleted() -> None:
    house = House()
    request = await house.ask(auto=True)
    house.zendesk.people[USER].role = "agent"

    row = await house.run(request)

    assert row.state is State.STUCK
    dead = next(s for s in (await house.view(request)).steps if s.state is NodeState.DEAD_LETTER)
    assert (dead.id, dead.last_error) == ("zendesk/user", "NOT_AN_END_USER: agent")
    assert house.zendesk.people[USER].state == "active"


async def test_a_hold_on_any_identity_forbids_a_request_and_leaves_a_trace() -> None:
    house = House()
    hold = await house.use.holds.create(ACCOUNT, [("email", EMAIL.upper())], "M-1", "Art. 17(3)(e)", ADMIN)

    with pytest.raises(LegalHoldError) as caught:
        await house.ask()

    assert caught.value.metadata == {"hold": hold.id}
    assert not house.store.tables.requests
    assert [e.type for e in house.store.tables.events[ACCOUNT]] == ["HOLD_CREATED", "HELD"]
    await house.use.holds.release(ACCOUNT, hold.id, ADMIN)
    assert (await house.run(await house.ask(auto=True))).state is State.COMPLETED


async def test_a_hold_on_an_alias_refuses_the_request() -> None:
    house = House()
    house.participants.aliases["policy", ACCOUNT, USER] = [("external_id", "crm-5")]
    await house.use.holds.create(ACCOUNT, [("external_id", "crm-5")], "M-1", "Art. 17(3)(e)", ADMIN)

    row = await house.row(await house.ask(auto=True))

    assert (row.state, row.identities) == (State.REFUSED, None)
    assert "legal hold" in row.refusal


async def test_a_hold_between_plan_and_approval_forbids_the_approval() -> None:
    house = House()
    request = await house.ask()
    await house.use.holds.create(ACCOUNT, WHO, "M-1", "Art. 17(3)(e)", ADMIN)

    with pytest.raises(LegalHoldError):
        await house.approve(request)

    assert (await house.row(request)).state is State.AWAITING_APPROVAL
    assert house.store.tables.events[ACCOUNT][-1].type == "HELD"


async def test_a_hold_stops_an_erasure_under_way_and_its_release_lets_it_go_on() -> None:
    house = House()
    request = await house.ask(auto=True)
    hold = await house.use.holds.create(ACCOUNT, WHO, "M-1", "Art. 17(3)(e)", ADMIN)

    for _ in range(3):
        assert await house.use.execute(ACCOUNT, request) is not None
        cast(ManualClock, house.clock).advance(timedelta(minutes=1))

    step = (await house.view(request)).steps[1]
    assert (step.id, step.state, step.last_error) == ("zendesk/tickets", NodeState.WAITING, "LEGAL_HOLD")
    assert (step.attempts, house.fate.calls) == (0, [])
    assert [e.type for e in house.store.tables.events[ACCOUNT]].count("HELD") == 1
    await house.use.execute(ACCOUNT, request)
    assert await house.store.due() == []
    house.wake.clear()
    await house.use.holds.release(ACCOUNT, hold.id, ADMIN)
    assert house.wake.is_set()
    assert await house.store.due() == [(ACCOUNT, request)]
    assert (await house.run(request)).state is State.COMPLETED


async def test_holds_are_released_once_and_created_once() -> None:
    house = House()
    created = [
        await house.use.holds.create(ACCOUNT, WHO, "M-1", "Art. 17(3)(e)", ADMIN, "77aa", b"x")
        for _ in range(2)
    ]

    released = [await house.use.holds.release(ACCOUNT, created[0].id, ADMIN) for _ in range(2)]

    assert created[0] == created[1]
    assert released[0] == released[1]
    assert len(house.store.tables.events[ACCOUNT]) == 2
    with pytest.raises(NotFoundError):
        await house.use.holds.release(ACCOUNT, "hol-none", ADMIN)


async def test_a_plan_that_changed_is_shown_again() -> None:
    house = House()
    request = await house.ask()
    old = (await house.row(request)).plan_hash
    house.zendesk.requesters[9100] = USER

    with pytest.raises(PlanChangedError):
        await house.use.approve(ACCOUNT, request, old, ADMIN)

    row = await house.row(request)
    assert (row.state, row.preview[0]["erased"]) == (State.AWAITING_APPROVAL, 3)
    assert row.plan_hash != old
    with pytest.raises(PlanChangedError):
        await house.use.approve(ACCOUNT, request, old, ADMIN)
    await house.approve(request)
    assert (await house.row(request)).state is State.EXECUTING


async def test_an_approval_may_come_again() -> None:
    house = House()
    request = await house.ask()
    for _ in range(2):
        await house.approve(request)
    await house.run(request)
    await house.approve(request)

    assert [e.type for e in house.store.tables.events[ACCOUNT]].count("APPROVED") == 1
    with pytest.raises(PlanChangedError, match="read it again"):
        await house.use.approve(ACCOUNT, await house.ask(OTHER), "another", ADMIN)


async def test_the_receipt_does_not_wait_for_a_participant_that_is_down() -> None:
    house = House()
    house.participants.away = {"policy"}

    request = await house.ask()

    view = await house.view(request)
    assert (view.row.state, view.row.plan_hash) == (State.RECEIVED, "")
    assert (view.steps[0].state, view.steps[0].data) == (NodeState.WAITING, {"missing": "policy"})
    _, plan = await house.use.create.preview(ACCOUNT, Asked("ERASURE", OTHER))
    assert (plan.missing, plan.hash) == (("policy",), "")
    with pytest.raises(RequestStateError):
        await house.use.approve(ACCOUNT, request, "x", ADMIN)
    house.participants.away.clear()
    assert (await house.run(request)).state is State.AWAITING_APPROVAL


async def test_an_approval_needs_everybody() -> None:
    house = House()
    request = await house.ask()
    house.zendesk.away = True

    with pytest.raises(DependencyUnavailableError) as caught:
        await house.approve(request)
    assert caught.value.metadata == {"service": "zendesk"}


async def test_a_participant_that_was_down_is_waited_for() -> None:
    house = House()
    request = await house.ask(auto=True)
    house.participants.away = {"policy"}
    for _ in range(15):
        await house.use.execute(ACCOUNT, request)
        cast(ManualClock, house.clock).advance(timedelta(minutes=2))
    step = next(s for s in (await house.view(request)).steps if s.state is NodeState.WAITING)
    assert (step.id, step.last_error) == ("erase/policy", "policy: UNAVAILABLE")
    assert step.attempts > MAXIMUM_REFUSALS

    house.participants.away.clear()

    assert (await house.run(request)).state is State.COMPLETED
    assert house.left() == 0


async def test_what_stays_down_gets_stuck_and_goes_on_from_there() -> None:
    house = House()
    request = await house.ask(auto=True)
    house.participants.away = {"policy"}
    assert (await house.run(request)).state is State.STUCK
    before = list(house.fate.calls)
    house.participants.away.clear()

    await house.use.retry(ACCOUNT, request, ADMIN)
    row = await house.run(request)

    assert row.state is State.COMPLETED
    again = [name for name, _ in house.fate.calls[len(before) :]]
    assert again == ["erase", "erase"]
    types = [e.type for e in house.store.tables.events[ACCOUNT]]
    assert (types.count("STUCK"), types.count("RETRIED")) == (1, 1)
    with pytest.raises(RequestStateError):
        await house.use.retry(ACCOUNT, request, ADMIN)


async def test_trashed_tickets_are_not_forgotten_by_a_failure() -> None:
    house = House()
    request = await house.ask(auto=True)
    house.zendesk.refuse_ticket = 9002
    assert (await house.run(request)).state is State.STUCK
    assert set(house.zendesk.trashed) == {9001}
    house.zendesk.refuse_ticket = 0

    await house.use.retry(ACCOUNT, request, ADMIN)
    await house.run(request)

    assert house.zendesk.destroyed == {9001, 9002}


async def test_something_left_is_never_called_done() -> None:
    house = House()
    request = await house.ask(auto=True)
    house.zendesk.keeps = {USER}

    row = await house.run(request)

    assert row.state is State.STUCK
    with pytest.raises(NotFoundError):
        await house.use.read.certificate(ACCOUNT, request)
    house.zendesk.keeps.clear()
    await house.use.retry(ACCOUNT, request, ADMIN)
    assert (await house.row(request)).state is State.VERIFYING
    assert (await house.run(request)).state is State.COMPLETED


async def test_a_request_ends_before_execution_only() -> None:
    house = House()
    first = await house.ask()
    for _ in range(2):
        await house.use.withdraw.refuse(ACCOUNT, first, "we cannot tell who you are", ADMIN)
    row = await house.row(first)
    assert (row.state, row.refusal, row.identities) == (
        State.REFUSED,
        "we cannot tell who you are",
        None,
    )
    assert "cannot tell" not in repr(house.store.tables.events)
    with pytest.raises(RequestStateError):
        await house.use.withdraw.cancel(ACCOUNT, first, ADMIN)

    second = await house.ask(auto=True)
    with pytest.raises(RequestStateError):
        await house.use.withdraw.cancel(ACCOUNT, second, ADMIN)


async def test_an_extension_is_told_within_the_first_month() -> None:
    house = House()
    first, second = await house.ask(), await house.ask(OTHER)
    for _ in range(2):
        await house.use.extend(ACCOUNT, first, "many systems", ADMIN)
    assert (await house.row(first)).extended

    cast(ManualClock, house.clock).advance(timedelta(days=35))

    with pytest.raises(DeadlinePassedError):
        await house.use.extend(ACCOUNT, second, "too late", ADMIN)
    await house.use.withdraw.cancel(ACCOUNT, second, ADMIN)
    with pytest.raises(RequestStateError):
        await house.use.extend(ACCOUNT, second, "too late", ADMIN)


async def test_requests_are_listed_newest_first_with_their_steps() -> None:
    house = House()
    first, second = await house.ask(), await house.ask(OTHER)
    await house.use.withdraw.cancel(ACCOUNT, first, ADMIN)

    assert [v.row.id for v in await house.use.read.page(ACCOUNT, "", 10, None)] == [second, first]
    assert [v.row.id for v in await house.use.read.page(ACCOUNT, second, 10, None)] == [first]
    cancelled = await house.use.read.page(ACCOUNT, "", 10, "CANCELLED")
    assert [(v.row.id, [s.id for s in v.steps]) for v in cancelled] == [(first, ["plan"])]
    with pytest.raises(NotFoundError):
        await house.view("req-none")
