"""zenpy does its ticket work: one, many, comments, audits, tags, skips, the trash."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.zendesk_simulator.tests.strangers.running import AGENT, ASKER, JOB_SECONDS, SUPPORT, Account
from tools.zendesk_simulator.tests.strangers.the_zenpy import (
    APIException,
    Comment,
    RecordNotFoundException,
    Skip,
    Ticket,
    TooManyValuesException,
    Zenpy,
)


def _ticket(subject: str = "Printer", **values: object) -> Ticket:
    return Ticket(subject=subject, comment=Comment(body="It burns"), requester_id=ASKER, **values)


def test_a_ticket_from_birth_to_trash_and_back(account: Account, zenpy: Zenpy) -> None:
    audit = zenpy.tickets.create(_ticket(priority="high", tags=["hot"]))
    ticket = audit.ticket
    assert (ticket.status, ticket.priority, ticket.tags) == ("new", "high", ["hot"])
    assert "Create" in {e["type"] for e in audit.audit.events}

    account.advance(seconds=5)
    ticket.assignee_id, ticket.group_id = AGENT, SUPPORT
    changed = zenpy.tickets.update(ticket)
    assert changed.ticket.status == "open"
    assert {e["field_name"] for e in changed.audit.events} >= {"assignee_id", "group_id", "status"}
    assert zenpy.tickets(id=ticket.id).assignee.name == "Bo Agent"

    assert zenpy.tickets.delete(changed.ticket).status_code == 204
    with pytest.raises(RecordNotFoundException):
        zenpy.tickets(id=ticket.id)
    (gone,) = zenpy.tickets.deleted()
    assert (gone.id, gone.previous_state, gone.actor["id"]) == (ticket.id, "open", 1)
    zenpy.tickets.restore(gone)
    assert zenpy.tickets(id=ticket.id).status == "open"


def test_safe_update_meets_a_conflict(account: Account, zenpy: Zenpy) -> None:
    ticket = zenpy.tickets.create(_ticket()).ticket
    read_at = ticket.updated_at
    account.advance(seconds=2)
    zenpy.tickets.update(Ticket(id=ticket.id, priority="low"))

    with pytest.raises(APIException) as caught:
        zenpy.tickets.update(Ticket(id=ticket.id, priority="urgent", safe_update=True, updated_stamp=read_at))

    assert caught.value.response.status_code == 409
    assert caught.value.response.json()["error"] == "UpdateConflict"


def test_lists_walk_over_all_cursor_pages(zenpy: Zenpy, account: Account) -> None:
    made = account.play(create=[{"requester_id": ASKER, "subject": f"T{n}"} for n in range(230)])

    assert [t.id for t in zenpy.tickets()] == made
    assert [t.id for t in zenpy.tickets(cursor_pagination=7)] == made
    assert [t.id for t in zenpy.tickets(ids=made[:3])] == made[:3]
    assert [t.id for t in zenpy.tickets(cursor_pagination=False)[0:150]] == made[:150]
    with pytest.raises(TooManyValuesException):
        zenpy.tickets(ids=made[:101])


def test_many_at_once_are_jobs(account: Account, zenpy: Zenpy) -> None:
    job = zenpy.tickets.create([_ticket(f"T{n}") for n in range(3)])
    assert (job.status, job.results) == ("queued", None)
    account.advance(seconds=0.7 * JOB_SECONDS)
    assert zenpy.job_status(id=job.id).status == "working"
    account.finish_jobs()
    job = zenpy.job_status(id=job.id)
    assert job.status == "completed"
    ids = [row.id for row in job.results]

    job = zenpy.tickets.update([Ticket(id=i, priority="urgent") for i in [*ids, 9999]])
    account.finish_jobs()
    rows = zenpy.job_status(id=job.id).results
    assert [(r.id, r.success) for r in rows] == [
        (ids[0], True),
        (ids[1], True),
        (ids[2], True),
        (9999, False),
    ]
    assert rows[-1].error == "RecordNotFound"
    assert {t.priority for t in zenpy.tickets(ids=ids)} == {"urgent"}

    job = zenpy.tickets.delete([Ticket(id=i) for i in ids])
    account.finish_jobs()
    assert zenpy.job_status(id=job.id).status == "completed"
    assert list(zenpy.tickets()) == []


def test_a_bulk_update_is_safe_against_the_time_of_queuing(account: Account, zenpy: Zenpy) -> None:
    (first, second) = account.play(create=[{"requester_id": ASKER}, {"requester_id": ASKER}])
    job = zenpy.tickets.update([Ticket(id=first, priority="low"), Ticket(id=second, priority="low")])
    account.advance(seconds=0.7 * JOB_SECONDS)
    zenpy.tickets.update(Ticket(id=second, priority="urgent"))
    account.finish_jobs()

    rows = zenpy.job_status(id=job.id).results

    assert [getattr(r, "error", None) for r in rows] == [None, "UpdateConflict"]
    assert zenpy.tickets(id=second).priority == "urgent"


def test_comments_audits_tags_and_redaction(account: Account, zenpy: Zenpy) -> None:
    ticket = zenpy.tickets.create(_ticket()).ticket
    account.advance(seconds=1)
    zenpy.tickets.update(Ticket(id=ticket.id, comment=Comment(body="card 4111 here", public=False)))

    first, second = zenpy.tickets.comments(ticket)
    assert (first.body, first.public, second.public) == ("It burns", True, False)
    assert first.author.name == "Ada Admin"
    zenpy.tickets.comment_redact(ticket, second, "4111")
    assert [c.body for c in zenpy.tickets.comments(ticket)][1] == "card ▇▇▇▇ here"
    assert len(list(zenpy.tickets.audits(ticket))) == 3
    assert next(iter(zenpy.tickets.audits())).ticket_id == ticket.id

    assert zenpy.tickets.set_tags(ticket.id, ["a", "b"]) is not None
    zenpy.tickets.add_tags(ticket.id, ["c"])
    zenpy.tickets.delete_tags(ticket.id, ["a"])
    assert zenpy.tickets(id=ticket.id).tags == ["b", "c"]


def test_skips_belong_to_the_caller(account: Account) -> None:
    (ticket_id,) = account.play(create=[{"requester_id": ASKER}])
    agent = account.zenpy("bo@example.com")

    skip = agent.skips.create(Skip(ticket_id=ticket_id, reason="not mine"))

    assert (skip.user_id, skip.reason) == (AGENT, "not mine")
    assert [s.id for s in agent.tickets.skips(ticket_id)] == [skip.id]
    assert [s.id for s in agent.users.skips(AGENT)] == [skip.id]


def test_merging_closes_the_sources(account: Account, zenpy: Zenpy) -> None:
    target, source = account.play(create=[{"requester_id": ASKER, "assignee_id": AGENT} for _ in range(2)])

    job = zenpy.tickets.merge(target, source, target_comment="merged in", source_comment="see other")
    account.finish_jobs()

    assert zenpy.job_status(id=job.id).status == "completed"
    assert zenpy.tickets(id=source).status == "closed"
    assert [c.body for c in zenpy.tickets.comments(target)][-1] == "merged in"


def test_permanent_deletion_is_a_job_without_total(account: Account, zenpy: Zenpy) -> None:
    ids = account.play(create=[{"requester_id": ASKER} for _ in range(3)])
    for ticket_id in ids:
        zenpy.tickets.delete(Ticket(id=ticket_id))

    jobs = [zenpy.tickets.permanently_delete(t) for t in zenpy.tickets.deleted()]
    account.finish_jobs()

    done = [zenpy.job_status(id=j.id) for j in jobs]
    assert [(j.status, j.total) for j in done] == [("completed", None)] * 3
    assert list(zenpy.tickets.deleted()) == []
    with pytest.raises(RecordNotFoundException):
        zenpy.tickets.restore(ids[0])


def test_the_trash_empties_itself_after_thirty_days(account: Account, zenpy: Zenpy) -> None:
    (ticket_id,) = account.play(create=[{"requester_id": ASKER}])
    zenpy.tickets.delete(Ticket(id=ticket_id))
    account.advance(days=29)
    assert len(list(zenpy.tickets.deleted())) == 1

    account.advance(days=2)

    assert list(zenpy.tickets.deleted()) == []


def test_files_metrics_incidents_and_recent_ones(account: Account, zenpy: Zenpy, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"what happened")
    upload = zenpy.attachments.upload(str(tmp_path / "a.txt"), target_name="a.txt", content_type="text/plain")
    problem = zenpy.tickets.create(
        Ticket(
            subject="P",
            type="problem",
            requester_id=ASKER,
            comment=Comment(body="see", uploads=[upload.token]),
        )
    ).ticket
    incident = zenpy.tickets.create(_ticket(type="incident", problem_id=problem.id)).ticket

    (comment,) = zenpy.tickets.comments(problem)
    (attachment,) = comment.attachments
    assert attachment.file_name == "a.txt"
    stored = zenpy.attachments.download(attachment.id, str(tmp_path / "b.txt"))
    assert Path(stored).read_bytes() == b"what happened"
    zenpy.attachments.redact(problem, comment, attachment.id)
    (comment,) = zenpy.tickets.comments(problem)
    assert comment.attachments[0].file_name == "redacted.txt"

    assert [t.id for t in zenpy.tickets.incidents(problem)] == [incident.id]
    assert {t.id for t in zenpy.tickets.recent()} == {problem.id, incident.id}
    assert zenpy.tickets.metrics(problem).replies == 0
    imported = zenpy.ticket_import.create(
        Ticket(subject="old", requester_id=ASKER, created_at="2020-01-01T00:00:00Z", description="d")
    )
    assert zenpy.tickets(id=imported.id).created_at == "2020-01-01T00:00:00Z"
