"""Context tokens are fetched once, used for thirty seconds, and nothing of a stranger's guess is kept."""

import asyncio
from datetime import timedelta

import grpc
import pytest

from libs.clients import context_tokens
from libs.clients.context_tokens import ContextTokens, Person
from libs.clients.tests.auth_service import Auth, running_auth
from libs.kernel.ids import AccountId

ACCOUNT, OTHER = AccountId("acc-1"), AccountId("acc-2")


def asked(auth: Auth) -> list[tuple[str, str, str]]:
    return [(a.account or a.session_token, a.job, a.audience) for a in auth.asked]


async def test_a_job_acts_in_the_services_own_name_and_its_token_is_reused() -> None:
    async with running_auth() as (auth, channels, _):
        tokens = ContextTokens(channels, "policy", auth.clock)
        first = await tokens.job(ACCOUNT, "assignment")
        again = await tokens.job(ACCOUNT, "assignment")
        await tokens.job(ACCOUNT, "privacy")
        await tokens.job(OTHER, "assignment")

    assert first == again
    assert [(k, v.split(" ")[0]) for k, v in first] == [("authorization", "Bearer")]
    assert asked(auth) == [
        ("accounts/acc-1", "policy", "assignment"),
        ("accounts/acc-1", "policy", "privacy"),
        ("accounts/acc-2", "policy", "assignment"),
    ]


async def test_after_half_its_life_a_token_is_fetched_again() -> None:
    async with running_auth() as (auth, channels, _):
        tokens = ContextTokens(channels, "policy", auth.clock)
        first = await tokens.job(ACCOUNT, "assignment")
        auth.clock.advance(timedelta(seconds=29))
        assert await tokens.job(ACCOUNT, "assignment") == first
        auth.clock.advance(timedelta(seconds=1))
        assert await tokens.job(ACCOUNT, "assignment") != first

        auth.clock.advance(timedelta(hours=-1))  # a played day may be set back
        await tokens.job(ACCOUNT, "assignment")

    assert len(auth.asked) == 3


async def test_many_callers_at_once_make_one_request() -> None:
    async with running_auth() as (auth, channels, _):
        tokens = ContextTokens(channels, "policy", auth.clock)
        auth.gate.clear()
        callers = [asyncio.create_task(tokens.job(ACCOUNT, "assignment")) for _ in range(50)]
        auth.gate.set()
        answers = await asyncio.gather(*callers)

    assert len(set(answers)) == 1
    assert len(auth.asked) == 1


async def test_a_caller_that_gives_up_does_not_take_the_others_with_it() -> None:
    async with running_auth() as (auth, channels, _):
        tokens = ContextTokens(channels, "policy", auth.clock)
        auth.gate.clear()
        first, second = (asyncio.create_task(tokens.job(ACCOUNT, "assignment")) for _ in range(2))
        async with asyncio.timeout(5):
            await auth.arrived.wait()
        first.cancel()
        auth.gate.set()
        [(_, token)] = await second

    assert token.startswith("Bearer ")
    assert not tokens._asking


async def test_a_person_has_both_credentials_and_auth_says_which_account() -> None:
    async with running_auth() as (auth, channels, _):
        tokens = ContextTokens(channels, "edge", auth.clock)
        metadata, account = await tokens.person(Person("installation", "session"), "policy")
        again = await tokens.person(Person("installation", "session"), "policy")
        await tokens.person(Person("installation", "another session"), "policy")

    assert account == "acc-9"
    assert again == (metadata, account)
    assert [a.session_token for a in auth.asked] == ["session", "another session"]
    assert {a.job for a in auth.asked} == {""}


async def test_a_refusal_is_not_remembered_and_a_strangers_guesses_leave_nothing() -> None:
    async with running_auth() as (auth, channels, _):
        tokens = ContextTokens(channels, "edge", auth.clock)
        auth.refuses = True
        for number in range(20):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await tokens.person(Person("installation", f"guess {number}"), "policy")
            assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
        assert (len(tokens._cache), len(tokens._asking)) == (0, 0)

        auth.refuses = False
        assert (await tokens.person(Person("installation", "guess 0"), "policy"))[1] == "acc-9"


async def test_the_cache_is_bounded_and_drops_what_was_fetched_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(context_tokens, "_MAXIMUM", 2)
    async with running_auth() as (auth, channels, _):
        tokens = ContextTokens(channels, "policy", auth.clock)
        for account in ("a", "b", "c"):
            await tokens.job(AccountId(account), "assignment")
        assert len(tokens._cache) == 2
        await tokens.job(AccountId("c"), "assignment")
        assert len(auth.asked) == 3
        await tokens.job(AccountId("a"), "assignment")
        assert len(auth.asked) == 4
