"""An erasure from the request to the certificate, over memory."""

from __future__ import annotations

import asyncio
import json
import re
from datetime import timedelta
from typing import cast

import pytest

from libs.crypto.documents import document_verifies
from libs.crypto.errors import InvalidCiphertextError
from libs.kernel.clock import ManualClock, SystemClock
from services.privacy.adapters.memory.participants import Holding
from services.privacy.app.background import Runner
from services.privacy.app.create_request import Asked
from services.privacy.domain.plan import steps
from services.privacy.domain.states import NodeState, State
from services.privacy.tests.house import ACCOUNT, EMAIL, TICKETS, USER, WHO, House


async def test_a_person_is_erased_everywhere_and_it_is_proven() -> None:
    house = House()
    request = await house.ask()
    planned = await house.row(request)
    assert planned.state is State.AWAITING_APPROVAL
    assert {c["table"]: c["erased"] for c in planned.preview} == {
        "zendesk.tickets": 2,
        "zendesk.users": 1,
        "assignment.rows": 3,
        "policy.rows": 3,
        "auth.rows": 3,
    }

    await house.approve(request)
    row = await house.run(request)

    assert row.state is State.COMPLETED
    assert house.left() == 0
    assert house.zendesk.destroyed == set(TICKETS)
    assert house.zendesk.requesters == {9003: 1}
    view = await house.view(request)
    assert [s.id for s in view.steps] == ["plan", *steps()]
    assert {s.state for s in view.steps} == {NodeState.DONE}
    assert house.fate.unwritten == []
    length, fault, _ = await house.use.verify_chain(ACCOUNT)
    assert (length > len(steps()), fault) == (True, 0)


async def test_the_certificate_verifies_and_names_nobody() -> None:
    house = House()
    request = await house.ask()
    await house.approve(request)
    await house.run(request)

    certificate = await house.use.read.certificate(ACCOUNT, request)
    document = json.loads(certificate.document)

    assert document_verifies(document, certificate.signature, certificate.key_pem.encode())
    assert not document_verifies(
        {**document, "kind": "ACCESS"}, certificate.signature, certificate.key_pem.encode()
    )
    for secret in (str(USER), EMAIL, "2000", *map(str, TICKETS)):
        assert not re.search(rf"\b{re.escape(secret)}\b", certificate.document), secret
    by_name = {p["name"]: p for p in document["participants"]}
    assert list(by_name) == ["zendesk", "assignment", "policy", "auth", "privacy"]
    assert [c["erased"] for c in by_name["zendesk"]["counts"]] == [2, 1]
    assert by_name["zendesk"]["applications_complete"] == ["chat", "explore", "support"]
    for name in ("assignment", "policy", "auth"):
        assert by_name[name]["counts"][0]["erased"] == 3
        assert by_name[name]["verification"]["places_searched"] == 1
        assert len(by_name[name]["data_map_hash"]) == 64
    assert document["ledger"]["intents"] == document["ledger"]["outcomes"] == 7
    async with house.store.transaction(ACCOUNT) as tx:
        events = await tx.events(int(document["evidence"]["sequence"]) - 1, 1)
    assert events[0].hash.hex() == document["evidence"]["head"]


async def test_nothing_that_is_kept_names_the_person() -> None:
    house = House()
    request = await house.ask()
    sealed = (await house.row(request)).identities
    await house.approve(request)
    await house.run(request)

    assert sealed is not None
    assert (await house.row(request)).identities is None
    with pytest.raises(InvalidCiphertextError):
        await house.vault.open(ACCOUNT, request, sealed)
    names = house.fate.names
    assert names.index("drop") < names.index("sign"), "the certificate says that the key is destroyed"
    kept = repr(house.store.tables)
    for secret in (str(USER), EMAIL, *map(str, TICKETS)):
        assert not re.search(rf"\b{re.escape(secret)}\b", kept), secret


async def test_rows_that_stay_on_a_ground_make_a_completion_with_retention() -> None:
    house = House()
    house.participants.holdings["assignment", ACCOUNT, USER, "proof"] = Holding(2, "GDPR Art. 17(3)(e)")
    request = await house.ask(auto=True)

    row = await house.run(request)

    assert row.state is State.COMPLETED_WITH_RETENTION
    states = {s.id: s.state for s in (await house.view(request)).steps}
    assert states["erase/assignment"] is NodeState.RETAINED
    document = json.loads((await house.use.read.certificate(ACCOUNT, request)).document)
    kept = [c for p in document["participants"] for c in p.get("counts", ()) if c["retained"]]
    assert [(c["table"], c["retained"], c["retained_ground"]) for c in kept] == [
        ("assignment.proof", 2, "GDPR Art. 17(3)(e)")
    ]


