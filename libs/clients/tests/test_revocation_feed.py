"""The feed is followed over real gRPC: applied at once, resumed after a cut, begun anew when a snapshot broke off."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from structlog.testing import capture_logs

from libs.clients.channels import Channels
from libs.clients.context_tokens import ContextTokens
from libs.clients.revocation_feed import RevocationFollower
from libs.clients.tests.auth_service import Auth, running_auth
from libs.crypto.revocations import Freshness, Revocations
from libs.kernel.ids import AccountId
from setlist.auth.v1 import auth_service_pb2 as messages

Said = messages.WatchRevocationsResponse
ACCOUNT = AccountId("acc-1")


async def until(true: Callable[[], bool]) -> None:
    """Wait for a condition."""
    async with asyncio.timeout(10):
        while not true():  # noqa: ASYNC110 - what is waited for is no event of ours
            await asyncio.sleep(0.005)


@contextlib.asynccontextmanager
async def following(
    known: Revocations, *, silence_seconds: float = 10.0
) -> AsyncIterator[tuple[Auth, Channels]]:
    async with running_auth() as (auth, channels, _):
        follower = RevocationFollower(channels, known, silence_seconds=silence_seconds)
        task = asyncio.create_task(follower.follow())
        try:
            yield auth, channels
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            for stream in auth.streams:
                stream.put_nowait(None)


async def test_a_snapshot_its_mark_and_what_follows() -> None:
    known = Revocations()
    async with following(known) as (auth, _):
        stream = await auth.stream()
        stream.put_nowait(Said(position=7, account="accounts/acc-1", generation=3))
        stream.put_nowait(Said(position=7, distrusted_key="old", key_set_changed=True))
        await until(lambda: "old" in known.distrusted)
        assert (known.begun, known.position, known.generation(ACCOUNT)) == (False, 0, 3)

        stream.put_nowait(Said(position=7, snapshot_end=True))
        await until(lambda: known.begun)
        stream.put_nowait(Said(position=8, account="accounts/acc-1", generation=4))
        stream.put_nowait(Said(position=8))
        await until(lambda: known.position == 8)

    assert known.generation(ACCOUNT) == 4
    assert auth.watched[0] == 0


async def test_after_a_cut_it_goes_on_where_it_was() -> None:
    known = Revocations()
    async with following(known) as (auth, _):
        first = await auth.stream()
        first.put_nowait(Said(position=7, snapshot_end=True))
        first.put_nowait(Said(position=9, account="accounts/acc-1", generation=1))
        first.put_nowait(None)

        second = await auth.stream()
        second.put_nowait(Said(position=9, snapshot_end=True))
        second.put_nowait(Said(position=10, account="accounts/acc-1", generation=2))
        await until(lambda: known.generation(ACCOUNT) == 2)

    assert auth.watched[:2] == [0, 9]


async def test_a_snapshot_that_broke_off_is_begun_anew() -> None:
    known = Revocations()
    async with following(known) as (auth, _):
        first = await auth.stream()
        first.put_nowait(Said(position=7, account="accounts/acc-1", generation=1))
        first.put_nowait(None)
        await auth.stream()

    assert not known.begun
    assert auth.watched[:2] == [0, 0]


async def test_a_stream_that_falls_silent_is_opened_anew() -> None:
    known = Revocations()
    async with following(known, silence_seconds=0.2) as (auth, _):
        (await auth.stream()).put_nowait(Said(position=7, snapshot_end=True))
        await auth.stream()

    assert auth.watched[:2] == [0, 7]


async def test_after_a_restored_database_what_it_counts_anew_is_not_taken_for_known() -> None:
    known = Revocations()
    async with following(known) as (auth, _):
        first = await auth.stream()
        first.put_nowait(Said(position=1000, snapshot_end=True))
        first.put_nowait(None)
        second = await auth.stream()  # the backup ends at 900: a snapshot
        second.put_nowait(Said(position=900, snapshot_end=True))
        second.put_nowait(Said(position=901, account="accounts/acc-1", generation=1))
        second.put_nowait(None)
        await auth.stream()

    assert auth.watched[:3] == [0, 1000, 901]


async def test_a_stream_that_ends_with_its_connection_alarms_nobody_and_a_cut_does_until_it_is_over() -> None:
    known = Revocations()

    def told() -> list[str]:
        return [line["event"].rpartition(" ")[2] for line in lines if "revocation feed" in line["event"]]

    with capture_logs() as lines:
        async with following(known, silence_seconds=0.3) as (auth, _):
            (await auth.stream()).put_nowait(Said(position=7, snapshot_end=True))
            (await auth.stream()).put_nowait(Said(position=7, snapshot_end=True))  # after one silence
            for _ in range(3):  # silent, and silent again from its beginning
                stream = await auth.stream()
            assert told() == ["cut"]

            stream.put_nowait(Said(position=7, snapshot_end=True))
            await until(lambda: told() == ["cut", "back"])


async def test_an_auth_that_is_gone_makes_the_knowledge_stale_and_nothing_else() -> None:
    seconds = 0.0
    known = Revocations(lambda: seconds)
    async with following(known) as (auth, _):
        (await auth.stream()).put_nowait(Said(position=7, snapshot_end=True))
        await until(lambda: known.begun)
    seconds += 60

    assert known.freshness is Freshness.STALE
    assert known.position == 7


async def test_a_context_token_of_a_dead_generation_is_not_used_again() -> None:
    known = Revocations()
    async with running_auth() as (auth, channels, _):
        tokens = ContextTokens(channels, "policy", auth.clock, known)
        first = await tokens.job(ACCOUNT, "policy")
        assert await tokens.job(ACCOUNT, "policy") == first

        known.raise_generation(AccountId("acc-2"), 9)
        assert await tokens.job(ACCOUNT, "policy") == first
        known.raise_generation(ACCOUNT, 2)
        auth.generation = 2
        fresh = await tokens.job(ACCOUNT, "policy")

        assert fresh != first
        assert await tokens.job(ACCOUNT, "policy") == fresh
        assert len(auth.asked) == 2


async def test_what_ends_while_a_token_is_fetched_leaves_nothing_cached() -> None:
    known = Revocations()
    async with running_auth() as (auth, channels, _):
        tokens = ContextTokens(channels, "policy", auth.clock, known)
        auth.gate.clear()
        asking = asyncio.create_task(tokens.job(ACCOUNT, "policy"))
        await auth.arrived.wait()
        known.raise_generation(ACCOUNT, 0)  # a session ended
        auth.gate.set()
        first = await asking

        assert await tokens.job(ACCOUNT, "policy") != first
