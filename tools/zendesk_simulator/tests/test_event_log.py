"""An event log makes the past of an account: times, audits and the export stream are those of the events."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from tools.zendesk_simulator.tests.machine import AGENT, REQUESTER, Machine, Receiver

LOG = [
    {"at": "2026-01-01T08:00:00Z", "group": {"id": 30, "name": "Billing"}},
    {"at": "2026-01-01T08:00:00Z", "user": {"id": 40, "role": "agent", "name": "Di"}},
    {"at": "2026-01-01T08:00:01Z", "membership": {"user_id": 40, "group_id": 30}},
    {"at": "2026-01-01T09:00:00Z", "create": {"key": "A", "requester_id": REQUESTER, "group_id": 30}},
    {"at": "2026-01-01T09:00:00Z", "create": {"key": "B", "requester_id": REQUESTER, "subject": "x"}},
    {
        "at": "2026-01-01T09:30:00Z",
        "update": {"key": "A", "assignee_id": 40, "group_id": 30, "author_id": 40},
    },
    {"at": "2026-01-01T10:00:00Z", "update": {"key": "A", "status": "solved", "author_id": 40}},
    {"at": "2026-01-01T11:00:00Z", "delete": {"key": "B", "author_id": AGENT}},
]


async def played(machine: Machine, log: list[object]) -> tuple[int, dict[str, object]]:
    lines = "\n".join(json.dumps(event) for event in log)
    answer = await machine.http.post("/_control/acme/events", content=lines)
    return answer.status_code, answer.json()


async def test_a_log_becomes_the_past(machine: Machine, receiver: Receiver) -> None:
    await machine.webhook(receiver.url)
    before = machine.clock.now()

    status, told = await played(machine, [*LOG])

    assert (status, told) == (200, {"events": 8, "tickets": {"A": 1, "B": 2}})
    first, second = machine.account.tickets[1], machine.account.tickets[2]
    assert (first["created_at"], first["updated_at"]) == ("2026-01-01T09:00:00Z", "2026-01-01T10:00:00Z")
    assert (first["status"], first["assignee_id"]) == ("solved", 40)
    assert [a["created_at"] for a in machine.account.audits[1]] == [
        "2026-01-01T09:00:00Z",
        "2026-01-01T09:30:00Z",
        "2026-01-01T10:00:00Z",
    ]
    assert second["status"] == "deleted"
    assert machine.clock.now() == before
    await machine.quiet()
    assert receiver.bodies == []
    page = (await machine.call("GET", "incremental/tickets/cursor?start_time=1767258000")).json()
    assert [t["id"] for t in page["tickets"]] == [1, 2]


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (
            {"at": "2026-01-01T07:00:00Z", "group": {"name": "x"}},
            "line 2: `2026-01-01T07:00:00+00:00` is out of order",
        ),
        ({"at": "2027-01-01T07:00:00Z", "group": {"name": "x"}}, "later than now"),
        ({"at": "2026-01-01T08:00:00", "group": {"name": "x"}}, "line 2: `at` needs a time zone"),
        ({"at": "2026-01-01T08:00:00Z", "explode": {}}, "line 2: `explode` is no kind of event"),
        ({"at": "2026-01-01T08:00:00Z"}, "line 2: an event is `at` and one kind"),
        ({"at": "2026-01-01T08:00:00Z", "update": {"key": "Z", "status": "open"}}, "line 2: "),
        ({"at": "2026-01-01T08:00:00Z", "create": {"requester_id": 999}}, "line 2: "),
        ("no event", "line 2: an event is `at` and one kind"),
    ],
)
async def test_a_line_that_cannot_be_played_is_named(machine: Machine, event: object, words: str) -> None:
    status, told = await played(machine, [LOG[0], event])

    assert status == 422
    assert words in str(told["error"])
    machine.clock.advance(timedelta(seconds=1))
    assert machine.account.now() == machine.clock.now()
