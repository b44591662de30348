"""A connection ends by its age, and no call with it: the bound of a root or an identity that was taken back."""

import asyncio
from typing import Any

from libs.rpc.server import Limits
from libs.rpc.tests.probe import MINE, Request, ask, serve

REQUEST = Request(parent=MINE)
ENOUGH_SECONDS = 15.0


async def test_a_client_connects_anew_and_no_call_fails() -> None:
    sources: set[str] = set()

    async def behave(request: Any, context: Any) -> str:
        sources.add(context.peer())
        return "hello"

    async with serve(behave, limits=Limits(connection_age_seconds=1)) as rpc:
        channel, token = rpc.channel(), rpc.token()
        async with asyncio.timeout(ENOUGH_SECONDS):
            while len(sources) < 3:
                assert await ask(channel, "Read", REQUEST, metadata=token) == ["hello"]


async def test_without_an_age_the_connection_stays() -> None:
    sources: set[str] = set()

    async def behave(request: Any, context: Any) -> str:
        sources.add(context.peer())
        return "hello"

    async with serve(behave) as rpc:
        for _ in range(200):
            await ask(rpc.channel(), "Read", REQUEST, metadata=rpc.token())

    assert len(sources) == 1
