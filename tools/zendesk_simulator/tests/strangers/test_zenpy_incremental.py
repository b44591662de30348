"""zenpy reads the exports: by cursor, by time, events, users, deleted rows."""

from __future__ import annotations

from datetime import timedelta

from tools.zendesk_simulator.tests.strangers.running import ADMIN, AGENT, ASKER, OTHER, SECOND_ASKER, Account
from tools.zendesk_simulator.tests.strangers.the_zenpy import Ticket, Zenpy


def test_the_cursor_export_hides_the_last_minute_and_goes_on(account: Account, zenpy: Zenpy) -> None:
    begin = account.now
    first = account.play(create=[{"requester_id": ASKER} for _ in range(5)])
    account.advance(minutes=3)
    later = account.play(create=[{"requester_id": ASKER}])

    export = zenpy.tickets.incremental(
        start_time=begin - timedelta(hours=1), paginate_by_time=False, per_page=2
    )
    assert [t.id for t in export] == first
    cursor = export.after_cursor
    account.advance(minutes=2)

    assert [t.id for t in zenpy.tickets.incremental(cursor=cursor, paginate_by_time=False)] == later


def test_a_change_moves_a_ticket_to_the_end(account: Account, zenpy: Zenpy) -> None:
    begin = account.now
    first, second = account.play(create=[{"requester_id": ASKER}, {"requester_id": ASKER}])
    account.advance(minutes=3)
    zenpy.tickets.update(Ticket(id=first, priority="low"))
    account.advance(minutes=3)

    rows = zenpy.tickets.incremental(start_time=begin - timedelta(hours=1), paginate_by_time=False)

    assert [t.id for t in rows] == [second, first]


def test_the_time_export_never_cuts_a_second(account: Account, zenpy: Zenpy) -> None:
    begin = account.now - timedelta(hours=1)
    ids = account.play(create=[{"requester_id": ASKER} for _ in range(9)])
    account.advance(seconds=2)
    more = account.play(create=[{"requester_id": ASKER}])
    account.advance(minutes=3)

    export = zenpy.tickets.incremental(start_time=begin, paginate_by_time=True, per_page=3)

    assert {t.id for t in export} == {*ids, *more}
    assert export.end_of_stream is True
    assert export.next_page is not None


def test_deleted_tickets_stay_readable_until_they_are_scrubbed(account: Account, zenpy: Zenpy) -> None:
    begin = account.now - timedelta(hours=1)
    (ticket_id,) = account.play(create=[{"requester_id": ASKER, "subject": "secret", "tags": ["x"]}])
    zenpy.tickets.delete(Ticket(id=ticket_id))
    account.advance(minutes=2)
    (row,) = zenpy.tickets.incremental(start_time=begin, paginate_by_time=False)
    assert (row.status, row.subject) == ("deleted", "secret")

    zenpy.tickets.permanently_delete(Ticket(id=ticket_id))
    account.advance(minutes=2)

    zenpy.job_status()  # anything: time has passed, the job is done
    account.advance(minutes=2)
    (row,) = zenpy.tickets.incremental(start_time=begin, paginate_by_time=False)
    assert (row.status, row.subject, row.description, row.tags) == ("deleted", "SCRUBBED", "X", [])


def test_ticket_events_are_audits(account: Account, zenpy: Zenpy) -> None:
    begin = account.now - timedelta(hours=1)
    (ticket_id,) = account.play(create=[{"requester_id": ASKER}])
    zenpy.tickets.update(Ticket(id=ticket_id, priority="high"))
    account.advance(minutes=2)

    events = list(zenpy.tickets.events(start_time=begin))

    assert [e.ticket_id for e in events] == [ticket_id, ticket_id]
    assert {c["event_type"] for e in events for c in e.child_events} == {"Create", "Change"}


def test_users_are_exported_too(account: Account, zenpy: Zenpy) -> None:
    begin = account.now - timedelta(hours=1)
    account.advance(minutes=2)

    rows = list(zenpy.users.incremental(start_time=begin, paginate_by_time=False))

    assert {u.id for u in rows} == {ADMIN, AGENT, OTHER, ASKER, SECOND_ASKER}
    assert {u.id for u in zenpy.users.incremental(start_time=begin, paginate_by_time=True)} == {
        u.id for u in rows
    }
