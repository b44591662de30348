"""Full bodies go in, ids come out: no text and no end user in what is kept, shown, logged or raised."""

from __future__ import annotations

import dataclasses
import json
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest

from libs.zendesk.client import ZendeskClient
from libs.zendesk.errors import ZendeskError
from libs.zendesk.exports import Checkpoint
from libs.zendesk.tests.answering import client

SECRET = "Zaphod-Geheim"
FIELD = 4711
PERSON = {
    "name": f"{SECRET} Person",
    "email": f"{SECRET}@example.com",
    "phone": SECRET,
    "alias": SECRET,
    "details": SECRET,
    "notes": SECRET,
    "photo": {"content_url": f"https://x/{SECRET}"},
    "tags": [],
    "user_fields": {"hobby": SECRET, "playlist_rule_id": 7},
    "signature": SECRET,
    "external_id": SECRET,
}
TIMES = {"created_at": "2026-01-05T09:00:00Z", "updated_at": "2026-01-05T09:30:00Z"}
END_USER = {"id": 3, "role": "end-user", "active": True, "permanently_deleted": False, **PERSON, **TIMES}
AGENT = {**END_USER, "id": 2, "role": "agent", "role_type": 0, "custom_role_id": 5, "default_group_id": 20}
COMMENT = {
    "id": 9,
    "type": "Comment",
    "body": SECRET,
    "html_body": SECRET,
    "plain_body": SECRET,
    "author_id": 3,
}
TICKET = {
    "id": 7,
    "status": "open",
    **TIMES,
    "generated_timestamp": 1767600000,
    "subject": SECRET,
    "raw_subject": SECRET,
    "description": SECRET,
    "requester_id": 3,
    "submitter_id": 3,
    "assignee_id": 2,
    "group_id": 20,
    "external_id": SECRET,
    "recipient": f"{SECRET}@support.example",
    "priority": "high",
    "tags": ["vip"],
    "via": {"channel": "email", "source": {"from": {"address": f"{SECRET}@x", "name": SECRET}, "rel": None}},
    "custom_fields": [{"id": FIELD, "value": "dec-1"}, {"id": 5, "value": SECRET}],
    "fields": [{"id": 5, "value": SECRET}],
    "satisfaction_rating": {"score": "bad", "comment": SECRET},
    "comment": COMMENT,
}
EVENTS = [
    COMMENT,
    {"id": 1, "type": "Change", "field_name": "subject", "value": SECRET, "previous_value": SECRET},
    {"id": 2, "type": "Change", "field_name": "5", "value": SECRET, "previous_value": SECRET},
    {"id": 3, "type": "Change", "field_name": "assignee_id", "value": "2", "previous_value": None},
]
AUDIT = {
    "id": 8,
    "ticket_id": 7,
    "author_id": 3,
    **TIMES,
    "events": EVENTS,
    "metadata": {"system": {"ip": SECRET}},
}
JOB = {
    "id": "V3-1",
    "status": "completed",
    "message": f"Creating {SECRET}",
    "results": [
        {"id": 7, "success": False, "error": f"{SECRET} is closed", "details": SECRET, "status": SECRET},
        {"id": 8, "success": False, "error": "UpdateConflict", "details": SECRET},
        {"id": 9, "success": True, "email": SECRET, "name": SECRET},
    ],
}
PAGE = {
    "meta": {"has_more": False},
    "end_of_stream": True,
    "after_cursor": "c",
    "count": 1,
    "next_page": None,
}
BODY: dict[str, Any] = {
    **PAGE,
    "ticket": TICKET,
    "tickets": [TICKET],
    "user": AGENT,
    "users": [AGENT, END_USER],
    "deleted_user": END_USER,
    "deleted_users": [END_USER],
    "organizations": [{"id": 1, "name": SECRET, "domain_names": [SECRET], "notes": SECRET, **TIMES}],
    "deleted_tickets": [
        {"id": 7, "subject": SECRET, "actor": {"id": 2, "name": SECRET}, "deleted_at": TIMES["created_at"]}
    ],
    "audits": [AUDIT],
    "skip": {"id": 1, "ticket_id": 7, "user_id": 2, "reason": SECRET, "ticket": TICKET},
    "skips": [{"id": 1, "ticket_id": 7, "user_id": 2, "reason": SECRET, "ticket": TICKET}],
    "job_status": JOB,
    "job_statuses": [JOB],
    "results": [{**TICKET, "result_type": "ticket"}],
    "rows": [{"ticket": TICKET, "subject": SECRET, "requester": PERSON}],
    "compliance_deletion_statuses": [
        {"application": "support", "action": "started", "account_subdomain": "a"}
    ],
    "instance_values": [
        {"id": "u", "instance_id": "3", "type": "associate_ticket", "time": TIMES["created_at"]}
    ],
}
STAFF_NAME = {"users.agents", "users.show", "users.show_many", "users.me", "users.suspend", "users.changed"}
Call = Callable[[ZendeskClient], Awaitable[Any]]
CALLS: dict[str, Call] = {
    "tickets.show": lambda c: c.tickets.show(7, fields=[FIELD]),
    "tickets.show_many": lambda c: c.tickets.show_many([7]),
    "tickets.breaches": lambda c: c.tickets.breaches([7]),
    "tickets.requested": lambda c: c.tickets.requested(3),
    "tickets.of_view": lambda c: c.tickets.of_view(1),
    "tickets.changed": lambda c: c.tickets.changed(Checkpoint(time=1)),
    "tickets.create": lambda c: c.tickets.create({"comment": {"body": SECRET}}, idempotency_key="k"),
    "tickets.update": lambda c: c.tickets.update(7, {"comment": {"body": SECRET}}),
    "tickets.update_many": lambda c: c.tickets.update_many([{"id": 7, "comment": {"body": SECRET}}]),
    "tickets.audits": lambda c: c.tickets.audits(7).all(),
    "tickets.skip": lambda c: c.tickets.skip(7, SECRET),
    "tickets.skips": lambda c: c.tickets.skips().all(),
    "ticket_deletion.trashed": lambda c: c.ticket_deletion.trashed().all(),
    "ticket_deletion.destroy": lambda c: c.ticket_deletion.destroy(7),
    "ticket_deletion.redact_text": lambda c: c.ticket_deletion.redact_text(7, 9, SECRET),
    "ticket_deletion.redact_comment": lambda c: c.ticket_deletion.redact_comment(7, 9, SECRET),
    "users.agents": lambda c: c.users.agents(),
    "users.show": lambda c: c.users.show(2),
    "users.show_many": lambda c: c.users.show_many([2, 3]),
    "users.me": lambda c: c.users.me(),
    "users.suspend": lambda c: c.users.suspend(2),
    "users.changed": lambda c: c.users.changed(Checkpoint(time=1)),
    "user_deletion.delete": lambda c: c.user_deletion.delete(3),
    "user_deletion.deleted": lambda c: c.user_deletion.deleted(3),
    "user_deletion.all_deleted": lambda c: c.user_deletion.all_deleted().all(),
    "user_deletion.compliance": lambda c: c.user_deletion.compliance(3),
    "organizations.all": lambda c: c.organizations.all().all(),
    "views.execute": lambda c: c.views.execute(1),
    "search.export": lambda c: c.search.export(f"requester:{SECRET}", "ticket").all(),
    "search.count": lambda c: c.search.count(f"requester:{SECRET}"),
    "routing.changes": lambda c: c.routing.changes(Checkpoint()),
    "jobs.show": lambda c: c.jobs.show("V3-1"),
    "jobs.show_many": lambda c: c.jobs.show_many(["V3-1"]),
}


