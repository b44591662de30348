"""Webhooks are signed, retried on the account's clock under one id, logged, and broken as faults say."""

from __future__ import annotations

import base64
from datetime import timedelta

import httpx2
import pytest
from starlette.responses import Response

from libs.kernel.clock import ManualClock
from tools.zendesk_simulator.delivery import TRIAL_PER_MINUTE
from tools.zendesk_simulator.tests.machine import Machine, Receiver, until
from tools.zendesk_simulator.webhook_request import BREAKER_ERRORS, BREAKER_LEAST, Breaker, sign, status_of

SECRET = "dGhpc19zZWNyZXRfaXNfZm9yX3Rlc3Rpbmdfb25seQ=="


@pytest.mark.parametrize(
    ("secret", "timestamp", "body", "signature"),
    [
        (
            SECRET,
            "2026-01-02T03:04:05Z",
            '{"ticket_id":"35436"}',
            "U/q5LXJzAOpARZCvSd07gpm5GplExocX4GqVPqpm+eM=",
        ),
        (
            "HRkRd4BeOAoUkfZr-mhauJT64rvBASlJRoIyPsd3zeA=",
            "2021-07-25T10:00:00Z",
            '{"say": "hello"}',
            "Rry/4TtIdFyawtXXp8QdI6tlAUUQ/5kL1OTp5qo/ZIk=",
        ),
    ],
)
def test_signatures_fit_the_published_vectors(secret: str, timestamp: str, body: str, signature: str) -> None:
    assert sign(secret, timestamp, body.encode()) == signature


async def test_a_webhook_is_signed_and_names_itself(machine: Machine, receiver: Receiver) -> None:
    webhook = await machine.webhook(receiver.url)
    secret = (await machine.call("GET", f"webhooks/{webhook['id']}/signing_secret")).json()["signing_secret"]

    ticket = await machine.ticket()
    await machine.quiet()

    (headers,) = receiver.headers
    timestamp = headers["x-zendesk-webhook-signature-timestamp"]
    assert receiver.bodies == [str(ticket)]
    assert timestamp == f"{machine.clock.now():%Y-%m-%dT%H:%M:%SZ}"
    assert headers["x-zendesk-webhook-signature"] == sign(secret["secret"], timestamp, str(ticket).encode())
    assert headers["x-zendesk-webhook-id"] == webhook["id"]
    assert headers["x-zendesk-account-id"] == str(machine.account.id)
    assert headers["user-agent"] == "Zendesk Webhook"
    assert headers["content-type"] == "application/json; charset=utf-8"


async def test_retries_wait_on_the_accounts_clock_and_keep_the_id(
    machine: Machine, receiver: Receiver
) -> None:
    await machine.webhook(receiver.url)
    receiver.answers = [Response(status_code=409), Response(status_code=503, headers={"retry-after": "30"})]

    await machine.ticket()
    await machine.quiet(retries=False)
    assert len(receiver.bodies) == 1
    machine.clock.advance(timedelta(seconds=1))
    await until(lambda: len(receiver.bodies) == 2)
    await machine.quiet(retries=False)
    machine.clock.advance(timedelta(seconds=29))
    await machine.quiet(retries=False)
    assert len(receiver.bodies) == 2
    machine.clock.advance(timedelta(seconds=2))
    await machine.quiet()

    assert len(receiver.bodies) == 3
    assert len(set(receiver.invocations)) == 1
    stamps = [h["x-zendesk-webhook-signature-timestamp"] for h in receiver.headers]
    assert len(set(stamps)) == 3
    (invocation,) = machine.account.invocations
    assert (invocation["status"], invocation["status_code"]) == ("success", 200)
    assert [a["status_code"] for a in invocation["attempts"]] == [409, 503, 200]


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (Response(status_code=500), "failed"),
        (Response(status_code=403), "terminated"),
        (Response(status_code=503), "failed"),
        (Response(status_code=503, headers={"retry-after": "60"}), "failed"),
        (Response(status_code=429), "throttled"),
    ],
)
async def test_what_is_not_retried(
    machine: Machine, receiver: Receiver, answer: Response, status: str
) -> None:
    await machine.webhook(receiver.url)
    receiver.answers = [answer]

    await machine.ticket()
    await machine.quiet()
    machine.clock.advance(timedelta(minutes=5))
    await machine.quiet()

    assert len(receiver.bodies) == 1
    assert machine.account.invocations[0]["status"] == status


