"""The generated client does its ticket and job work; it checks every answer against Zendesk's description."""

from __future__ import annotations

from typing import Any

import pytest
from zendesk import errors

from tools.zendesk_simulator.tests.strangers.running import AGENT, ASKER, SUPPORT, Account, Generated


def _input(subject: str) -> dict[str, Any]:
    return {"subject": subject, "comment": {"body": "It burns"}, "requester_id": ASKER}


def _pages(first: Any) -> list[Any]:
    pages: list[Any] = []
    page = first
    while page is not None:
        pages.append(page.result)
        page = page.next()
    return pages


def test_a_ticket_is_made_read_changed_and_deleted(account: Account, api: Any) -> None:
    made = api.tickets.create_ticket(request={"ticket": _input("Printer")})
    assert made.headers["location"][0].endswith(f"/api/v2/tickets/{made.result.ticket.id}.json")
    ticket_id = made.result.ticket.id
    account.advance(seconds=2)

    changed = api.tickets.update_ticket(
        ticket_id=ticket_id, ticket={"assignee_id": AGENT, "group_id": SUPPORT, "comment": {"body": "mine"}}
    )
    assert changed.ticket.status == "open"
    assert {e.type for e in changed.audit.events} >= {"Change", "Comment"}
    assert api.tickets.show_ticket(ticket_id=ticket_id).ticket.assignee_id == AGENT
    assert api.tickets.count_tickets().count.value == 1

    api.tickets.delete_ticket(ticket_id=ticket_id)
    with pytest.raises(errors.APIError) as caught:
        api.tickets.show_ticket(ticket_id=ticket_id)
    assert caught.value.status_code == 404
    assert '"RecordNotFound"' in caught.value.body


def test_lists_are_walked_by_cursor(account: Account, api: Any) -> None:
    made = account.play(create=[{"requester_id": ASKER} for _ in range(25)])

    pages = _pages(api.tickets.list_tickets(page_size=10))

    assert [len(p.tickets) for p in pages] == [10, 10, 5, 0]  # it asks on until there is no cursor
    assert [t.id for p in pages for t in p.tickets] == made
    assert [t.id for t in api.tickets.tickets_show_many(ids=f"{made[0]},{made[1]}").tickets] == made[:2]


def test_many_at_once_are_jobs(account: Account, generated: Generated) -> None:
    api = generated.api
    job = api.tickets.tickets_create_many(request={"tickets": [_input("A"), _input("B")]}).job_status
    assert (job.status, job.results) == ("queued", None)
    account.finish_jobs()
    ids = [row.id for row in api.job_statuses.show_job_status(job_status_id=job.id).job_status.results]

    job = api.tickets.tickets_update_many(
        ids=",".join(map(str, ids)), request_body={"ticket": {"priority": "high"}}
    ).job_status
    account.finish_jobs()
    assert api.job_statuses.show_many_job_statuses(ids=job.id).job_statuses[0].status == "completed"
    assert {t.priority for t in api.tickets.list_tickets().result.tickets} == {"high"}
    assert len(api.job_statuses.list_job_statuses().result.job_statuses) == 2

    job = api.tickets.bulk_delete_tickets(ids=",".join(map(str, ids))).job_status
    account.finish_jobs()
    assert [t.id for t in api.tickets.list_deleted_tickets().result.deleted_tickets] == ids
    job = api.tickets.bulk_permanently_delete_tickets(ids=",".join(map(str, ids))).job_status
    assert (job.total, job.progress) == (None, None)
    account.finish_jobs()
    assert api.job_statuses.show_job_status(job_status_id=job.id).job_status.status == "completed"
    assert api.tickets.list_deleted_tickets().result.deleted_tickets == []


def test_comments_audits_redaction_tags_and_skips(account: Account, generated: Generated) -> None:
    api = generated.api
    ticket_id = api.tickets.create_ticket(request={"ticket": _input("card 4111")}).result.ticket.id
    (comment,) = api.ticket_comments.list_ticket_comments(ticket_id=ticket_id).result.comments
    assert api.ticket_comments.count_ticket_comments(ticket_id=ticket_id).count.value == 1

    redacted = generated.sending(text="burns").ticket_comments.redact_string_in_comment(
        ticket_id=ticket_id, ticket_comment_id=comment.id
    )
    assert redacted.comment.body == "It ▇▇▇▇▇"
    workspace = generated.sending(ticket_id=ticket_id, html_body="<p><redact>It</redact> ▇</p>")
    again = workspace.ticket_comments.redact_ticket_comment_in_agent_workspace(ticket_comment_id=comment.id)
    assert again.comment.body == "▇▇ ▇▇▇▇▇"
    audits = api.ticket_audits.list_audits_for_ticket(ticket_id=ticket_id).result.audits
    assert len(audits) == 3
    assert api.ticket_audits.show_ticket_audit(ticket_id=ticket_id, ticket_audit_id=audits[0].id).audit
    assert api.ticket_audits.list_ticket_audits().result.audits[0].ticket_id == ticket_id

    assert api.tags.set_ticket_tags(ticket_id=ticket_id, tags=["a", "b"]).tags == ["a", "b"]
    assert api.tags.add_ticket_tags(ticket_id=ticket_id, tags=["c"]).tags == ["a", "b", "c"]
    api.tags.remove_ticket_tags(ticket_id=ticket_id, tags=["a"])
    assert api.tags.list_ticket_tags(ticket_id=ticket_id).tags == ["b", "c"]
    skip = (
        generated.sending(skip={"ticket_id": ticket_id, "reason": "no"}).ticket_skips.record_new_skip().skip
    )
    assert [s.id for s in api.ticket_skips.list_ticket_skips(user_id=1).result.skips] == [skip.id]


def test_restoring_answers_an_empty_object_which_this_client_takes_for_text(
    account: Account, api: Any
) -> None:
    (ticket_id,) = account.play(create=[{"requester_id": ASKER}])
    api.tickets.delete_ticket(ticket_id=ticket_id)

    with pytest.raises(
        errors.ResponseValidationError
    ):  # `{}` on the live service, a string in its description
        api.tickets.restore_deleted_ticket(ticket_id=ticket_id)

    assert api.tickets.show_ticket(ticket_id=ticket_id).ticket.id == ticket_id


def test_fields_and_statuses(generated: Generated) -> None:
    api = generated.api
    made = generated.sending(
        ticket_field={"type": "tagger", "title": "Colour"}
    ).ticket_fields.create_ticket_field()
    field_id = made.ticket_field.id
    option = generated.sending(custom_field_option={"name": "Red", "value": "red"}).ticket_fields
    assert (
        option.create_or_update_ticket_field_option(ticket_field_id=field_id).custom_field_option.value
        == "red"
    )
    listed = api.ticket_fields.list_ticket_field_options(ticket_field_id=field_id).result.custom_field_options
    assert [o.name for o in listed] == ["Red"]
    api.ticket_fields.delete_ticket_field(ticket_field_id=field_id)

    status = api.custom_ticket_statuses.create_custom_status(
        request={"custom_status": {"status_category": "hold", "agent_label": "At supplier"}}
    ).custom_status
    assert api.custom_ticket_statuses.show_custom_status(custom_status_id=status.id).custom_status.active
    assert len(api.custom_ticket_statuses.list_custom_statuses().custom_statuses) == 6
