"""The simulator answers our own client as Zendesk would, along the path of the app."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import AsyncIterator
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
import pytest_asyncio

from libs.kernel.clock import ManualClock
from libs.zendesk import StaticToken, ZendeskClient
from libs.zendesk.errors import (
    ForbiddenError,
    InvalidTokenError,
    RecordInvalidError,
    RecordNotFoundError,
    UpdateConflictError,
)
from libs.zendesk.exports import Checkpoint
from tools.zendesk_simulator.server import build_app
from tools.zendesk_simulator.state import World
from tools.zendesk_simulator.webhook_request import sign

SPEC = {
    "subdomain": "acme",
    "job_seconds": 0,
    "oauth_clients": [
        {"identifier": "setlist", "secret": "s3", "redirect_uri": ["http://127.0.0.1/callback"]}
    ],
    "groups": [{"id": 20, "name": "Support"}, {"id": 21, "name": "Billing"}],
    "users": [
        {"id": 1, "role": "admin", "name": "Ada", "groups": [20]},
        {"id": 2, "role": "agent", "name": "Bo", "groups": [20]},
        {"id": 3, "role": "end-user", "name": "Cy"},
    ],
    "views": [{"title": "Waiting", "all": [{"field": "status", "operator": "less_than", "value": "solved"}]}],
    "apps": [
        {
            "id": 77,
            "url": "http://127.0.0.1:1/app",
            "parameters": [{"name": "token", "secure": True, "scopes": ["header"]}],
        }
    ],
}


class Zendesk:
    """A simulator in process."""

    def __init__(self, http: httpx2.AsyncClient, clock: ManualClock) -> None:
        self.http = http
        self.clock = clock

    async def client(self, user_id: int, scopes: tuple[str, ...] = ("read", "write")) -> ZendeskClient:
        answer = await self.http.post("/_control/acme/tokens", json={"user_id": user_id, "scopes": scopes})
        token = answer.json()["access_token"]
        return ZendeskClient("http://acme.zendesk.com", StaticToken(token), self.http, self.clock)


@pytest_asyncio.fixture
async def zendesk() -> AsyncIterator[Zendesk]:
    clock = ManualClock()
    transport = httpx2.ASGITransport(build_app(World(clock)))
    async with httpx2.AsyncClient(transport=transport, base_url="http://acme.zendesk.com") as http:
        assert (await http.post("/_control/accounts", json=SPEC)).status_code == 201
        yield Zendesk(http, clock)


def test_signatures_fit_the_published_vectors() -> None:
    secret = "dGhpc19zZWNyZXRfaXNfZm9yX3Rlc3Rpbmdfb25seQ=="

    assert sign(secret, "2026-01-02T03:04:05Z", b'{"ticket_id":"35436"}') == (
        "U/q5LXJzAOpARZCvSd07gpm5GplExocX4GqVPqpm+eM="
    )


async def test_lists_page_by_cursor_and_by_number(zendesk: Zendesk) -> None:
    admin = await zendesk.client(1)

    assert [u.id for u in await admin.users.agents()] == [1, 2]
    assert [g.id for g in await admin.groups.all()] == [20, 21]
    assert {(m.user_id, m.group_id) for m in await admin.memberships.all()} == {(1, 20), (2, 20)}
    assert [v.title for v in await admin.views.active()] == ["Waiting"]


async def test_an_assignee_must_be_a_member_of_the_group(zendesk: Zendesk) -> None:
    admin = await zendesk.client(1)
    made = (
        await zendesk.http.post(
            "/_control/acme/tickets", json={"create": [{"requester_id": 3, "group_id": 21}]}
        )
    ).json()
    (ticket_id,) = made["created"]

    with pytest.raises(RecordInvalidError) as caught:
        await admin.tickets.update(ticket_id, {"assignee_id": 2, "group_id": 21})
    assert caught.value.details == ("assignee",)
    updated = await admin.tickets.update(ticket_id, {"assignee_id": 2, "group_id": 20})

    assert (updated.status, updated.assignee_id, updated.group_id) == ("open", 2, 20)


async def test_safe_update_refuses_the_second_of_two_writers(zendesk: Zendesk) -> None:
    from datetime import timedelta

    admin = await zendesk.client(1)
    (ticket_id,) = (
        await zendesk.http.post("/_control/acme/tickets", json={"create": [{"requester_id": 3}]})
    ).json()["created"]
    read = await admin.tickets.show(ticket_id)
    zendesk.clock.advance(timedelta(seconds=5))

    await admin.tickets.update(ticket_id, {"priority": "high"}, read_at=read.updated_at)

    with pytest.raises(UpdateConflictError):
        await admin.tickets.update(ticket_id, {"priority": "low"}, read_at=read.updated_at)


async def test_agents_may_not_change_other_agents_and_scopes_bind(zendesk: Zendesk) -> None:
    agent = await zendesk.client(2)
    reader = await zendesk.client(1, ("read",))

    with pytest.raises(ForbiddenError):
        await agent.users.set_user_fields(1, {"x": 1})
    with pytest.raises(ForbiddenError):
        await reader.users.set_user_fields(2, {"x": 1})
    with pytest.raises(InvalidTokenError):
        await ZendeskClient("http://acme.zendesk.com", StaticToken("no"), zendesk.http).users.show(1)


async def test_deletion_goes_ticket_first_then_user_and_leaves_a_tombstone(zendesk: Zendesk) -> None:
    from datetime import timedelta

    admin = await zendesk.client(1)
    (ticket_id,) = (
        await zendesk.http.post(
            "/_control/acme/tickets", json={"create": [{"requester_id": 3, "subject": "help"}]}
        )
    ).json()["created"]

    with pytest.raises(RecordInvalidError):
        await admin.user_deletion.delete(3)
    await admin.ticket_deletion.trash(ticket_id)
    job = await admin.jobs.wait(await admin.ticket_deletion.destroy_many([ticket_id]))
    assert job.status == "completed"
    await admin.user_deletion.delete(3)
    assert not (await admin.users.show(3)).active
    await admin.user_deletion.delete_permanently(3)

    with pytest.raises(RecordNotFoundError):
        await admin.users.show(3)
    statuses = await admin.user_deletion.compliance(3)
    assert {s.application for s in statuses if s.action == "complete"} == {"support", "chat", "explore"}
    zendesk.clock.advance(timedelta(minutes=5))
    page = await admin.tickets.changed(Checkpoint(time=1))
    assert [(t.id, t.status, t.scrubbed) for t in page.rows] == [(ticket_id, "deleted", True)]


async def test_the_export_hides_the_last_minute_and_its_cursor_goes_on(zendesk: Zendesk) -> None:
    from datetime import timedelta

    admin = await zendesk.client(1)
    await zendesk.http.post(
        "/_control/acme/tickets", json={"create": [{"requester_id": 3}, {"requester_id": 3}]}
    )

    assert (await admin.tickets.changed(Checkpoint(time=1))).rows == ()
    zendesk.clock.advance(timedelta(minutes=2))
    first = await admin.tickets.changed(Checkpoint(time=1))
    assert [t.id for t in first.rows] == [1, 2]
    assert base64.b64decode(first.checkpoint.cursor).decode().endswith("||2|")
    again = await admin.tickets.changed(first.checkpoint)

    assert again.rows == ()
    assert again.end_of_stream


async def test_oauth_code_with_pkce_and_rotating_refresh(zendesk: Zendesk) -> None:
    verifier = "v" * 60
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    form = {
        "client_id": "setlist",
        "redirect_uri": "http://127.0.0.1/callback",
        "scope": "read write",
        "state": "st",
        "code_challenge": challenge,
        "decision": "allow",
        "user_id": "1",
    }
    answer = await zendesk.http.post("/oauth/authorizations/new", data=form)
    query = parse_qs(urlsplit(answer.headers["location"]).query)
    assert query["state"] == ["st"]
    body = {
        "grant_type": "authorization_code",
        "code": query["code"][0],
        "client_id": "setlist",
        "client_secret": "s3",
        "redirect_uri": "http://127.0.0.1/callback",
    }

    refused = await zendesk.http.post("/oauth/tokens", json={**body, "code_verifier": "wrong"})
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")
    answer = await zendesk.http.post("/oauth/authorizations/new", data=form)
    code = parse_qs(urlsplit(answer.headers["location"]).query)["code"][0]
    pair = await zendesk.http.post("/oauth/tokens", json={**body, "code": code, "code_verifier": verifier})
    assert pair.status_code == 201
    refresh = {"grant_type": "refresh_token", "client_id": "setlist", "client_secret": "s3"}
    refresh["refresh_token"] = pair.json()["refresh_token"]
    assert (await zendesk.http.post("/oauth/tokens", json=refresh)).status_code == 201
    again = await zendesk.http.post("/oauth/tokens", json=refresh)

    assert again.json()["error"] == "invalid_grant"
    dead = {"authorization": f"Bearer {pair.json()['access_token']}"}
    assert (await zendesk.http.get("/api/v2/users/1.json", headers=dead)).status_code == 401


async def test_secure_settings_never_come_back(zendesk: Zendesk) -> None:
    admin = await zendesk.client(1)
    rows = (await zendesk.http.get("/_control/acme/dump")).json()["installations"]

    await admin.installations.set_settings(rows[0]["id"], {"token": "hidden", "title": "x"})

    shown = await zendesk.http.get("/_control/acme/dump")
    assert shown.json()["installations"][0]["settings"]["token"] == "hidden"
    answer = await zendesk.http.get(
        f"/api/v2/apps/installations/{rows[0]['id']}.json",
        headers={"authorization": f"Bearer {await _token(zendesk, 1)}"},
    )
    assert answer.json()["settings"] == {"title": "x"}


async def _token(zendesk: Zendesk, user_id: int) -> str:
    answer = await zendesk.http.post("/_control/acme/tokens", json={"user_id": user_id})
    return str(json.loads(answer.content)["access_token"])