def holding(value: Any) -> str:
    """Return everything that a value holds, whatever its `repr` shows."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return " ".join(holding(getattr(value, f.name)) for f in dataclasses.fields(value))
    if isinstance(value, dict):
        return " ".join(f"{holding(k)} {holding(v)}" for k, v in value.items())
    if isinstance(value, list | tuple | set | frozenset):
        return " ".join(map(holding, value))
    return str(value)


@pytest.mark.parametrize("name", CALLS)
async def test_what_is_kept_holds_no_text_and_no_end_user(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    kept = await CALLS[name](client(lambda _: httpx2.Response(200, json=BODY)))

    assert SECRET not in repr(kept)
    held = holding(kept)
    if (
        name in STAFF_NAME
    ):  # agents are known by name and e-mail, as the seed's table says, and by nothing else
        held = held.replace(str(PERSON["name"]), "").replace(str(PERSON["email"]), "")
    assert SECRET not in held
    assert SECRET not in caplog.text


async def test_an_end_user_has_no_name_beside_agents_who_have() -> None:
    agent, person = await client(lambda _: httpx2.Response(200, json=BODY)).users.show_many([2, 3])

    assert (agent.name, agent.user_fields) == (PERSON["name"], {"playlist_rule_id": 7})
    assert (person.name, person.email, person.user_fields) == ("", "", {})


async def test_only_the_fields_that_were_asked_for_are_kept() -> None:
    ticket = await client(lambda _: httpx2.Response(200, json=BODY)).tickets.show(7, fields=[FIELD])

    assert ticket.custom_fields == {FIELD: "dec-1"}
    assert ticket.updated_at == datetime(2026, 1, 5, 9, 30, tzinfo=UTC)
    assert (ticket.requester_id, ticket.channel, ticket.tags) == (3, "email", ("vip",))


async def test_a_job_tells_codes_and_no_texts() -> None:
    job = await client(lambda _: httpx2.Response(200, json=BODY)).jobs.show("V3-1")

    assert [(r.id, r.success, r.error) for r in job.results] == [
        (7, False, "Failed"),
        (8, False, "UpdateConflict"),
        (9, True, ""),
    ]


@pytest.mark.parametrize("status", [200, 302, 400, 404, 409, 422, 429, 500])
@pytest.mark.parametrize("name", CALLS)
async def test_no_error_and_no_log_quotes_what_was_sent_or_answered(
    name: str, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    odd = {"error": SECRET, "description": SECRET, "details": {"base": [{"description": SECRET}]}}
    text = json.dumps([BODY] if status == 200 else {**BODY, **odd})
    headers = {"retry-after": "3600", "location": f"https://x/{SECRET}"}
    try:
        await CALLS[name](client(lambda _: httpx2.Response(status, text=text, headers=headers)))
    except ZendeskError as error:
        seen: BaseException | None = error
        while seen is not None:  # the causes too: an error tracker shows them
            assert SECRET not in f"{seen} {seen!r} {vars(seen)}"
            seen = seen.__cause__ or seen.__context__
    assert SECRET not in caplog.text
