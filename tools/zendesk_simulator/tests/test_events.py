"""Webhooks that subscribed to events of users hear of them, signed as all others."""

from __future__ import annotations

import json

from tools.zendesk_simulator.tests.machine import REQUESTER, Machine, Receiver
from tools.zendesk_simulator.webhook_request import sign

TYPES = ["zen:event-type:user.deleted", "zen:event-type:user.merged"]


async def _webhook(machine: Machine, receiver: Receiver, *types: str) -> dict[str, str]:
    values = {
        "name": "Events",
        "endpoint": f"{receiver.url}/hook",
        "http_method": "POST",
        "request_format": "json",
    }
    body = {"webhook": {**values, "status": "active", "subscriptions": list(types)}}
    answer = await machine.call("POST", "webhooks", body)
    assert answer.status_code == 201, answer.text
    made: dict[str, str] = answer.json()["webhook"]
    return made


async def test_a_deletion_is_told_with_ids_as_texts(machine: Machine, receiver: Receiver) -> None:
    webhook = await _webhook(machine, receiver, *TYPES)
    await machine.call("DELETE", f"users/{REQUESTER}")
    await machine.quiet()

    (body,) = receiver.bodies
    event = json.loads(body)
    assert (event["type"], event["subject"]) == ("zen:event-type:user.deleted", f"zen:user:{REQUESTER}")
    assert (event["detail"]["id"], event["detail"]["default_group_id"]) == (str(REQUESTER), "0")
    assert body.startswith('{\n   "account_id"')
    secret = (await machine.call("GET", f"webhooks/{webhook['id']}/signing_secret")).json()["signing_secret"][
        "secret"
    ]
    headers = receiver.headers[0]
    stamped = headers["x-zendesk-webhook-signature-timestamp"]
    assert headers["x-zendesk-webhook-signature"] == sign(secret, stamped, body.encode())


async def test_a_merge_tells_both(machine: Machine, receiver: Receiver) -> None:
    await _webhook(machine, receiver, *TYPES)
    winner = (
        await machine.call("POST", "users", {"user": {"name": "Wi", "email": "wi@example.com"}})
    ).json()["user"]
    await machine.call("PUT", f"users/{REQUESTER}/merge", {"user": {"id": winner["id"]}})
    await machine.quiet()

    told = {json.loads(b)["type"].rsplit(".", 1)[1]: json.loads(b) for b in receiver.bodies}
    assert set(told) == {"deleted", "merged"}
    assert told["merged"]["event"] == {"user": {"id": str(REQUESTER)}}
    assert told["merged"]["detail"]["id"] == str(winner["id"])


async def test_only_what_was_subscribed_to_comes(machine: Machine, receiver: Receiver) -> None:
    await _webhook(machine, receiver, "zen:event-type:user.created")

    await machine.call("DELETE", f"users/{REQUESTER}")
    await machine.call("POST", "users", {"user": {"name": "Ny", "email": "ny@example.com"}})
    await machine.quiet()

    assert [json.loads(b)["type"] for b in receiver.bodies] == ["zen:event-type:user.created"]
