"""What is open again is with an agent who is there, or nobody's again (facts: §4.1, §4.4 ask 2, §9 `reopened`)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from services.assignment.app.absences import OUT
from services.assignment.app.options import AccountOptions
from services.assignment.tests.house import ACCOUNT, BILLING, SUPPORT, House
from services.assignment.tests.zendesk import LocalZendesk


async def options(house: House, **values: Any) -> None:
    async with house.store.transaction(ACCOUNT) as tx:
        account = await tx.directory.account()
        assert account is not None
        await tx.directory.put_account(replace(account, options=AccountOptions(**values)))


async def solved_by(house: House, agent: int = 2) -> None:
    """Let an agent solve ticket 5."""
    house.zendesk.ticket(5, group_id=SUPPORT, assignee_id=agent, status="solved")
    await house.webhook(5)
    house.clock.advance(timedelta(hours=1))


async def reopened(house: House) -> None:
    """Let the requester answer, and all that follows: the ticket given back, and given to somebody else."""
    house.zendesk.change(5, status="open")
    await house.webhook(5)
    await house.minute()
    await house.write(ACCOUNT)
    await house.minute()


def gone(zendesk: LocalZendesk, how: str) -> None:
    """Let agent 2 lose his access in Zendesk."""
    if how == "departed":
        zendesk.users[2] |= {"role": "end-user", "active": False}
    if how == "deleted":
        del zendesk.users[2]
    if how == "suspended":
        zendesk.users[2]["suspended"] = True
    if how == "light":
        zendesk.users[2]["role_type"] = 1
    if how == "out of the group":
        zendesk.memberships.discard((2, SUPPORT))
        zendesk.memberships.add((2, BILLING))


GONE = ["departed", "deleted", "suspended", "light", "out of the group"]


@pytest.mark.parametrize("how", GONE)
async def test_what_comes_back_to_somebody_who_is_gone_goes_to_somebody_else(
    house: House, zendesk: LocalZendesk, how: str
) -> None:
    await house.open(1, 2)
    await solved_by(house)
    gone(zendesk, how)
    await house.sync(ACCOUNT, "")

    await reopened(house)

    assert zendesk.tickets[5]["assignee_id"] == 1


async def test_who_only_looks_gone_keeps_it_and_is_known_again(house: House, zendesk: LocalZendesk) -> None:
    await house.open(1, 2)
    await solved_by(house)
    gone(zendesk, "out of the group")
    await house.sync(ACCOUNT, "")
    zendesk.memberships.add((2, SUPPORT))  # back since, and nobody told us

    await reopened(house)

    assert zendesk.tickets[5]["assignee_id"] == 2
    async with house.store.transaction(ACCOUNT) as tx:
        known = await tx.directory.agent(2)
    assert known is not None
    assert SUPPORT in known.groups


async def test_somebody_whom_we_do_not_know_yet_keeps_it(house: House, zendesk: LocalZendesk) -> None:
    await house.open(1)
    zendesk.agent(4, SUPPORT)
    await solved_by(house, agent=4)

    await reopened(house)

    assert zendesk.tickets[5]["assignee_id"] == 4


@pytest.mark.parametrize(
    ("option", "status", "absence", "keeps"),
    [
        ("departed", "away", OUT, True),
        ("out_of_office", "away", "", True),
        ("out_of_office", "away", OUT, False),
        ("offline", "online", "", True),
        ("offline", "away", "", False),
        ("keep", "away", OUT, True),
    ],
)
async def test_the_account_says_whose_come_back_to_the_queue(
    house: House, zendesk: LocalZendesk, option: str, status: str, absence: str, keeps: bool
) -> None:
    await house.open(1, 2)
    await options(house, returned=option)
    await solved_by(house)
    async with house.store.transaction(ACCOUNT) as tx:
        await tx.directory.set_statuses({2: status}, house.clock.now(), {2: absence} if absence else {})

    await reopened(house)

    assert zendesk.tickets[5]["assignee_id"] == (2 if keeps else 1)


async def test_with_keep_even_who_is_gone_keeps_it(house: House, zendesk: LocalZendesk) -> None:
    await house.open(1, 2)
    await options(house, returned="keep")
    await solved_by(house)
    gone(zendesk, "suspended")
    await house.sync(ACCOUNT, "")

    await reopened(house)

    assert zendesk.tickets[5]["assignee_id"] == 2


async def test_while_zendesk_does_not_answer_the_ticket_stays_and_is_seen_to_later(
    house: House, zendesk: LocalZendesk
) -> None:
    await house.open(1, 2)
    await solved_by(house)
    gone(zendesk, "suspended")
    await house.sync(ACCOUNT, "")
    zendesk.fault("GET users/2", status=400)
    zendesk.change(5, status="open")
    await house.webhook(5)

    await house.minute()
    await house.write(ACCOUNT)
    assert zendesk.tickets[5]["assignee_id"] == 2
    await house.minute()
    await house.write(ACCOUNT)
    await house.minute()

    assert zendesk.tickets[5]["assignee_id"] == 1


async def test_what_somebody_has_whose_ticket_was_never_closed_is_left_alone(
    house: House, zendesk: LocalZendesk
) -> None:
    await house.open(1, 2)
    await options(house, returned="offline")
    zendesk.ticket(5, group_id=SUPPORT, assignee_id=2, status="open")
    await house.webhook(5)
    await house.set_status("away", 2)

    await house.minute()
    await house.write(ACCOUNT)
    zendesk.change(5, priority="high")
    await house.webhook(5)
    await house.minute()

    assert zendesk.tickets[5]["assignee_id"] == 2
