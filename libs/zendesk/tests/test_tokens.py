"""A token that Zendesk refused is replaced once, for everybody who waits."""

import asyncio

import httpx2
import pytest

from libs.zendesk.errors import InvalidTokenError
from libs.zendesk.tests.answering import client, ok
from libs.zendesk.tokens import Access, SharedToken

DEAD = {"error": "invalid_token", "error_description": "The access token provided is expired, revoked"}


class Source:
    """Hands out a newer token each time it is asked to."""

    def __init__(self) -> None:
        self.asked: list[int | None] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.entered = asyncio.Event()
        self.trouble: Exception | None = None
        self.version = 1

    async def access(self, known_version: int | None = None) -> Access:
        self.asked.append(known_version)
        self.entered.set()
        await self.gate.wait()
        if self.trouble is not None:
            raise self.trouble
        self.version = max(self.version, (known_version or 0) + 1)
        return Access(f"token-{self.version}", self.version)


class Zendesk:
    """Accepts one token."""

    def __init__(self, alive: str) -> None:
        self.alive = alive
        self.seen: list[str] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.seen.append(request.headers["authorization"])
        if request.headers["authorization"] == f"Bearer {self.alive}":
            return ok()
        return httpx2.Response(401, json=DEAD)


async def test_a_dead_token_is_asked_for_anew_once_whatever_the_call() -> None:
    source, zendesk = Source(), Zendesk("token-2")

    await client(zendesk, source).tickets.update(7, {"status": "open"})

    assert source.asked == [None, 1]
    assert zendesk.seen == ["Bearer token-1", "Bearer token-2"]


async def test_a_second_refusal_is_told() -> None:
    source, zendesk = Source(), Zendesk("another")

    with pytest.raises(InvalidTokenError) as caught:
        await client(zendesk, source).tickets.show(7)

    assert (caught.value.error, caught.value.done, len(zendesk.seen)) == ("invalid_token", False, 2)


async def test_a_hundred_callers_at_expiry_ask_once() -> None:
    source, zendesk = Source(), Zendesk("token-2")
    one = client(zendesk, SharedToken(source))
    await asyncio.gather(*(one.tickets.show(7) for _ in range(100)))

    assert source.asked == [None, 1]


async def test_callers_share_a_failure_too() -> None:
    source = Source()
    tokens = SharedToken(source)
    first = await tokens.access()
    source.trouble = ConnectionError("auth is away")
    source.gate.clear()
    source.entered.clear()
    callers = [asyncio.create_task(tokens.access(first.version)) for _ in range(20)]
    await source.entered.wait()
    source.gate.set()
    ends = await asyncio.gather(*callers, return_exceptions=True)

    assert {type(e) for e in ends} == {ConnectionError}
    assert source.asked == [None, 1]
    source.trouble = None
    assert (await tokens.access(first.version)).version == 2


async def test_a_caller_who_goes_away_takes_nobody_with_him() -> None:
    source = Source()
    tokens = SharedToken(source)
    source.gate.clear()
    leaver, stayer = (asyncio.create_task(tokens.access()) for _ in range(2))
    await source.entered.wait()
    leaver.cancel()
    source.gate.set()

    assert (await stayer).version == 1
    with pytest.raises(asyncio.CancelledError):
        await leaver
    assert source.asked == [None]


def test_a_token_is_in_no_repr() -> None:
    assert "geheim" not in repr(Access("geheim", 1))
