"""zenpy does its view, search, role, field, trigger and webhook work."""

from __future__ import annotations

import pytest

from tools.zendesk_simulator.tests.strangers.running import AGENT, ASKER, SUPPORT, Account
from tools.zendesk_simulator.tests.strangers.the_zenpy import (
    APIException,
    CustomStatus,
    Organization,
    RecordNotFoundException,
    SearchResponseLimitExceeded,
    Ticket,
    TicketField,
    Trigger,
    View,
    Webhook,
    Zenpy,
)

OPEN_ONES = {"field": "status", "operator": "less_than", "value": "solved"}
NOBODY = {"field": "assignee_id", "operator": "is", "value": ""}


def _view(zenpy: Zenpy, **output: object) -> View:
    return zenpy.views.create(View(title="Waiting", all=[OPEN_ONES, NOBODY], output=output))


def _rows(zenpy: Zenpy, view: View) -> list[int]:
    answer = zenpy.views._get(view.url.replace(".json", "/execute.json"), raw_response=True).json()
    assert [c["id"] for c in answer["columns"]] == ["nice_id", "status"]
    return [row["ticket"]["id"] for row in answer["rows"]]


def test_a_view_holds_what_its_conditions_say(account: Account, zenpy: Zenpy) -> None:
    view = _view(zenpy)
    ids = account.play(create=[{"requester_id": ASKER} for _ in range(120)])
    zenpy.tickets.update(Ticket(id=ids[0], assignee_id=AGENT, group_id=SUPPORT))
    zenpy.tickets.update(Ticket(id=ids[1], status="solved"))

    assert [t.id for t in zenpy.views.tickets(view)] == ids[2:]
    assert [t.id for t in zenpy.views.tickets(view, cursor_pagination=50)] == ids[2:]
    view.title, view.all, view.conditions = "Assigned", [{**NOBODY, "operator": "is_not"}], None
    assert zenpy.views.update(view).title == "Assigned"
    assert [t.id for t in zenpy.views.tickets(view)] == ids[:2]
    zenpy.views.delete(view)
    with pytest.raises(RecordNotFoundException):
        zenpy.views(id=view.id)


def test_views_are_listed(zenpy: Zenpy) -> None:
    view = _view(zenpy)
    hidden = zenpy.views.create(View(title="Old", active=False, all=[OPEN_ONES]))

    assert [v.id for v in zenpy.views()] == [view.id, hidden.id]
    assert [v.id for v in zenpy.views.active()] == [view.id]
    assert [v.id for v in zenpy.views.compact()] == [view.id]
    assert [v.id for v in zenpy.views.search(query="wait")] == [view.id]
    with pytest.raises(APIException) as caught:
        zenpy.views.create(View(title="Wrong", all=[{"field": "priority", "operator": "is", "value": "low"}]))
    assert "at least one" in caught.value.response.json()["details"]["base"][0]["description"]


def test_counts_are_null_first_and_executions_are_old(account: Account, zenpy: Zenpy) -> None:
    view = _view(zenpy, columns=["nice_id", "status"], sort_by="nice_id", sort_order="desc")
    first, second = account.play(create=[{"requester_id": ASKER}, {"requester_id": ASKER}])

    count = zenpy.views.count(view)
    assert (count.value, count.pretty, count.fresh) == (None, "...", False)
    assert zenpy.views.execute(view).id == view.id  # this version of zenpy reads the `view` member only
    assert _rows(zenpy, view) == [second, first]
    (third,) = account.play(create=[{"requester_id": ASKER}])
    assert _rows(zenpy, view) == [second, first]
    account.advance(hours=11)

    assert zenpy.views.count(view).value == 3
    assert [c.value for c in zenpy.views.count_many([view.id])] == [3]
    assert _rows(zenpy, view) == [third, second, first]


