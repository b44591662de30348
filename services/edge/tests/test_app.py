"""The edge itself: what it refuses, answers and sends along when nobody stands behind it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx2
import pytest
import pytest_asyncio

from services.edge.main import build_app
from services.edge.pages.render import embedded_json
from services.edge.settings import EdgeSettings

CREDENTIALS = {"authorization": "Bearer x", "x-setlist-session": "y"}


@pytest_asyncio.fixture
async def edge() -> AsyncIterator[httpx2.AsyncClient]:
    """The application with no service's address set."""
    app = build_app(EdgeSettings())
    async with app.router.lifespan_context(app):
        transport = httpx2.ASGITransport(app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://edge") as http:
            yield http


async def test_it_lives_and_is_not_ready(edge: httpx2.AsyncClient) -> None:
    assert (await edge.get("/healthz")).json() == {"status": "ok"}
    assert (await edge.get("/readyz")).status_code == 503


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/agents"),
        ("PATCH", "/v1/agents/7/settings"),
        ("POST", "/v1/statuses"),
        ("POST", "/v1/tickets/next"),
        ("GET", "/v1/decisions"),
        ("GET", "/v1/summary"),
        ("POST", "/v1/privacy/requests"),
        ("GET", "/v1/privacy/requests"),
    ],
)
async def test_nobody_gets_in_without_both_credentials(
    edge: httpx2.AsyncClient, method: str, path: str
) -> None:
    bodies = {
        "/v1/agents/7/settings": {"autoplay": True},
        "/v1/statuses": {"statuses": []},
        "/v1/privacy/requests": {"kind": "erasure", "zendesk_user_id": 1},
    }
    body = bodies.get(path) if method != "GET" else None
    for headers in ({}, {"authorization": "Bearer x"}, {"x-setlist-session": "y"}):
        answer = await edge.request(method, path, json=body, headers=headers)
        assert answer.status_code == 401
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_a_missing_service_is_a_problem_with_a_time(edge: httpx2.AsyncClient) -> None:
    answer = await edge.get("/v1/agents", headers=CREDENTIALS)

    assert (answer.status_code, answer.json()["reason"]) == (503, "DEPENDENCY_UNAVAILABLE")
    assert "auth" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"autoplay": "yes"}, "autoplay"),
        ({"rule_id": True}, "rule_id"),
        ({"colour": 1}, "colour"),
    ],
)
async def test_a_bad_setting_is_named(edge: httpx2.AsyncClient, body: dict[str, object], field: str) -> None:
    answer = await edge.patch("/v1/agents/7/settings", json=body, headers=CREDENTIALS)

    assert answer.status_code == 400
    assert [f["field"] for f in answer.json()["fields"]] == [field]


@pytest.mark.parametrize("content", [b"[]", b"{", b"x" * 70_000])
async def test_a_body_that_is_no_small_object_is_refused(edge: httpx2.AsyncClient, content: bytes) -> None:
    answer = await edge.post("/v1/statuses", content=content, headers=CREDENTIALS)

    assert (answer.status_code, answer.json()["reason"]) == (400, "INVALID_REQUEST")


async def test_the_page_opens_inside_zendesk_only(edge: httpx2.AsyncClient) -> None:
    answer = await edge.post("/zendesk/app", data={})

    assert answer.status_code == 400
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["cache-control"] == "no-store"
    assert (await edge.post("/zendesk/app", content=b"token=" + b"x" * 20_000)).status_code == 413
    for no_form in (b"token=\xff", b"token=" + "é".encode(), b"&".join([b"a=1"] * 50)):
        assert (await edge.post("/zendesk/app", content=no_form)).status_code == 400


async def test_a_popup_without_a_ticket_ends_with_a_sentence(edge: httpx2.AsyncClient) -> None:
    answer = await edge.get("/oauth/start")

    assert answer.status_code == 400
    assert "expired" in answer.text


async def test_a_webhook_of_no_account_is_not_passed_on(edge: httpx2.AsyncClient) -> None:
    assert (await edge.post("/zendesk/webhooks/UPPER", content=b"{}")).status_code == 404
    assert (await edge.post("/zendesk/webhooks/acc-1", content=b"{}")).status_code == 400


def test_embedded_json_cannot_end_its_script_element() -> None:
    text = embedded_json({"a": "</script><script>alert(1)</script>&"})

    assert "<" not in text
    assert "&" not in text