async def test_an_endpoint_that_never_answers_is_tried_a_few_times(
    machine: Machine, receiver: Receiver
) -> None:
    await machine.webhook("http://127.0.0.1:1")

    await machine.ticket()
    for _ in range(10):
        await machine.quiet(retries=False)
        machine.clock.advance(timedelta(minutes=1))
        await until(lambda: machine.account.invocations[0]["attempts"])
    await machine.quiet()

    (invocation,) = machine.account.invocations
    assert (invocation["status"], invocation["status_code"]) == ("timeout", 0)
    assert len(invocation["attempts"]) == 6


async def test_credentials_and_custom_headers_are_sent_and_not_logged(
    machine: Machine, receiver: Receiver
) -> None:
    await machine.webhook(receiver.url, custom_headers={"X-Ours": "yes"})
    row = next(iter(machine.account.webhooks.values()))
    row["custom_headers"] = {"X-Ours": "yes"}
    row["authentication"] = {"type": "basic_auth", "data": {"username": "u", "password": "p"}}

    await machine.ticket()
    await machine.quiet()

    assert receiver.headers[0]["x-ours"] == "yes"
    assert receiver.headers[0]["authorization"] == f"Basic {base64.b64encode(b'u:p').decode()}"
    assert "dTpw" not in str(machine.account.invocations)


async def test_duplicates_come_under_the_same_id_or_a_new_one(machine: Machine, receiver: Receiver) -> None:
    await machine.webhook(receiver.url)

    await machine.fault("duplicate_webhooks", copies=2, times=1)
    await machine.ticket()
    await machine.quiet()
    assert len(receiver.bodies) == 3
    assert len(set(receiver.invocations)) == 1
    await machine.fault("duplicate_webhooks", new_id=True, times=1)
    await machine.ticket()
    await machine.quiet()

    assert receiver.bodies[3:] == ["2", "2"]
    assert len(set(receiver.invocations)) == 3


async def test_reordered_webhooks_come_last_one_first(machine: Machine, receiver: Receiver) -> None:
    await machine.webhook(receiver.url)
    await machine.fault("reorder_webhooks", window=3)

    for _ in range(4):
        await machine.ticket()
    await until(lambda: len(receiver.bodies) == 3)
    assert receiver.bodies == ["3", "2", "1"]
    await machine.control("GET", "/quiet?held=false")
    assert len(receiver.bodies) == 3
    await machine.quiet()

    assert receiver.bodies == ["3", "2", "1", "4"]


async def test_lost_webhooks_never_come_and_the_log_does_not_know(
    machine: Machine, receiver: Receiver
) -> None:
    await machine.webhook(receiver.url)
    await machine.fault("lose_webhooks", every=2)

    for _ in range(4):
        await machine.ticket()
    await machine.quiet()

    assert sorted(receiver.bodies) == ["2", "4"]
    assert [i["status"] for i in machine.account.invocations] == ["success"] * 4


async def test_a_trial_sends_no_more_than_its_share(machine: Machine, receiver: Receiver) -> None:
    await machine.webhook(receiver.url)
    await machine.control("PUT", "", {"plan": "trial"})

    for _ in range(TRIAL_PER_MINUTE + 2):
        await machine.ticket()
    await machine.quiet()

    assert len(receiver.bodies) == TRIAL_PER_MINUTE
    assert [i["status"] for i in machine.account.invocations[-2:]] == ["throttled"] * 2


async def test_the_breaker_opens_for_an_endpoint_that_fails_and_closes_again(
    machine: Machine, receiver: Receiver
) -> None:
    await machine.webhook(receiver.url)
    receiver.answers = [Response(status_code=500) for _ in range(BREAKER_LEAST)]

    for _ in range(BREAKER_LEAST):
        await machine.ticket()
    await machine.quiet()
    await machine.ticket()
    await machine.quiet()
    assert len(receiver.bodies) == BREAKER_LEAST
    assert machine.account.invocations[-1]["status"] == "circuit broken"
    machine.clock.advance(timedelta(seconds=6))
    await machine.ticket()
    await machine.quiet()

    assert machine.account.invocations[-1]["status"] == "success"


def test_the_breaker_forgets_after_five_minutes_and_counts_errors() -> None:
    clock, breaker = ManualClock(), Breaker()
    for n in range(BREAKER_LEAST - 1):
        breaker.learn(clock.now(), ok=n % 2 == 0)
    clock.advance(timedelta(minutes=6))
    for _ in range(BREAKER_LEAST - 1):
        breaker.learn(clock.now(), ok=False)
    assert breaker.lets_through(clock.now())

    many = Breaker()
    for n in range(3 * BREAKER_ERRORS):
        many.learn(clock.now(), ok=n % 2 == 0)
    assert not many.lets_through(clock.now())


def test_a_status_is_named_as_zendesk_names_it() -> None:
    assert status_of(None) == "timeout"
    assert status_of(httpx2.Response(204)) == "success"
    assert status_of(httpx2.Response(302)) == "failed"