def test_search_speaks_the_query_language(account: Account, zenpy: Zenpy) -> None:
    burning, calm = account.play(
        create=[
            {"requester_id": ASKER, "subject": "printer burns", "priority": "urgent", "tags": ["fire"]},
            {"requester_id": ASKER, "subject": "printer calm", "status": "pending"},
        ]
    )

    def found(*words: str, **terms: object) -> set[int]:
        return {r.id for r in zenpy.search(*words, type="ticket", **terms)}

    assert found("printer") == {burning, calm}
    assert found(priority="urgent") == {burning}
    assert found(status_less_than="pending") == {burning}
    assert found("printer", minus="tags:fire") == {calm}
    assert found(status=["new", "pending"]) == {burning, calm}
    assert found(requester="cy@example.com", subject="calm") == {calm}
    assert found(created_after=account.now.replace(microsecond=0)) == set()
    assert {u.id for u in zenpy.search(type="user", role="agent")} == {AGENT, 3}
    zenpy.organizations.create(Organization(name="Initech"))
    assert [o.name for o in zenpy.search("initech", type="organization")] == ["Initech"]
    assert zenpy.search.count("printer") == 2


def test_search_ends_at_a_thousand_and_its_export_does_not(account: Account, zenpy: Zenpy) -> None:
    account.play(create=[{"requester_id": ASKER, "subject": f"many {n}"} for n in range(1030)])

    results = zenpy.search("many", type="ticket")

    assert results.count == 1030
    assert len(list(results)) == 1000
    with pytest.raises(SearchResponseLimitExceeded):
        zenpy.search._get(f"https://{account.subdomain}.zendesk.com/api/v2/search.json?query=many&page=11")
    assert len(list(zenpy.search_export("many", type="ticket", cursor_pagination=400))) == 1030


def test_roles_fields_and_statuses(zenpy: Zenpy) -> None:
    assert [r.name for r in zenpy.custom_agent_roles()] == ["Advisor"]
    (role,) = zenpy.custom_agent_roles()
    assert role.configuration["ticket_access"] == "all"

    field = zenpy.ticket_fields.create(TicketField(type="text", title="Colour"))
    assert {f.title for f in zenpy.ticket_fields()} == {"Origin", "Colour"}
    zenpy.ticket_fields.delete(field)

    assert {s.status_category for s in zenpy.custom_statuses()} == {
        "new",
        "open",
        "pending",
        "hold",
        "solved",
    }
    waiting = zenpy.custom_statuses.create(CustomStatus(status_category="pending", agent_label="At supplier"))
    assert zenpy.custom_statuses(id=waiting.id).agent_label == "At supplier"


def test_webhooks_and_the_triggers_that_call_them(account: Account, zenpy: Zenpy) -> None:
    hook = zenpy.webhooks.create(
        Webhook(
            name="Hook",
            endpoint="http://127.0.0.1:9/none",
            http_method="POST",
            request_format="json",
            status="active",
            subscriptions=["conditional_ticket_events"],
        )
    )
    trigger = zenpy.triggers.create(
        Trigger(
            title="New",
            conditions={"all": [{"field": "update_type", "operator": "is", "value": "Create"}], "any": []},
            actions=[
                {"field": "notification_webhook", "value": [hook.id, '{"id":"{{ticket.id}}"}']},
                {"field": "priority", "value": "high"},
            ],
        )
    )

    (ticket_id,) = account.play(create=[{"requester_id": ASKER}])

    assert zenpy.tickets(id=ticket_id).priority == "high"
    assert [
        i.webhook_id if hasattr(i, "webhook_id") else i.id for i in zenpy.webhooks.invocations(hook)
    ] != []
    secret = zenpy.webhooks.show_secret(hook).secret
    assert zenpy.webhooks.reset_secret(hook).secret != secret
    zenpy.webhooks.patch(Webhook(id=hook.id, name="Renamed"))
    assert [w.name for w in zenpy.webhooks.list()] == ["Renamed"]
    zenpy.triggers.delete(trigger)
    zenpy.webhooks.delete(hook)
    assert list(zenpy.webhooks.list()) == []
