"""Bad input is answered as Zendesk answers it, in its words."""

from __future__ import annotations

from typing import Any

import pytest

from tools.zendesk_simulator.tests.machine import AGENT, REQUESTER, Machine

COMMENT = {"comment": {"body": "It burns"}, "requester_id": REQUESTER}
INVALID = "RecordInvalid"


def _attribute(text: str) -> dict[str, Any]:
    return {"error": {"title": "Invalid attribute", "message": text}}


def _wrong(attribute: str, kind: str, action: str) -> dict[str, Any]:
    return _attribute(
        f"You passed an invalid value for the {attribute} attribute. "
        f"Invalid parameter: {attribute} must be {kind} from {action}"
    )


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "answer"),
    [
        ("GET", "tickets/99", None, 404, {"error": "RecordNotFound", "description": "Not found"}),
        ("GET", "nowhere", None, 404, {"error": "InvalidEndpoint", "description": "Not found"}),
        ("GET", "users/abc", None, 400, _wrong("id", "an integer", "api/v2/users/show")),
        ("GET", "tickets?page=x", None, 400, _wrong("page", "an integer", "api/v2/tickets/index")),
        (
            "GET",
            "search?query=x&page[size]=2",
            None,
            400,
            _wrong("page", "an integer", "api/v2/search/index"),
        ),
        ("POST", "tickets", {}, 400, _wrong("ticket", "an object", "api/v2/tickets/create")),
        ("POST", "tickets", [], 400, _wrong("ticket", "an object", "api/v2/tickets/create")),
        (
            "POST",
            "tickets",
            {"ticket": {**COMMENT, "assignee_id": "bo"}},
            400,
            _wrong("ticket.assignee_id", "an integer", "api/v2/tickets/create"),
        ),
        (
            "POST",
            "tickets",
            {"ticket": {**COMMENT, "tags": 7}},
            400,
            _wrong("ticket.tags", "an array", "api/v2/tickets/create"),
        ),
        (
            "POST",
            "triggers",
            {"trigger": {"title": "x", "conditions": [], "actions": []}},
            400,
            _wrong("trigger.conditions", "a hash", "api/v2/rules/triggers/create"),
        ),
        (
            "GET",
            "tickets/show_many?ids=" + ",".join(map(str, range(101))),
            None,
            400,
            {
                "error": "TooManyValues",
                "description": "Parameter  cannot specify more than 100 values",
                "max_count": 100,
            },
        ),
        (
            "POST",
            "users/create_many",
            {"users": [{"name": "x"}] * 101},
            400,
            {"error": "TooManyValues", "description": "Maximum 100 users may be created per call"},
        ),
        (
            "GET",
            "search?query=x&page=11",
            None,
            422,
            {
                "error": "invalid",
                "description": "Invalid search: Requested response size was greater than Search Response Limits",
            },
        ),
        (
            "GET",
            "routing/agents/instance_values",
            None,
            400,
            _attribute(
                "You passed an invalid value for the filter[agent_ids] attribute. "
                "Invalid parameter: filter[agent_ids] must be present"
            ),
        ),
    ],
)
async def test_whole_answers(
    machine: Machine, method: str, path: str, body: object, status: int, answer: dict[str, Any]
) -> None:
    found = await machine.call(method, path, body)

    assert (found.status_code, found.json()) == (status, answer)


@pytest.mark.parametrize(
    ("method", "path", "body", "field", "error", "words"),
    [
        ("POST", "tickets", {"ticket": {}}, "base", "BlankValue", "Description: cannot be blank"),
        (
            "POST",
            "tickets",
            {"ticket": {**COMMENT, "status": "odd"}},
            "status",
            "InvalidValue",
            "Status: odd is not a valid status",
        ),
        (
            "POST",
            "tickets",
            {"ticket": {**COMMENT, "assignee_id": REQUESTER}},
            "assignee",
            "InvalidValue",
            "Assignee: is invalid",
        ),
        (
            "POST",
            "tickets",
            {"ticket": {**COMMENT, "group_id": 999}},
            "group",
            "InvalidValue",
            "Group: is invalid",
        ),
        (
            "POST",
            "users",
            {"user": {"name": " "}},
            "name",
            "BlankValue",
            "Name: is too short (minimum is 1 characters)",
        ),
        (
            "POST",
            "users",
            {"user": {"name": "x", "email": "bo@example.com"}},
            "email",
            "DuplicateValue",
            "Email: bo@example.com is already being used by another user",
        ),
        (
            "POST",
            "users",
            {"user": {"name": "x", "email": "no"}},
            "email",
            "InvalidFormat",
            "Email: no is not properly formatted",
        ),
        (
            "POST",
            "group_memberships",
            {"group_membership": {"user_id": REQUESTER, "group_id": 20}},
            "user_id",
            "InvalidValue",
            "User: must be an agent",
        ),
        (
            "POST",
            "views",
            {"view": {"title": "x", "all": [{"field": "priority", "operator": "is", "value": "low"}]}},
            "base",
            "InvalidValue",
            (
                "View must test for at least one of the following ticket properties in the ALL section: "
                "Status, Type, Group, Assignee, Requester"
            ),
        ),
        (
            "POST",
            "views",
            {
                "view": {
                    "title": "x",
                    "all": [{"field": "status", "operator": "is", "value": "new"}],
                    "output": {"sort_by": "description"},
                }
            },
            "base",
            "InvalidValue",
            "Output: cannot sort or group by description",
        ),
    ],
)
async def test_validation_names_the_field(
    machine: Machine, method: str, path: str, body: object, field: str, error: str, words: str
) -> None:
    found = await machine.call(method, path, body)

    assert found.status_code == 422
    assert found.json()["error"] == INVALID
    assert found.json()["details"] == {field: [{"description": words, "error": error}]}


