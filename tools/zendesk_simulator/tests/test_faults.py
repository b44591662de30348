"""Each fault mode breaks what it says, as often as it says, and nothing else."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import httpx2
import pytest

from tools.zendesk_simulator.fault_modes import MODES
from tools.zendesk_simulator.tests.machine import ADMIN, Machine, until


async def test_a_storm_of_429_carries_retry_after_and_ends(machine: Machine) -> None:
    token = await machine.token()
    await machine.fault("rate_limit", retry_after=7, times=2)

    answers = [await machine.call("GET", "groups", token=token) for _ in range(3)]

    assert [(a.status_code, a.headers.get("retry-after")) for a in answers] == [
        (429, "7"),
        (429, "7"),
        (200, None),
    ]
    await machine.fault("rate_limit", retry_after=None, times=1)
    bare = await machine.call("GET", "groups", token=token)
    assert (bare.status_code, bare.headers.get("retry-after")) == (429, None)


@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_errors_come_with_and_without_retry_after(machine: Machine, status: int) -> None:
    await machine.fault("error", status=status, times=1)
    await machine.fault("error", status=status, retry_after=9, times=1)
    token = await machine.token()

    first, second = [await machine.call("GET", "groups", token=token) for _ in range(2)]

    assert (first.status_code, first.headers.get("retry-after")) == (status, None)
    assert (second.status_code, second.headers["retry-after"]) == (status, "9")


async def test_an_error_before_does_nothing_and_one_after_has_done_it(machine: Machine) -> None:
    ticket, token = await machine.ticket(), await machine.token()
    change = {"ticket": {"priority": "high"}}

    await machine.fault("error", times=1)
    assert (await machine.call("PUT", f"tickets/{ticket}", change, token=token)).status_code == 503
    assert machine.account.tickets[ticket]["priority"] is None
    await machine.fault("error", when="after", times=1)
    assert (await machine.call("PUT", f"tickets/{ticket}", change, token=token)).status_code == 503

    assert machine.account.tickets[ticket]["priority"] == "high"


async def test_a_cut_connection_has_done_its_work_and_breaks_the_body(machine: Machine) -> None:
    ticket, token = await machine.ticket(), await machine.token()
    await machine.fault("cut", method="PUT", times=2)

    for priority in ("high", "low"):
        with pytest.raises(httpx2.RemoteProtocolError):
            await machine.call("PUT", f"tickets/{ticket}", {"ticket": {"priority": priority}}, token=token)

    assert machine.account.tickets[ticket]["priority"] == "low"
    assert (await machine.call("GET", f"tickets/{ticket}", token=token)).status_code == 200


async def test_a_cut_of_an_empty_answer_is_seen_too(machine: Machine) -> None:
    ticket, token = await machine.ticket(), await machine.token()
    await machine.fault("cut", share=0, method="DELETE")

    with pytest.raises(httpx2.RemoteProtocolError):
        await machine.call("DELETE", f"tickets/{ticket}", token=token)

    assert machine.account.tickets[ticket]["status"] == "deleted"


async def test_a_slow_body_comes_late_but_whole(machine: Machine) -> None:
    token = await machine.token()
    await machine.fault("slow_body", seconds=0.3, pieces=3, times=1)
    loop = asyncio.get_running_loop()
    began = loop.time()

    async with machine.http.stream(
        "GET", "/api/v2/groups", headers={"authorization": f"Bearer {token}"}
    ) as answer:
        head = loop.time() - began
        pieces = [piece async for piece in answer.aiter_raw()]

    assert head < 0.25
    assert loop.time() - began >= 0.3
    assert len(pieces) >= 2
    assert b'"groups"' in b"".join(pieces)


async def test_what_comes_too_late_is_done_after_the_caller_gave_up(machine: Machine) -> None:
    ticket, token = await machine.ticket(), await machine.token()
    await machine.fault("delay", seconds=0.4, method="PUT", times=1)

    with pytest.raises(httpx2.ReadTimeout):
        await machine.http.put(
            f"/api/v2/tickets/{ticket}",
            json={"ticket": {"priority": "high"}},
            headers={"authorization": f"Bearer {token}"},
            timeout=0.1,
        )

    assert machine.account.tickets[ticket]["priority"] is None
    await until(lambda: machine.account.tickets[ticket]["priority"] == "high")


async def test_faults_count_by_place_and_turn(machine: Machine) -> None:
    token = await machine.token()
    number = await machine.fault("error", method="GET", path="/api/v2/users", skip=1, every=2, times=2)

    statuses = [(await machine.call("GET", "users/2", token=token)).status_code for _ in range(7)]
    others = (await machine.call("GET", "groups", token=token)).status_code

    assert statuses == [200, 503, 200, 503, 200, 200, 200]
    assert others == 200
    told = (await machine.control("GET", f"faults/{number}")).json()["fault"]
    assert (told["fitted"], told["used"], told["path"]) == (7, 2, "users")


async def test_a_fault_is_of_one_account_and_can_be_switched_off(machine: Machine) -> None:
    await machine.control("POST", "/accounts", {"subdomain": "other", "users": [{"id": 9, "role": "admin"}]})
    number = await machine.fault("error")
    other = await machine.http.get("/_accounts/other/api/v2/users/me.json")
    assert other.status_code == 200

    assert (await machine.call("GET", "groups", token="any")).status_code == 503
    assert (await machine.control("DELETE", f"faults/{number}")).status_code == 204
    assert (await machine.call("GET", "groups")).status_code == 200
    await machine.fault("error")
    assert (await machine.control("DELETE", "faults")).status_code == 204

    assert (await machine.control("GET", "faults")).json() == {"faults": []}


async def test_stale_views_tell_what_was_until_their_time_is_over(machine: Machine) -> None:
    token = await machine.token()
    await machine.fault("stale_views", seconds=600)
    view = next(iter(machine.account.views))

    async def shown() -> list[int]:
        answer = await machine.call("GET", f"views/{view}/tickets", token=token)
        return [t["id"] for t in answer.json()["tickets"]]

    assert await shown() == []
    ticket = await machine.ticket()
    assert await shown() == []
    machine.clock.advance(timedelta(seconds=601))

    assert await shown() == [ticket]


async def test_a_skewed_clock_is_in_the_date_and_in_every_timestamp(machine: Machine) -> None:
    await machine.fault("clock_skew", seconds=-90)

    ticket = await machine.ticket()
    answer = await machine.call("GET", f"tickets/{ticket}")

    theirs = machine.clock.now() - timedelta(seconds=90)
    assert parsedate_to_datetime(answer.headers["date"]) == theirs.replace(microsecond=0)
    assert answer.json()["ticket"]["created_at"] == f"{theirs:%Y-%m-%dT%H:%M:%SZ}"


async def test_tokens_can_be_revoked_alone_or_with_their_partners(machine: Machine) -> None:
    pairs = [(await machine.control("POST", "tokens", {"user_id": ADMIN})).json() for _ in range(2)]
    await machine.fault("revoke_tokens", refresh_too=False)
    refresh = {"grant_type": "refresh_token", "client_id": "setlist", "client_secret": "s3"}

    dead = await machine.call("GET", "groups", token=pairs[0]["access_token"])
    assert (dead.status_code, dead.json()["error"]) == (401, "invalid_token")
    assert pairs[0]["refresh_token"] in machine.account.by_refresh
    await machine.control("POST", "tokens", {"user_id": ADMIN})
    await machine.fault("revoke_tokens")

    answer = await machine.http.post("/oauth/tokens", json={**refresh, "refresh_token": "any"})
    assert answer.json()["error"] == "invalid_grant"
    assert machine.account.tokens == {}


async def test_a_living_token_can_be_refused_once(machine: Machine) -> None:
    token = await machine.token()
    await machine.fault("refuse_tokens", times=1)

    statuses = [(await machine.call("GET", "groups", token=token)).status_code for _ in range(2)]

    assert statuses == [401, 200]


@pytest.mark.parametrize("mode", ["half_done_job", "endless_job"])
async def test_a_job_can_stop_half_way(machine: Machine, mode: str) -> None:
    tickets, token = [await machine.ticket() for _ in range(4)], await machine.token()
    await machine.fault(mode, rows=2, times=1)
    batch = {"tickets": [{"id": t, "priority": "high"} for t in tickets]}

    job = (await machine.call("PUT", "tickets/update_many", batch, token=token)).json()["job_status"]
    assert job["status"] == "queued"
    machine.clock.advance(timedelta(minutes=10))
    job = (await machine.call("GET", f"job_statuses/{job['id']}", token=token)).json()["job_status"]

    assert job["status"] == ("failed" if mode == "half_done_job" else "working")
    assert job["results"] is None
    done = [machine.account.tickets[t]["priority"] for t in tickets]
    assert done == ["high", "high", None, None]
    again = (await machine.call("PUT", "tickets/update_many", batch, token=token)).json()["job_status"]
    machine.clock.advance(timedelta(minutes=10))
    again = (await machine.call("GET", f"job_statuses/{again['id']}", token=token)).json()["job_status"]
    assert again["status"] == "completed"


async def test_reading_does_not_use_up_the_fault_of_a_job(machine: Machine) -> None:
    ticket, token = await machine.ticket(), await machine.token()
    number = await machine.fault("half_done_job", times=1)

    for _ in range(3):
        await machine.call("GET", f"tickets/{ticket}", token=token)

    assert (await machine.control("GET", f"faults/{number}")).json()["fault"]["used"] == 0


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"mode": "explode"}, "`mode` must be one of"),
        ({}, "`mode` must be one of"),
        ({"mode": "error", "status": 418}, "`status` must be one of 500"),
        ({"mode": "error", "when": "later"}, "`when` must be one of before, after"),
        ({"mode": "rate_limit", "seconds": 3}, "`seconds` is no option of `rate_limit`"),
        ({"mode": "rate_limit", "retry_after": "soon"}, "`retry_after` must be a number"),
        ({"mode": "cut", "every": 0}, "`every` must be an integer of at least 1"),
        ({"mode": "cut", "times": 1.5}, "`times` must be an integer of at least 1"),
        ({"mode": "revoke_tokens", "refresh_too": 1}, "`refresh_too` must be a boolean"),
    ],
)
async def test_a_fault_that_cannot_be_is_refused_in_a_sentence(
    machine: Machine, spec: dict[str, Any], words: str
) -> None:
    answer = await machine.control("POST", "faults", spec)

    assert answer.status_code == 422
    assert words in answer.json()["error"]
    assert not machine.account.faults


async def test_every_mode_is_listed_with_its_options_and_can_be_switched_on(
    machine: Machine,
) -> None:
    listed = (await machine.control("GET", "/fault_modes")).json()["modes"]

    assert [m["mode"] for m in listed] == list(MODES)
    for mode in listed:
        assert mode["what"].endswith(".")
        await machine.fault(mode["mode"], **mode["options"])
    assert len((await machine.control("GET", "faults")).json()["faults"]) == len(MODES)
