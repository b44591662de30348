"""Whatever a request brings, the simulator answers it: there is no body that breaks an endpoint."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from libs.kernel.clock import ManualClock
from tools.zendesk_simulator.resources.oauth import issue
from tools.zendesk_simulator.routes import ROUTES
from tools.zendesk_simulator.seed import seed_account
from tools.zendesk_simulator.server import build_app
from tools.zendesk_simulator.state import World
from tools.zendesk_simulator.tests.machine import ADMIN, AGENT, GROUP, REQUESTER, SPEC

ODD: tuple[Any, ...] = (None, "x", 7, [], {}, ["x"], {"a": 1}, True)
LEFT_OUT = ("proxy", "webhooks/test", "oauth/authorizations")  # they call others, or are pages
WRAPPERS = [
    "ticket",
    "user",
    "group",
    "group_membership",
    "view",
    "trigger",
    "webhook",
    "organization",
    "organization_membership",
    "skip",
    "custom_role",
    "custom_status",
    "user_field",
    "ticket_field",
    "organization_field",
    "custom_field_option",
    "attribute",
    "attribute_value",
    "schedule",
    "workweek",
    "holiday",
    "identity",
    "deletion_schedule",
    "custom_object",
    "permission_policy",
    "access_rule",
    "sla_policy",
    "target",
    "data",
    "job",
    "token",
    "client",
]
MEMBERS = [
    "id",
    "name",
    "title",
    "key",
    "type",
    "value",
    "values",
    "conditions",
    "actions",
    "all",
    "any",
    "output",
    "restriction",
    "tags",
    "comment",
    "custom_fields",
    "requester_id",
    "requester",
    "assignee_id",
    "group_id",
    "user_id",
    "organization_id",
    "ticket_id",
    "status",
    "priority",
    "role",
    "email",
    "ids",
    "intervals",
    "start_date",
    "policy_metrics",
    "filter",
    "attributes",
    "items",
    "action",
    "schema",
    "rbac",
    "rebac",
    "source",
    "target",
    "endpoint",
    "subscriptions",
    "collaborator_ids",
    "attribute_value_ids",
    "custom_status_id",
    "safe_update",
    "updated_stamp",
    "description",
    "configuration",
    "custom_field_options",
    "domain_names",
    "user_fields",
    "position",
    "external_id",
    "due_at",
    "relationship_type",
    "read",
]
NAMED = {
    "workweek": ("workweek",),
    "holidays": ("holiday",),
    "policies": ("sla_policy",),
    "options": ("custom_field_option",),
    "identities": ("identity",),
    "values": ("attribute_value",),
    "records": ("data",),
    "types": ("data",),
    "permissions": ("data",),
    "job": ("job",),
}
"""Wrappers of endpoints whose paths do not say them."""
QUERIES = (
    b"",
    b"page[size]=2",
    b"page=0&per_page=-1",
    b"page[size]=0",
    b"page[size]=x&page[after]=x",
    b"ids=x,y",
    b"ids=1,2,1001",
    b"query=a:b%20-c%20d%3E1%20created%3Exx%20%22",
    b"start_time=x",
    b"start_time=1&cursor=zz&limit=x",
    b"filter[agent_ids]=1,x&filter[type]=ticket&query=x",
    b"include=users,groups,organizations,slas&sort_by=id",
    b"page[size]=1&sort=-updated_at",
)


class Zendesk:
    """An account in process, called without a socket."""

    def __init__(self) -> None:
        world = World(ManualClock())
        tickets: list[dict[str, Any]] = [{"requester_id": REQUESTER}]
        tickets.append({"requester_id": REQUESTER, "assignee_id": AGENT, "group_id": GROUP})
        fields = [{"type": "text", "title": "F"}]
        seed_account(
            world, {**SPEC, "apps": [], "job_seconds": 0, "tickets": tickets, "ticket_fields": fields}
        )
        account = world.accounts["acme"]
        token = issue(account, ADMIN, "test", ["read", "write"], {"expires_in": 172_800})["access_token"]
        self._app: Starlette = build_app(world)
        self._headers = [
            (b"host", b"acme.zendesk.com"),
            (b"authorization", f"Bearer {token}".encode()),
            (b"content-type", b"application/json"),
        ]

    async def status(self, method: str, path: str, query: bytes = b"", body: bytes = b"") -> int:
        """Call and return the status; an exception is the test's failure."""
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        scope: dict[str, Any] = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
        }
        scope |= {"path": path, "raw_path": path.encode(), "query_string": query, "headers": self._headers}
        scope |= {"client": ("127.0.0.1", 1), "server": ("127.0.0.1", 1), "scheme": "http", "root_path": ""}
        await self._app(scope, receive, send)
        return int(sent[0]["status"])


def _bodies(route: Route) -> Iterator[bytes]:
    yield from (b"", b"{", b"[]", b"7", b"{}")
    words = [w for w in route.path.split("/") if not w.startswith("{")]
    if words[1:] and words[-1] in ("redact", "restore", "make_default", "tags"):
        return
    fitting = [w for w in WRAPPERS if f"{w}s" in words[-2:]] or list(NAMED.get(words[-1], ()))
    for wrapper in fitting or WRAPPERS:
        yield from (json.dumps({wrapper: odd}).encode() for odd in ODD[:1] + ODD[1:2] + ODD[3:5])
    for wrapper in fitting:
        for member in MEMBERS:
            for odd in ODD:
                whole = {
                    "name": "n",
                    "title": "t",
                    "key": "kk",
                    "type": "text",
                    "comment": {"body": "b"},
                    member: odd,
                }
                yield json.dumps({wrapper: whole}).encode()
                if "_many" in route.path:
                    yield json.dumps({f"{wrapper}s": [{"id": 1, **whole}]}).encode()


ROUTES_TO_TRY = [r for r in ROUTES if not any(part in r.path for part in LEFT_OUT)]


@pytest.mark.parametrize("route", ROUTES_TO_TRY, ids=lambda r: f"{'-'.join(sorted(r.methods))} {r.path}")
async def test_every_request_is_answered(route: Route) -> None:
    zendesk = Zendesk()
    paths = sorted({re.sub(r"\{\w+(:int)?\}", value, route.path) for value in ("1", "1001")})
    for method in sorted((route.methods or set()) - {"HEAD"}):
        for path in paths:
            if method == "GET":
                statuses = {await zendesk.status(method, path, query) for query in QUERIES}
            else:
                statuses = {await zendesk.status(method, path, b"ids=1,2", body) for body in _bodies(route)}
            assert statuses <= {200, 201, 202, 204, 302, 400, 401, 403, 404, 409, 413, 415, 422, 429}
