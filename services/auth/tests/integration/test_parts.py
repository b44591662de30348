"""Conformance of the ports `Installations`, `Authorizations`, `Sessions` and `Audit`."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import exc

from libs.crypto.chain import BrokenChainError
from libs.kernel.ids import AccountId, UserId
from services.auth.adapters.memory.rows import DuplicateKeyError
from services.auth.app.audit_chain import verify_rows
from services.auth.domain.authorization import Authorization
from services.auth.domain.installation import InstallationState
from services.auth.domain.session import Session
from services.auth.tests.integration.conftest import NOW, Backend, NewInstallation

pytestmark = pytest.mark.integration

DUPLICATE = (exc.IntegrityError, DuplicateKeyError)
END = NOW + timedelta(minutes=10)


async def test_an_installation_is_stored_whole_and_its_binding_stays(
    backend: Backend, new: NewInstallation
) -> None:
    first = await backend.store.bind(new())
    changed = replace(
        first,
        state=InstallationState.AUTHORIZED,
        enabled=False,
        group_restrictions=(3, 1),
        role_restrictions=(2,),
        scopes=("read", "write"),
        generation=4,
        admin=UserId(2**62),
        contact_name=b"n",
        contact_email=b"e",
        authorized_at=NOW + timedelta(microseconds=1),
    )
    async with backend.store.transaction(first.account) as tx:
        await tx.installations.put(replace(changed, subdomain="evil", app_id=1, installation_id=2))
        assert await tx.installations.get(for_update=True) == changed
    async with backend.store.transaction(first.account) as tx:
        assert await tx.installations.get() == changed


async def test_a_locked_installation_is_read_by_one_after_the_other(
    backend: Backend, new: NewInstallation
) -> None:
    first = await backend.store.bind(new())

    async def count() -> None:
        async with backend.store.transaction(first.account) as tx:
            mine = await tx.installations.get(for_update=True)
            assert mine is not None
            await asyncio.sleep(0)
            await tx.installations.put(replace(mine, generation=mine.generation + 1))

    await asyncio.gather(*(count() for _ in range(5)))

    async with backend.store.transaction(first.account) as tx:
        found = await tx.installations.get()
    assert found is not None
    assert found.generation == 5


def authorization(account: AccountId, name: str = "aut-1") -> Authorization:
    return Authorization(account, name, b"t" + name.encode(), b"", b"v", UserId(7), 3, END)


async def test_an_authorisation_is_found_by_ticket_and_state(backend: Backend, new: NewInstallation) -> None:
    account = new().account
    row = authorization(account)
    async with backend.store.transaction(account) as tx:
        await tx.authorizations.add(row)
        await tx.authorizations.add(authorization(account, "aut-2"))
    started = replace(row, state_hash=b"s", cookie_hash=b"c")
    async with backend.store.transaction(account) as tx:
        assert await tx.authorizations.by_ticket(b"taut-1") == row
        assert await tx.authorizations.by_state(b"s") is None
        await tx.authorizations.put(started)
    async with backend.store.transaction(account) as tx:
        assert await tx.authorizations.by_state(b"s") == started
        await tx.authorizations.put(replace(started, used=True, user=UserId(8), generation=9))
    async with backend.store.transaction(account) as tx:
        assert await tx.authorizations.by_state(b"s") == replace(started, used=True)
        assert await tx.authorizations.by_ticket(b"s") is None


async def test_one_of_many_finds_a_state_unused(backend: Backend, new: NewInstallation) -> None:
    account = new().account
    async with backend.store.transaction(account) as tx:
        await tx.authorizations.add(replace(authorization(account), state_hash=b"s"))

    async def spend() -> bool:
        async with backend.store.transaction(account) as tx:
            row = await tx.authorizations.by_state(b"s")
            assert row is not None
            await tx.authorizations.put(replace(row, used=True))
            return not row.used

    assert sorted(await asyncio.gather(*(spend() for _ in range(5)))) == [False] * 4 + [True]


async def test_a_session_is_kept_touched_and_ended(backend: Backend, new: NewInstallation) -> None:
    account = new().account
    session = Session(account, b"h", 55, UserId(7), 2, NOW, NOW)
    async with backend.store.transaction(account) as tx:
        await tx.sessions.add(session)
        assert await tx.sessions.get(b"h") == session
        await tx.sessions.touch(b"h", NOW + timedelta(minutes=1))
        assert await tx.sessions.get(b"h") == session
        later = NOW + timedelta(minutes=1, seconds=1)
        await tx.sessions.touch(b"h", later)
        assert await tx.sessions.get(b"h") == replace(session, seen_at=later)
        await tx.sessions.touch(b"h", NOW)
        assert await tx.sessions.get(b"h") == replace(session, seen_at=later)
        await tx.sessions.touch(b"none", NOW)
        await tx.sessions.delete(b"h")
        await tx.sessions.delete(b"h")
        assert await tx.sessions.get(b"h") is None


async def test_a_key_is_there_once(backend: Backend, new: NewInstallation) -> None:
    account = new().account
    session = Session(account, b"h", 55, UserId(7), 2, NOW, NOW)
    async with backend.store.transaction(account) as tx:
        await tx.sessions.add(session)
        await tx.authorizations.add(authorization(account))

    with pytest.raises(DUPLICATE):
        async with backend.store.transaction(account) as tx:
            await tx.sessions.add(session)
    with pytest.raises(DUPLICATE):
        async with backend.store.transaction(account) as tx:
            await tx.authorizations.add(authorization(account))


async def test_nothing_of_one_account_is_found_from_another(backend: Backend, new: NewInstallation) -> None:
    mine, other = new().account, new().account
    async with backend.store.transaction(mine) as tx:
        await tx.sessions.add(Session(mine, b"h", 55, UserId(7), 2, NOW, NOW))
        await tx.authorizations.add(replace(authorization(mine), state_hash=b"s"))
        await tx.audit.record("user:7", "a", "ok", {}, NOW)
    async with backend.store.transaction(other) as tx:
        assert await tx.sessions.get(b"h") is None
        assert await tx.authorizations.by_ticket(b"taut-1") is None
        assert await tx.authorizations.by_state(b"s") is None
        assert await tx.audit.page(0, 10) == []
        await tx.sessions.delete(b"h")
        await tx.authorizations.put(replace(authorization(mine), state_hash=b"s", used=True))
    async with backend.store.transaction(mine) as tx:
        assert await tx.sessions.get(b"h") is not None
        row = await tx.authorizations.by_state(b"s")
        assert row is not None
        assert not row.used


async def test_the_audit_is_a_chain_without_gaps_whoever_writes(
    backend: Backend, new: NewInstallation
) -> None:
    account = new().account

    async def record(n: int) -> None:
        async with backend.store.transaction(account) as tx:
            at = NOW + timedelta(microseconds=n)
            await tx.audit.record(f"user:{n}", "grant.refreshed", "ok", {"b": "2", "a": str(n)}, at)

    await asyncio.gather(*(record(n) for n in range(8)))

    async with backend.store.transaction(account) as tx:
        rows = list(await tx.audit.page(0, 100))
        assert [r.sequence for r in await tx.audit.page(3, 2)] == [4, 5]
    assert [row.sequence for row in rows] == list(range(1, 9))
    assert verify_rows(account, rows) == rows[-1].hash
    for forged in (
        [*rows[:2], replace(rows[2], outcome="refused"), *rows[3:]],
        [*rows[:2], replace(rows[2], facts={"a": "9", "b": "2"}), *rows[3:]],
        [*rows[:2], *rows[3:]],
    ):
        with pytest.raises(BrokenChainError) as caught:
            verify_rows(account, forged)
        assert caught.value.position == 2
    with pytest.raises(BrokenChainError):
        verify_rows(AccountId("acc-other"), rows)
