"""The transport retries what is safe, obeys the rate limits and names what went wrong."""

from collections.abc import Callable
from datetime import UTC, datetime

import httpx2
import pytest

from libs.zendesk.budget import RateBudget, retry_after
from libs.zendesk.client import ZendeskClient
from libs.zendesk.errors import (
    ForbiddenError,
    InvalidTokenError,
    RecordInvalidError,
    RecordNotFoundError,
    TooManyRequestsError,
    UpdateConflictError,
    ZendeskUnavailableError,
)
from libs.zendesk.tokens import Access, StaticToken

TICKET = {
    "id": 7,
    "status": "open",
    "subject": "secret text",
    "created_at": "2026-01-05T09:00:00Z",
    "updated_at": "2026-01-05 09:30:00 +00:00",
    "requester_id": 3,
    "custom_fields": [{"id": 9, "value": "x"}],
}


def client(answer: Callable[[httpx2.Request], httpx2.Response], tokens: object = None) -> ZendeskClient:
    pool = httpx2.AsyncClient(transport=httpx2.MockTransport(answer))
    return ZendeskClient("https://acme.zendesk.com", tokens or StaticToken("t"), pool)  # type: ignore[arg-type]  # a duck


async def test_a_ticket_keeps_ids_and_times_but_no_text() -> None:
    ticket = await client(lambda _: httpx2.Response(200, json={"ticket": TICKET})).tickets.show(7)

    assert ticket.updated_at == datetime(2026, 1, 5, 9, 30, tzinfo=UTC)
    assert ticket.custom_fields == {9: "x"}
    assert "secret" not in repr(ticket)


@pytest.mark.parametrize(
    ("status", "body", "kind", "code"),
    [
        (404, {"error": "RecordNotFound", "description": "Not found"}, RecordNotFoundError, "RecordNotFound"),
        (403, {"error": {"title": "Forbidden", "message": "…"}}, ForbiddenError, "Forbidden"),
        (422, {"error": "RecordInvalid", "details": {"base": [{}]}}, RecordInvalidError, "RecordInvalid"),
        (409, {"error": "UpdateConflict"}, UpdateConflictError, "UpdateConflict"),
        (400, {"errors": [{"code": "InvalidCursor", "title": "t"}]}, RecordInvalidError, "InvalidCursor"),
    ],
)
async def test_every_spelling_of_an_error_is_read(
    status: int, body: dict[str, object], kind: type[Exception], code: str
) -> None:
    with pytest.raises(kind) as caught:
        await client(lambda _: httpx2.Response(status, json=body)).tickets.show(7)

    assert caught.value.error == code  # type: ignore[attr-defined]  # every kind is a ZendeskError
    assert caught.value.route == "GET tickets/{id}"  # type: ignore[attr-defined]  # the same


async def test_reading_is_repeated_after_a_503_and_a_lost_connection() -> None:
    calls = 0

    def answer(request: httpx2.Request) -> httpx2.Response:
        nonlocal calls
        calls += 1
        if calls == 1:
            return httpx2.Response(503, headers={"retry-after": "0"}, json={})
        if calls == 2:
            raise httpx2.ReadError("cut", request=request)
        return httpx2.Response(200, json={"ticket": TICKET})

    assert (await client(answer).tickets.show(7)).id == 7
    assert calls == 3


async def test_a_write_of_unknown_outcome_is_never_repeated_blindly() -> None:
    calls = 0

    def answer(request: httpx2.Request) -> httpx2.Response:
        nonlocal calls
        calls += 1
        raise httpx2.ReadError("cut", request=request)

    with pytest.raises(ZendeskUnavailableError) as caught:
        await client(answer).tickets.update(7, {"status": "open"})

    assert caught.value.done is None
    assert calls == 1


async def test_a_write_is_repeated_after_429_which_did_nothing() -> None:
    statuses = iter([429, 200])

    def answer(_: httpx2.Request) -> httpx2.Response:
        status = next(statuses)
        return httpx2.Response(status, headers={"retry-after": "0"}, json={"ticket": TICKET})

    assert (await client(answer).tickets.update(7, {"status": "open"})).id == 7


async def test_patience_ends() -> None:
    with pytest.raises(TooManyRequestsError):
        await client(lambda _: httpx2.Response(429, headers={"retry-after": "3600"}, json={})).tickets.show(7)


async def test_a_dead_token_is_asked_for_anew_once() -> None:
    asked: list[int | None] = []

    class Supply:
        async def access(self, known_version: int | None = None) -> Access:
            asked.append(known_version)
            return Access(f"token-{len(asked)}", len(asked))

    def answer(request: httpx2.Request) -> httpx2.Response:
        if request.headers["authorization"] == "Bearer token-1":
            return httpx2.Response(401, json={"error": "invalid_token"})
        return httpx2.Response(200, json={"ticket": TICKET})

    await client(answer, Supply()).tickets.show(7)
    assert asked == [None, 1]

    with pytest.raises(InvalidTokenError):
        await client(lambda _: httpx2.Response(401, json={"error": "invalid_token"}), Supply()).tickets.show(
            7
        )


async def test_cursor_pages_are_walked_to_the_end() -> None:
    def answer(request: httpx2.Request) -> httpx2.Response:
        after = request.url.params.get("page[after]")
        row = {"id": 2 if after else 1, "name": "g"}
        meta = {"has_more": not after, "after_cursor": "c1"}
        return httpx2.Response(200, json={"groups": [row], "meta": meta})

    assert [g.id for g in await client(answer).groups.all()] == [1, 2]


def test_the_budget_waits_while_nothing_is_left() -> None:
    now = 100.0
    budget = RateBudget(lambda: now)
    budget.learn({"ratelimit-remaining": "0", "ratelimit-reset": "7"})
    budget.learn({"zendesk-ratelimit-tickets-index": "total=100; remaining=0; resets=17"})

    assert budget.wait_seconds() == 7
    assert budget.wait_seconds("tickets-index") == 17
    now = 118.0
    assert budget.wait_seconds("tickets-index") == 0


def test_retry_after_is_read_as_seconds_or_as_a_date() -> None:
    assert retry_after({"retry-after": "12"}) == 12
    assert retry_after({"retry-after": "Thu, 01 Jan 1970 00:00:00 GMT"}) == 0
    assert retry_after({"retry-after": "soon"}) is None
    assert retry_after({}) is None
