"""Conformance of the port `Store`, over memory and SQL."""

import asyncio
import secrets
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from libs.crypto.errors import InvalidCiphertextError
from libs.db.engine import Database
from libs.kernel.ids import AccountId, UserId
from services.auth.adapters.sql.store import SqlStore
from services.auth.app.ports import Sealer
from services.auth.domain.authorization import Authorization
from services.auth.domain.installation import Installation, InstallationState
from services.auth.domain.session import IDLE, MARGIN, Session
from services.auth.tests.integration.conftest import NOW, Backend, NewInstallation

pytestmark = pytest.mark.integration


def session_of(account: AccountId, token_hash: bytes) -> Session:
    return Session(account, token_hash, 55, UserId(7), 0, NOW, NOW)


async def test_bind_keeps_the_first_and_finds_it_again(backend: Backend, new: NewInstallation) -> None:
    first = new()
    later = replace(first, account=AccountId(f"{first.account}-x"), created_at=NOW + timedelta(days=1))

    assert await backend.store.bind(first) == first
    assert await backend.store.bind(later) == first
    async with backend.store.transaction(later.account) as tx:
        assert await tx.installations.get() is None


async def test_two_at_once_bind_one(backend: Backend, new: NewInstallation) -> None:
    first = new()
    rivals = [replace(first, account=AccountId(f"{first.account}-{n}")) for n in range(5)]

    bound = await asyncio.gather(*(backend.store.bind(rival) for rival in rivals))

    assert len({installation.account for installation in bound}) == 1


@pytest.mark.parametrize("change", [{"app_id": 1}, {"installation_id": 1}, {"subdomain": "other"}])
async def test_app_subdomain_and_installation_together_are_the_key(
    backend: Backend, new: NewInstallation, change: dict[str, object]
) -> None:
    first = new()
    await backend.store.bind(first)
    other = replace(first, account=AccountId(f"{first.account}-y"), **change)  # type: ignore[arg-type]  # fields

    bound = await backend.store.bind(replace(other, subdomain=f"{other.subdomain}{first.installation_id}"))

    assert bound.account == other.account


async def test_a_key_is_used_once_whoever_comes(backend: Backend) -> None:
    key, until = secrets.token_bytes(32), NOW + timedelta(minutes=5)

    results = await asyncio.gather(*(backend.store.use_once(key, until) for _ in range(5)))

    assert sorted(results) == [False] * 4 + [True]
    assert not await backend.store.use_once(key, until)
    assert await backend.store.use_once(secrets.token_bytes(32), until)


async def test_an_exception_rolls_everything_back(backend: Backend, new: NewInstallation) -> None:
    first = await backend.store.bind(new())
    with pytest.raises(RuntimeError, match="no"):  # noqa: PT012 - the whole transaction raises
        async with backend.store.transaction(first.account) as tx:
            await tx.installations.put(replace(first, generation=9))
            await tx.sessions.add(session_of(first.account, b"h"))
            await tx.audit.record("user:7", "a", "ok", {}, NOW)
            raise RuntimeError("no")

    async with backend.store.transaction(first.account) as tx:
        assert await tx.installations.get() == first
        assert await tx.sessions.get(b"h") is None
        assert await tx.audit.page(0, 10) == []


async def test_installations_are_paged_in_order_and_by_state(backend: Backend, new: NewInstallation) -> None:
    made = [await backend.store.bind(new()) for _ in range(4)]
    async with backend.store.transaction(made[1].account) as tx:
        await tx.installations.put(replace(made[1], state=InstallationState.AUTHORIZED))
    before = AccountId(made[0].account[:-1])

    page = await backend.store.installations(before, 100, None)
    mine = [i for i in page if i in made or i.account == made[1].account]
    assert [i.account for i in mine] == [i.account for i in made]
    assert [i.account for i in await backend.store.installations(made[0].account, 2, None)] == [
        i.account for i in made[1:3]
    ]
    authorized = await backend.store.installations(before, 100, InstallationState.AUTHORIZED)
    assert [i.account for i in authorized if i.account in {m.account for m in made}] == [made[1].account]


async def test_a_sweep_takes_what_ended_and_nothing_else(backend: Backend, new: NewInstallation) -> None:
    account = (await backend.store.bind(new())).account
    now = NOW + timedelta(days=365)
    ended, living = now - MARGIN - timedelta(seconds=1), now - MARGIN
    old, young = secrets.token_bytes(32), secrets.token_bytes(32)
    await backend.store.use_once(old, ended)
    await backend.store.use_once(young, living)
    async with backend.store.transaction(account) as tx:
        for name, at in (("old", ended), ("young", living)):
            row = Authorization(account, name, name.encode(), b"", b"v", UserId(7), 0, at)
            await tx.authorizations.add(row)
            session = replace(session_of(account, name.encode()), seen_at=at - IDLE, opened_at=at - IDLE)
            await tx.sessions.add(session)

    await backend.store.sweep(now)
    await backend.store.sweep(now)

    assert await backend.store.use_once(old, living)
    assert not await backend.store.use_once(young, living)
    async with backend.store.transaction(account) as tx:
        assert [await tx.authorizations.by_ticket(t) is not None for t in (b"old", b"young")] == [False, True]
        assert [await tx.sessions.get(h) is not None for h in (b"old", b"young")] == [False, True]


