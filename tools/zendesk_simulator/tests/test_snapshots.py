"""The whole state goes into a document and comes back; what was done in between never happened."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from libs.kernel.clock import ManualClock
from tools.zendesk_simulator import snapshots
from tools.zendesk_simulator.clock import OwnClock
from tools.zendesk_simulator.state import Account, World
from tools.zendesk_simulator.tests.machine import ADMIN, REQUESTER, Machine, Receiver


async def busy(machine: Machine, receiver: Receiver) -> str:
    """Leave something in every part of the state and return a living token."""
    pair = (await machine.control("POST", "tokens", {"user_id": ADMIN})).json()
    token: str = pair["access_token"]
    await machine.webhook(receiver.url)
    tickets = [await machine.ticket() for _ in range(5)]
    await machine.call(
        "PUT", f"tickets/{tickets[0]}", {"ticket": {"status": "solved", "assignee_id": 2}}, token=token
    )
    await machine.call("DELETE", f"tickets/{tickets[1]}", token=token)
    body = {"tickets": [{"id": tickets[2], "priority": "high"}]}
    await machine.call("PUT", "tickets/update_many", body, token=token)
    headers = {"authorization": f"Bearer {token}", "idempotency-key": "once"}
    ticket = {"ticket": {"subject": "x", "comment": {"body": "y"}, "requester_id": REQUESTER}}
    await machine.http.post("/api/v2/tickets", json=ticket, headers=headers)
    await machine.call("POST", "skips", {"skip": {"ticket_id": tickets[3], "reason": ""}}, token=token)
    await machine.fault("stale_views", seconds=60)
    await machine.call("GET", f"views/{next(iter(machine.account.views))}/tickets", token=token)
    form = {"client_id": "setlist", "redirect_uri": "http://127.0.0.1/callback", "user_id": str(ADMIN)}
    await machine.http.post("/oauth/authorizations/new", data={**form, "decision": "allow"})
    await machine.quiet()
    return token


def state(account: Account) -> dict[str, Any]:
    """Return everything that an account holds, comparable."""
    return {name: snapshots.encoded(value) for name, value in vars(account).items() if name != "clock"}


async def test_everything_comes_back(machine: Machine, receiver: Receiver) -> None:
    token = await busy(machine, receiver)
    before = state(machine.account)

    document = (await machine.http.get("/_control/snapshot")).content
    await machine.ticket(subject="never happened")
    await machine.control("DELETE", "faults")
    await machine.control("POST", "/accounts", {"subdomain": "later"})
    answer = await machine.http.put("/_control/snapshot", content=document)

    assert answer.json() == {"accounts": ["acme"]}
    assert state(machine.account) == before
    # and it goes on from there: the job that waited is done, the next id is free, the token still signs
    machine.clock.advance(timedelta(minutes=1))
    assert (await machine.call("GET", "groups", token=token)).status_code == 200
    assert machine.account.tickets[3]["priority"] == "high"
    assert await machine.ticket() == 7
    assert 999 not in machine.account.audits
    assert machine.account.audits[999] == []  # missing members are made as before


async def test_another_simulator_starts_from_it(machine: Machine, receiver: Receiver) -> None:
    await busy(machine, receiver)
    document = snapshots.take(machine.world)

    other = World(OwnClock())
    snapshots.restore(other, document)

    assert state(other.accounts["acme"]) == state(machine.account)
    assert abs(other.clock.now() - machine.clock.now()) < timedelta(minutes=1)
    account = other.accounts["acme"]
    (token, *_) = account.tokens.values()
    assert account.by_refresh[token.refresh or ""] is token


@pytest.mark.parametrize(
    "document",
    [b"{", b"[]", b"{}", b'{"format": 2}', b'{"format": 1, "accounts": [{}], "now": "2026-01-01T00:00:00Z"}'],
)
async def test_what_is_no_snapshot_changes_nothing(machine: Machine, document: bytes) -> None:
    answer = await machine.http.put("/_control/snapshot", content=document)

    assert answer.status_code == 422
    assert answer.json()["error"]
    assert list(machine.world.accounts) == ["acme"]


def test_a_value_that_it_does_not_know_is_told() -> None:
    world = World(ManualClock())
    world.add("acme").users[1] = {"odd": object()}

    with pytest.raises(TypeError, match="cannot hold a `object`"):
        snapshots.take(world)


def test_words_that_look_like_ours_survive() -> None:
    world = World(ManualClock())
    row = {"$set": [1], "nested": {"$map": "x"}}
    world.add("acme").users[1] = row

    other = World(ManualClock())
    snapshots.restore(other, snapshots.take(world))

    assert other.accounts["acme"].users == {1: row}
    assert json.loads(snapshots.take(other))["format"] == snapshots.FORMAT
