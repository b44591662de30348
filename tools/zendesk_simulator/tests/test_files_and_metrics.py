"""Files on comments, and what tickets' histories count up to."""

from __future__ import annotations

from datetime import timedelta

from tools.zendesk_simulator.tests.machine import AGENT, REQUESTER, Machine


async def _uploaded(machine: Machine, name: str, content: bytes, token: str = "") -> str:
    headers = {"authorization": f"Bearer {await machine.token()}", "content-type": "image/png"}
    query = f"filename={name}" + (f"&token={token}" if token else "")
    answer = await machine.http.post(f"/api/v2/uploads.json?{query}", content=content, headers=headers)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["upload"]["token"])


async def test_a_file_goes_from_upload_to_comment_to_redaction(machine: Machine) -> None:
    token = await _uploaded(machine, "a.png", b"\x89PNG\x00")
    assert await _uploaded(machine, "b.png", b"{", token) == token
    body = {"ticket": {"comment": {"body": "see", "uploads": [token]}, "requester_id": REQUESTER}}
    ticket = (await machine.call("POST", "tickets", body)).json()["ticket"]["id"]
    (comment,) = (await machine.call("GET", f"tickets/{ticket}/comments")).json()["comments"]
    first, second = comment["attachments"]
    assert (first["file_name"], first["size"], second["file_name"]) == ("a.png", 5, "b.png")
    path = first["content_url"].removeprefix("https://acme.zendesk.com")
    assert (await machine.http.get(path)).content == b"\x89PNG\x00"

    where = f"tickets/{ticket}/comments/{comment['id']}/attachments/{first['id']}/redact"
    redacted = (await machine.call("PUT", where)).json()["attachment"]

    assert (redacted["file_name"], redacted["size"], redacted["deleted"]) == ("redacted.txt", 0, True)
    assert (await machine.http.get(path)).content == b""
    await machine.call("DELETE", f"tickets/{ticket}")
    await machine.call("DELETE", f"deleted_tickets/{ticket}")
    machine.clock.advance(timedelta(seconds=3))
    assert (await machine.call("GET", f"attachments/{second['id']}")).status_code == 404


async def test_metrics_count_a_tickets_history(machine: Machine) -> None:
    ticket = await machine.ticket()
    steps = (
        {"assignee_id": AGENT, "group_id": 20},
        {"comment": {"body": "hello", "public": True}, "status": "pending"},
        {"status": "solved"},
        {"status": "open"},
    )
    for values in steps:
        machine.clock.advance(timedelta(minutes=10))
        await machine.call("PUT", f"tickets/{ticket}", {"ticket": values}, user=AGENT)

    metrics = (await machine.call("GET", f"tickets/{ticket}/metrics")).json()["ticket_metric"]

    assert (metrics["replies"], metrics["reopens"], metrics["assignee_stations"]) == (1, 1, 1)
    assert metrics["reply_time_in_minutes"]["calendar"] == 20
    assert metrics["first_resolution_time_in_minutes"]["calendar"] == 30
    assert metrics["full_resolution_time_in_minutes"]["calendar"] is None
    assert metrics["agent_wait_time_in_minutes"]["calendar"] == 10
    assert (await machine.call("GET", "ticket_metrics")).json()["ticket_metrics"] == [metrics]