async def test_somebody_gone_from_zendesk_is_still_erased_here() -> None:
    house = House()
    del house.zendesk.people[USER]
    house.zendesk.requesters.clear()
    request = await house.ask(auto=True)

    row = await house.run(request)

    assert row.state is State.COMPLETED
    assert {name for name, _ in house.fate.calls} == {"erase"}
    assert sum(h.rows for h in house.participants.holdings.values()) == 0


async def test_aliases_that_participants_know_are_erased_too() -> None:
    house = House()
    house.participants.aliases["policy", ACCOUNT, USER] = [("zendesk_user_id", "0770012")]
    house.participants.aliases["auth", ACCOUNT, 770012] = [("external_id", "crm-5")]
    house.participants.holdings["auth", ACCOUNT, 770012, "rows"] = Holding(4)

    request = await house.ask(auto=True)
    await house.run(request)

    assert sum(h.rows for h in house.participants.holdings.values()) == 0
    found, _ = await house.use.restrictions.check(ACCOUNT, [("external_id", "crm-5")], [1, 5])
    assert found == [(("external_id", "crm-5"), [5])]


async def test_a_ticket_that_comes_during_the_erasure_goes_as_well() -> None:
    house = House()
    request = await house.ask(auto=True)
    while (await house.view(request)).steps[2].state is not NodeState.DONE:
        await _one_step(house, request)
    house.zendesk.requesters[9100] = USER

    row = await house.run(request)

    assert row.state is State.COMPLETED
    assert house.zendesk.destroyed == {*TICKETS, 9100}


async def test_what_a_sync_brought_back_is_found_and_erased_again() -> None:
    house = House()
    request = await house.ask(auto=True)
    order = ["plan", *steps()]
    while (await house.view(request)).steps[order.index("erase/auth")].state is not NodeState.DONE:
        await _one_step(house, request)
    house.participants.holdings["assignment", ACCOUNT, USER, "rows"] = Holding(1)

    row = await house.run(request)

    assert row.state is State.COMPLETED
    assert house.left() == 0
    assert house.fate.unwritten == []


async def test_zendesk_must_be_quiet_for_as_long_as_is_set() -> None:
    house = House()
    use = house.another(quiet_seconds=3600.0)
    request = await house.ask(auto=True)
    began = house.clock.now()

    row = await house.run(request, use)

    assert row.state is State.COMPLETED
    assert house.clock.now() - began >= timedelta(hours=1)


async def test_the_runner_needs_no_poll() -> None:
    house = House(SystemClock())
    runner = asyncio.create_task(Runner(house.store, house.use.execute, house.wake, 3600.0).run())
    request = await house.ask()

    async def completed() -> bool:
        return house.store.tables.requests[ACCOUNT, request].state is State.COMPLETED

    await house.approve(request)
    await house.store.until(completed)
    runner.cancel()
    await asyncio.gather(runner, return_exceptions=True)

    assert house.left() == 0
    assert house.fate.unwritten == []


async def test_two_runners_do_everything_once() -> None:
    house = House()
    other = house.another()
    request = await house.ask(auto=True)
    clock = cast(ManualClock, house.clock)

    while (await house.row(request)).state is not State.COMPLETED:
        await asyncio.gather(house.use.execute(ACCOUNT, request), other.execute(ACCOUNT, request))
        clock.advance(timedelta(seconds=1))

    assert len(house.fate.calls) == len(set(map(repr, house.fate.calls))) == 8
    assert house.fate.unwritten == []
    async with house.store.transaction(ACCOUNT) as tx:
        ledger = await tx.ledger(request)
    assert len(ledger) == 2 * 7
    assert (await house.use.verify_chain(ACCOUNT))[1] == 0


async def test_a_preview_keeps_nothing() -> None:
    house = House()

    row, plan = await house.use.create.preview(ACCOUNT, Asked("ERASURE", WHO))

    assert (row.state, bool(plan.hash), len(plan.counts)) == (State.AWAITING_APPROVAL, True, 5)
    tables = house.store.tables
    assert [*tables.requests, *tables.steps, *tables.events, *tables.answers] == []
    request = await house.ask()
    assert (await house.row(request)).plan_hash == plan.hash


async def _one_step(house: House, request: str) -> None:
    """Take and run exactly one step, time passing where it waits."""
    view = await house.view(request)
    step = next(s for s in view.steps if s.state not in (NodeState.DONE, NodeState.RETAINED))
    async with house.store.transaction(ACCOUNT) as tx:
        taken = await tx.take_step(request, step.id, 30.0)
    assert taken is not None
    seconds = await house.use.execute._run_step(ACCOUNT, request, taken)
    cast(ManualClock, house.clock).advance(timedelta(seconds=seconds or 0.0))