async def test_a_closed_ticket_takes_no_change(machine: Machine) -> None:
    ticket = await machine.ticket(status="closed", assignee_id=AGENT)

    for values in ({"status": "open"}, {"comment": {"body": "again"}}, {"priority": "low"}):
        found = await machine.call("PUT", f"tickets/{ticket}", {"ticket": values})
        assert found.status_code == 422
        assert found.json()["details"]["status"][0]["description"] == "Status: closed prevents ticket update"
    assert (await machine.call("DELETE", f"tickets/{ticket}", user=AGENT)).status_code == 403


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("tickets?page=1001&per_page=10", "InvalidPaginationDepth"),
        ("tickets?page[size]=101", "InvalidPaginationParameter"),
        ("tickets?page[size]=10&sort=created_at", "InvalidPaginationParameter"),
        ("tickets?page[size]=10&page[after]=nonsense", "InvalidPaginationParameter"),
        ("search/export?query=x", "InvalidValue"),
    ],
)
async def test_pages_are_refused_in_the_newer_shape(machine: Machine, path: str, code: str) -> None:
    found = await machine.call("GET", path)

    assert found.status_code == 400
    assert [e["code"] for e in found.json()["errors"]] == [code]


async def test_unknown_members_are_ignored_with_a_warning(machine: Machine) -> None:
    ticket = await machine.ticket()

    found = await machine.call("PUT", f"tickets/{ticket}", {"ticket": {"priority": "low", "colour": "red"}})

    assert found.status_code == 200
    assert found.headers["x-zendesk-api-warn"] == (
        '{:allowed_parameters=>{:controller=>"tickets", :action=>"update", '
        ':unpermitted_keys=>["ticket.colour"], :invalid_values=>[]}}'
    )


async def test_exports_want_a_start_of_more_than_a_minute_ago(machine: Machine) -> None:
    now = int(machine.clock.now().timestamp())

    missing = await machine.call("GET", "incremental/tickets/cursor")
    recent = await machine.call("GET", f"incremental/tickets?start_time={now - 30}")
    agents = await machine.call("GET", "incremental/tickets?start_time=1", user=AGENT)

    assert (missing.status_code, missing.json()["error"]) == (400, "StartTimeMissing")
    assert recent.json() == {
        "error": "InvalidValue",
        "description": "Too recent start_time. Use a start_time older than 1 minute",
    }
    assert recent.status_code == 422
    assert agents.status_code == 403


async def test_nobody_and_end_users_are_kept_out(machine: Machine) -> None:
    me = await machine.http.get("/api/v2/users/me.json")
    nobody = await machine.http.get("/api/v2/tickets.json")
    asker = await machine.call("GET", "tickets", user=REQUESTER)

    assert (me.status_code, me.json()["user"]["id"]) == (200, None)
    assert (nobody.status_code, nobody.json()) == (401, {"error": "Couldn't authenticate you"})
    assert asker.status_code == 403
    assert asker.json()["error"]["title"] == "Forbidden"


async def test_a_key_that_was_used_with_another_body_is_refused(machine: Machine) -> None:
    headers = {"authorization": f"Bearer {await machine.token()}", "idempotency-key": "k1"}

    async def post(subject: str) -> Any:
        body = {"ticket": {**COMMENT, "subject": subject}}
        return await machine.http.post("/api/v2/tickets.json", json=body, headers=headers)

    first, again, other = await post("a"), await post("a"), await post("b")

    assert [r.headers.get("x-idempotency-lookup") for r in (first, again)] == ["miss", "hit"]
    assert first.json()["ticket"]["id"] == again.json()["ticket"]["id"]
    assert (other.status_code, other.json()["error"]) == (400, "IdempotentRequestError")


async def test_answers_carry_the_live_services_headers(machine: Machine) -> None:
    body = {"ticket": {**COMMENT, "subject": "x"}}
    made = await machine.call("POST", "tickets", body)
    shown, again = await machine.call("GET", "tickets/1"), await machine.call("GET", "tickets/1")

    assert (
        made.headers["location"]
        == made.json()["ticket"]["url"]
        == "https://acme.zendesk.com/api/v2/tickets/1.json"
    )
    assert shown.headers["content-type"] == "application/json; charset=utf-8"
    assert shown.headers["cache-control"] == "max-age=0, private, must-revalidate"
    assert shown.headers["x-zendesk-api-version"] == "v2"
    assert shown.headers["etag"].startswith('W/"')
    assert shown.headers["etag"] == again.headers["etag"] != made.headers["etag"]
    assert shown.headers["x-request-id"] != again.headers["x-request-id"]
