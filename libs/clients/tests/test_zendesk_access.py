"""The account's Zendesk token comes from auth, is used for a minute, and is renewed by auth alone."""

import asyncio
import time
from datetime import timedelta

import pytest

from libs.clients.tests.auth_service import running_auth
from libs.clients.zendesk_access import AuthTokens, ZendeskClients
from libs.kernel.ids import AccountId

ACCOUNT = AccountId("acc-1")


async def test_a_token_is_used_for_a_minute() -> None:
    async with running_auth() as (auth, channels, _):
        tokens = AuthTokens(channels, ACCOUNT, auth.clock)
        first = await tokens.access()
        auth.clock.advance(timedelta(seconds=59))
        assert await tokens.access() == first
        auth.clock.advance(timedelta(seconds=1))
        await tokens.access()

    assert (first.token, first.version) == ("zendesk-1", 1)
    assert auth.access_requests == [0, 0]


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Tokyo"])
async def test_a_token_is_not_used_after_its_end_wherever_the_machine_stands(
    monkeypatch: pytest.MonkeyPatch, zone: str
) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        async with running_auth() as (auth, channels, _):
            auth.access_ends = auth.clock.now() + timedelta(seconds=10)
            tokens = AuthTokens(channels, ACCOUNT, auth.clock)
            await tokens.access()
            auth.clock.advance(timedelta(seconds=9))
            await tokens.access()
            assert len(auth.access_requests) == 1
            auth.clock.advance(timedelta(seconds=1))
            await tokens.access()
            assert len(auth.access_requests) == 2
    finally:
        monkeypatch.undo()
        time.tzset()


async def test_a_token_that_zendesk_refused_is_renewed_once_for_all() -> None:
    async with running_auth() as (auth, channels, _):
        tokens = AuthTokens(channels, ACCOUNT, auth.clock)
        refused = await tokens.access()
        auth.gate.clear()
        callers = [asyncio.create_task(tokens.access(refused.version)) for _ in range(20)]
        auth.gate.set()
        answers = await asyncio.gather(*callers)

    assert {a.version for a in answers} == {2}
    assert auth.access_requests == [0, 1]


async def test_an_account_has_one_client_with_one_budget() -> None:
    async with running_auth() as (auth, channels, _):
        clients = ZendeskClients(channels, "http://127.0.0.1:1/{subdomain}", auth.clock)
        auth.gate.clear()
        callers = [asyncio.create_task(clients.of(ACCOUNT)) for _ in range(5)]
        auth.gate.set()
        first, *others = await asyncio.gather(*callers)
        later = await clients.of(ACCOUNT)
        other = await clients.of(AccountId("acc-2"))
        await clients.close()

    assert all(one is first for one in [*others, later])
    assert other is not first