async def test_a_sealed_value_opens_in_its_place_alone(sealer: Sealer) -> None:
    place = ("acc-1", "oauth", "grants", "access", "1")
    sealed = await sealer.seal(*place, b"secret")

    assert b"secret" not in sealed
    assert await sealer.open(*place, sealed) == b"secret"
    for moved in (
        ("acc-2", "oauth", "grants", "access", "1"),
        ("acc-1", "oauth", "sessions", "access", "1"),
        ("acc-1", "oauth", "grants", "refresh", "1"),
        ("acc-1", "oauth", "grants", "access", "2"),
    ):
        with pytest.raises(InvalidCiphertextError):
            await sealer.open(*moved, sealed)


@pytest.mark.parametrize(
    "statement",
    ["UPDATE audit_events SET outcome = 'ok'", "DELETE FROM audit_events", "TRUNCATE audit_events"],
)
async def test_the_audit_only_grows_whoever_asks(
    database: Database, new: NewInstallation, statement: str
) -> None:
    account, store = new().account, SqlStore(database)
    async with store.transaction(account) as tx:
        await tx.audit.record("service:auth", "tried", "no", {}, NOW)

    with pytest.raises(DBAPIError, match="append-only"):
        async with database.transaction() as connection:
            await connection.execute(text(statement))

    async with store.transaction(account) as tx:
        assert [row.outcome for row in await tx.audit.page(0, 10)] == ["no"]


async def put(backend: Backend, installation: Installation) -> Installation:
    kept = await backend.store.bind(installation)
    async with backend.store.transaction(kept.account) as tx:
        await tx.installations.put(replace(installation, account=kept.account))
        found = await tx.installations.get()
    assert found is not None
    return found


LONG_AGO = NOW - timedelta(days=400)


@pytest.mark.parametrize(
    ("state", "checked", "gone", "watched"),
    [
        ("unauthorized", None, None, False),
        ("authorized", None, None, True),
        ("authorized", NOW - timedelta(minutes=59), None, False),
        ("authorized", NOW - timedelta(minutes=60), None, True),
        ("authorized", NOW - timedelta(minutes=4), NOW - timedelta(minutes=4), False),
        ("authorized", NOW - timedelta(minutes=5), NOW - timedelta(minutes=5), True),
        ("needs_reauthorization", NOW - timedelta(hours=1), None, True),
        ("revoked", LONG_AGO, LONG_AGO, True),
        ("revoked", LONG_AGO, NOW - timedelta(days=29), False),
        ("revoked", LONG_AGO, None, False),
    ],
)
async def test_what_is_watched(
    backend: Backend,
    new: NewInstallation,
    state: str,
    checked: datetime | None,
    gone: datetime | None,
    watched: bool,
) -> None:
    kept = await put(
        backend,
        replace(new(), state=InstallationState(state), checked_at=checked, gone_since=gone),
    )

    found = await backend.store.claim_watched(NOW, 1000)

    assert (replace(kept, checked_at=NOW) in found) is watched is kept.to_watch(NOW)


async def test_of_many_replicas_one_looks_at_an_installation(backend: Backend, new: NewInstallation) -> None:
    mine = [await put(backend, replace(new(), state=InstallationState.AUTHORIZED)) for _ in range(5)]

    found = await asyncio.gather(*(backend.store.claim_watched(NOW, 3) for _ in range(6)))

    claimed = [i.account for one in found for i in one]
    assert len(claimed) == len(set(claimed))
    assert {i.account for i in mine} <= set(claimed)
    assert not await backend.store.claim_watched(NOW, 1000)


async def test_a_newcomer_is_taken_over_once_and_leaves_nothing(
    backend: Backend, new: NewInstallation
) -> None:
    former = await put(
        backend,
        replace(new(), authorized_at=NOW, state=InstallationState.REVOKED, gone_since=NOW, enabled=False),
    )
    newcomer = await put(backend, replace(new(), subdomain=former.subdomain))
    stranger = await put(backend, replace(new(), authorized_at=NOW))
    async with backend.store.transaction(newcomer.account) as tx:
        await tx.sessions.add(session_of(newcomer.account, b"h" * 32))
        row = Authorization(newcomer.account, "aut", b"t", b"s", b"v", UserId(7), 0, NOW)
        await tx.authorizations.add(row)
    assert list(await backend.store.siblings(newcomer)) == [former]
    assert list(await backend.store.siblings(stranger)) == []
    assert not await backend.store.take_over(former.account, replace(newcomer, generation=5))

    assert [await backend.store.take_over(former.account, newcomer) for _ in range(2)] == [True, False]

    async with backend.store.transaction(former.account) as tx:
        mine = await tx.installations.get()
    assert mine == replace(
        former,
        installation_id=newcomer.installation_id,
        state=InstallationState.UNAUTHORIZED,
        enabled=True,
        gone_since=None,
    )
    async with backend.store.transaction(newcomer.account) as tx:
        assert await tx.installations.get() is None
        assert await tx.sessions.get(b"h" * 32) is None
        assert await tx.authorizations.by_ticket(b"t") is None
    assert (
        await backend.store.bind(replace(newcomer, account=AccountId("acc-late")))
    ).account == former.account
    assert not await backend.store.take_over(former.account, stranger)
