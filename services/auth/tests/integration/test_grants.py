"""Conformance of the port `Grants`: versions guard writers, leases let one refresh at a time."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from libs.kernel.ids import AccountId
from services.auth.domain.grant import Grant, GrantState
from services.auth.tests.integration.conftest import NOW, Backend, NewInstallation

pytestmark = pytest.mark.integration

OK, REFRESHING, UNCERTAIN = GrantState.OK, GrantState.REFRESHING, GrantState.UNCERTAIN
LOST, REVOKED = GrantState.NEEDS_REAUTHORIZATION, GrantState.REVOKED


def pair(account: AccountId, version: int) -> Grant:
    end = NOW + timedelta(minutes=30)
    return Grant(account, version, b"a%d" % version, b"r%d" % version, NOW, end, NOW + timedelta(days=30))


async def held(backend: Backend, new: NewInstallation) -> AccountId:
    """An account with a grant of version 1."""
    account = new().account
    assert await put(backend, pair(account, 1), 0)
    return account


async def put(backend: Backend, grant: Grant, expected: int) -> bool:
    async with backend.store.transaction(grant.account) as tx:
        return await tx.grants.replace(grant, expected_version=expected)


async def get(backend: Backend, account: AccountId) -> Grant:
    async with backend.store.transaction(account) as tx:
        found = await tx.grants.get()
    assert found is not None
    return found


async def take(backend: Backend, account: AccountId, version: int, intent: str) -> GrantState | None:
    async with backend.store.transaction(account) as tx:
        return await tx.grants.take_lease(version, intent, 30.0)


async def mark(
    backend: Backend, account: AccountId, version: int, intent: str, state: GrantState, hold: float = 0.0
) -> bool:
    async with backend.store.transaction(account) as tx:
        return await tx.grants.mark(version, intent, state, hold_seconds=hold)


async def test_a_pair_is_stored_whole(backend: Backend, new: NewInstallation) -> None:
    account = await held(backend, new)
    assert await get(backend, account) == pair(account, 1)

    bare = replace(pair(account, 2), refresh=None, access_expires_at=None, refresh_expires_at=None)
    assert await put(backend, bare, 1)
    assert await get(backend, account) == bare


async def test_a_writer_must_name_the_version_he_replaces(backend: Backend, new: NewInstallation) -> None:
    account = await held(backend, new)

    assert not await put(backend, pair(account, 1), 0)
    assert not await put(backend, pair(account, 3), 2)
    assert not await put(backend, pair(AccountId(f"{account}-none"), 2), 1)

    assert await get(backend, account) == pair(account, 1)


@pytest.mark.parametrize("version", [0, 1])
async def test_of_many_writers_of_one_version_one_wins(
    backend: Backend, new: NewInstallation, version: int
) -> None:
    account = await held(backend, new) if version else new().account

    won = await asyncio.gather(*(put(backend, pair(account, version + 1), version) for _ in range(5)))

    assert sorted(won) == [False] * 4 + [True]


async def test_of_many_takers_one_gets_the_lease(backend: Backend, new: NewInstallation) -> None:
    account = await held(backend, new)

    found = await asyncio.gather(*(take(backend, account, 1, f"int-{n}") for n in range(5)))

    assert [f for f in found if f is not None] == [OK]
    grant = await get(backend, account)
    assert (grant.state, grant.intent) == (REFRESHING, f"int-{found.index(OK)}")


async def test_a_lease_outlives_its_holder_until_its_end(backend: Backend, new: NewInstallation) -> None:
    account = await held(backend, new)
    await take(backend, account, 1, "int-dead")

    await backend.later(account, 29)
    assert await take(backend, account, 1, "int-b") is None
    await backend.later(account, 2)

    assert await take(backend, account, 1, "int-b") is REFRESHING


async def test_a_lease_is_for_the_present_version_of_a_living_grant(
    backend: Backend, new: NewInstallation
) -> None:
    account = await held(backend, new)
    assert await take(backend, account, 2, "int-a") is None
    assert await take(backend, new().account, 1, "int-a") is None

    await take(backend, account, 1, "int-a")
    assert await mark(backend, account, 1, "int-a", LOST)
    assert await take(backend, account, 1, "int-b") is None


async def test_only_the_holder_marks_and_only_once(backend: Backend, new: NewInstallation) -> None:
    account = await held(backend, new)
    assert not await mark(backend, account, 1, "", LOST)
    await take(backend, account, 1, "int-a")

    assert not await mark(backend, account, 1, "int-b", LOST)
    assert not await mark(backend, account, 2, "int-a", LOST)
    assert (await get(backend, account)).state is REFRESHING
    assert await mark(backend, account, 1, "int-a", OK)
    assert not await mark(backend, account, 1, "int-a", LOST)
    assert (await get(backend, account)).state is OK
    assert await take(backend, account, 1, "int-b") is OK


async def test_a_mark_may_hold_the_lease_so_that_nobody_asks_too_early(
    backend: Backend, new: NewInstallation
) -> None:
    account = await held(backend, new)
    await take(backend, account, 1, "int-a")
    assert await mark(backend, account, 1, "int-a", UNCERTAIN, hold=10.0)

    assert await take(backend, account, 1, "int-b") is None
    await backend.later(account, 11)

    assert await take(backend, account, 1, "int-b") is UNCERTAIN


async def test_a_new_pair_ends_the_lease_and_whatever_was_marked(
    backend: Backend, new: NewInstallation
) -> None:
    account = await held(backend, new)
    await take(backend, account, 1, "int-a")
    assert await put(backend, pair(account, 2), 1)
    assert await get(backend, account) == pair(account, 2)
    assert not await mark(backend, account, 2, "int-a", LOST)

    assert await take(backend, account, 2, "int-b") is OK
    await mark(backend, account, 2, "int-b", LOST)
    assert await put(backend, pair(account, 3), 2)
    assert (await get(backend, account)).state is OK


async def test_a_destroyed_pair_leaves_its_number(backend: Backend, new: NewInstallation) -> None:
    account = await held(backend, new)
    await take(backend, account, 1, "int-late")
    for _ in range(2):
        async with backend.store.transaction(account) as tx:
            await tx.grants.delete()

    gone = await get(backend, account)
    assert (gone.version, gone.state, gone.access, gone.refresh) == (2, REVOKED, b"", None)
    assert not await put(backend, pair(account, 2), 1)
    assert not await put(backend, pair(account, 1), 0)
    assert await take(backend, account, 2, "int-b") is None
    assert not await mark(backend, account, 2, "int-late", OK)
    assert await put(backend, pair(account, 3), 2)


async def test_nothing_is_destroyed_where_there_is_nothing(backend: Backend, new: NewInstallation) -> None:
    account = new().account
    async with backend.store.transaction(account) as tx:
        await tx.grants.delete()
        assert await tx.grants.get() is None


async def is_due(backend: Backend, account: AccountId, minutes: float) -> bool:
    return account in await backend.store.due_grants(NOW + timedelta(minutes=minutes), None, 1000)


async def test_a_grant_is_looked_after_ahead_of_its_end_and_when_its_holder_is_gone(
    backend: Backend, new: NewInstallation
) -> None:
    account = await held(backend, new)  # lives 30 minutes
    assert not await is_due(backend, account, 16)
    assert await is_due(backend, account, 20)

    await take(backend, account, 1, "int-a")
    assert not await is_due(backend, account, 20)
    await backend.later(account, 31)
    assert await is_due(backend, account, 0)

    await take(backend, account, 1, "int-b")
    await mark(backend, account, 1, "int-b", UNCERTAIN, hold=10.0)
    assert not await is_due(backend, account, 20)
    await backend.later(account, 11)
    assert await is_due(backend, account, 0)

    await take(backend, account, 1, "int-c")
    await mark(backend, account, 1, "int-c", LOST)
    assert not await is_due(backend, account, 1000)


async def test_what_cannot_be_refreshed_is_not_due(backend: Backend, new: NewInstallation) -> None:
    endless, bare = await held(backend, new), await held(backend, new)
    assert await put(backend, replace(pair(endless, 2), access_expires_at=None), 1)
    assert await put(backend, replace(pair(bare, 2), refresh=None), 1)

    assert not await is_due(backend, endless, 1000)
    assert not await is_due(backend, bare, 1000)


async def test_what_is_due_is_found_page_by_page(backend: Backend, new: NewInstallation) -> None:
    mine = [await held(backend, new) for _ in range(5)]
    then, after = NOW + timedelta(hours=1), None
    found: list[AccountId] = []
    while page := await backend.store.due_grants(then, after, 2):
        assert len(page) <= 2
        found += page
        after = page[-1]

    assert set(mine) <= set(found)
    assert found == sorted(set(found))
