"""A process that dies at any line leaves nothing that another one cannot finish, and destroys nothing unannounced."""

from __future__ import annotations

import json
from typing import Any

from services.privacy.app.create_request import Asked
from services.privacy.domain.states import State
from services.privacy.tests.house import ACCOUNT, ADMIN, TICKETS, WHO, House, Killed

MANY = 100
"""Less than the number of places where the process can die: the test must not become an empty one."""
ASKED = Asked("ERASURE", WHO, auto=False, request_id="6a1f", body=b"the call")


async def _play(house: House) -> str:
    """Create, approve and run; begin again after each death, as a client and the next replica do."""
    for _ in range(3):
        try:
            request = await house.use.create(ACCOUNT, ASKED, ADMIN)
            if (await house.row(request)).state is State.RECEIVED:
                await house.run(request)  # what the dead one had taken is taken over
            await house.approve(request)
            await house.run(request)
            return request
        except Killed:
            house.fate.at = None
            house.use = house.another()
    raise AssertionError("it died more than once")


async def _end(house: House, request: str) -> dict[str, Any]:
    """Return how it ended, without times and numbers of runs."""
    view = await house.view(request)
    document = json.loads((await house.use.read.certificate(ACCOUNT, request)).document)
    participants = [
        {**p, "verification": {k: v for k, v in p["verification"].items() if k != "at"}}
        if "verification" in p
        else p
        for p in document["participants"]
    ]
    return {
        "state": view.row.state,
        "identities": view.row.identities,
        "steps": [(s.id, s.state, s.counts, dict(s.data)) for s in view.steps],
        "participants": participants,
        "left": house.left(),
        "destroyed": sorted(house.zendesk.destroyed),
        "suppressed": len(house.store.tables.suppressions),
        "requests": len(house.store.tables.requests),
    }


async def test_the_end_is_the_same_wherever_it_dies() -> None:
    house = House()
    request = await _play(house)
    places = house.fate.passed
    want = await _end(house, request)
    assert places > MANY
    assert want["state"] is State.COMPLETED
    assert (want["left"], want["destroyed"], want["requests"]) == (0, list(TICKETS), 1)

    for place in range(1, places + 1):
        house = House()
        house.fate.at = place

        request = await _play(house)

        assert house.fate.passed >= place, f"it did not come to {place}"
        assert await _end(house, request) == want, f"died at {place}"
        assert house.fate.unwritten == [], f"died at {place}"
        length, fault, _ = await house.use.verify_chain(ACCOUNT)
        assert (length > 0, fault) == (True, 0), f"died at {place}"
        lines = house.store.tables.ledger
        runs = {key[:3] for key in lines if key[4] == "INTENT"}
        assert runs == {key[:3] for key in lines if key[4] == "OUTCOME"}, f"died at {place}"


async def test_a_slower_runner_writes_nothing_after_its_step_was_taken_over() -> None:
    house = House()
    request = await house.ask(auto=True)
    async with house.store.transaction(ACCOUNT) as tx:
        slow = await tx.take_step(request, "zendesk/tickets", -1.0)
    assert slow is not None
    quick = await house.run(request)
    kept = await house.view(request)

    assert await house.use.execute._run_step(ACCOUNT, request, slow) is None

    assert quick.state is State.COMPLETED
    assert await house.view(request) == kept
    async with house.store.transaction(ACCOUNT) as tx:
        assert {line.run for line in await tx.ledger(request) if line.step == slow.id} == {slow.run + 1}
