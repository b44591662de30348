"""Conformance of the ports for revocations, signing keys and app tokens, over memory and SQL."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text

from libs.crypto.signer import Signer
from libs.db.engine import Database
from libs.db.notify import Listener
from libs.kernel.ids import AccountId
from services.auth.adapters.memory.store import MemoryStore
from services.auth.adapters.sql.app_tokens import SqlTokensDue
from services.auth.adapters.sql.revocations import CHANNEL, SqlRevocationFeed
from services.auth.adapters.sql.store import SqlStore
from services.auth.app.keep_keys import KeepKeys, schedules
from services.auth.app.key_ports import AppToken, Due, RevocationFeed, StoredKey, TokensDue
from services.auth.app.token_keys import TokenKeys
from services.auth.app.watch_revocations import WatchRevocations
from services.auth.domain.installation import Installation, InstallationState
from services.auth.domain.revocation import FEED_KEPT, PLATFORM, Revocation
from services.auth.domain.signing_key import Phase, SigningKey
from services.auth.tests.house import ISSUER, House
from services.auth.tests.integration.conftest import NOW, Backend, NewInstallation, revoke, sql_sealer

pytestmark = pytest.mark.integration


@pytest.fixture
def feed(backend: Backend) -> RevocationFeed:
    if backend.database is not None:
        return SqlRevocationFeed(backend.database)
    assert isinstance(backend.store, MemoryStore)
    return backend.store.feed


@pytest.fixture
def tokens_due(backend: Backend) -> TokensDue:
    if backend.database is not None:
        return SqlTokensDue(backend.database)
    assert isinstance(backend.store, MemoryStore)
    return backend.store.tokens_due


async def end(feed: RevocationFeed) -> int:
    """Return the newest position: other tests write into the same database."""
    newest = await feed.tail(1)
    return newest[-1].position if newest else 0


async def test_only_a_raised_generation_is_announced(
    backend: Backend, feed: RevocationFeed, new: NewInstallation
) -> None:
    mine = await backend.store.bind(new())
    began = await end(feed)
    async with backend.store.transaction(mine.account) as tx:
        await tx.installations.put(replace(mine, state=InstallationState.AUTHORIZED))
    await revoke(backend.store, mine.account)
    await revoke(backend.store, mine.account)

    told = await feed.after(began, 10)
    assert [(r.position, r.account, r.generation) for r in told] == [
        (began + 1, mine.account, 1),
        (began + 2, mine.account, 2),
    ]
    said = [r async for r in feed.snapshot()]
    assert said[0] == Revocation(began + 2)
    assert Revocation(began + 2, mine.account, 2) in said


async def test_revocations_at_once_get_positions_without_a_gap_in_the_order_of_their_commits(
    backend: Backend, feed: RevocationFeed, new: NewInstallation
) -> None:
    mine = [await backend.store.bind(new()) for _ in range(8)]
    began, seen, last = await end(feed), list[Revocation](), await end(feed)
    work = [asyncio.create_task(revoke(backend.store, one.account)) for one in mine for _ in range(3)]
    while len(seen) < 24:  # a reader that follows closely must not step over a late commit
        async with asyncio.timeout(20):
            more = await feed.after(last, 5)
            await asyncio.sleep(0)  # memory answers without ever letting go of the loop
        seen.extend(more)
        last = more[-1].position if more else last
    await asyncio.gather(*work)

    assert [r.position for r in seen] == list(range(began + 1, began + 25))
    for one in mine:
        assert [r.generation for r in seen if r.account == one.account] == [1, 2, 3]


async def test_a_distrusted_key_is_told_and_stays_in_the_snapshot(
    backend: Backend, feed: RevocationFeed
) -> None:
    async with backend.store.transaction(PLATFORM) as tx:
        ring = await tx.signing_keys.ring("feedtest")
        key = SigningKey("ftk-1", "ES256", Phase.REVOKED, NOW, NOW, NOW)
        assert await tx.signing_keys.change(
            "feedtest", ring.version, moves={}, new=[StoredKey(key, "{}", None)], requested=False
        )
        tx.announcements.distrust("ftk-1")
        tx.announcements.keys_changed()

    told = await feed.tail(2)
    assert [(r.kid, r.key_set_changed) for r in told] == [("ftk-1", True), ("", True)]
    assert any(r.kid == "ftk-1" for r in [r async for r in feed.snapshot()])


async def test_a_ring_changes_by_compare_and_set_and_private_halves_go(backend: Backend) -> None:
    one = StoredKey(SigningKey("rg-1", "ES256", Phase.ACTIVE, NOW, NOW), '{"kid":"rg-1"}', b"sealed-1")
    two = StoredKey(
        SigningKey("rg-2", "EdDSA", Phase.PUBLISHED, NOW + timedelta(seconds=1)),
        '{"kid":"rg-2"}',
        b"sealed-2",
    )
    async with backend.store.transaction(PLATFORM) as tx:
        assert (await tx.signing_keys.ring("ringtest")).version == 0
        assert await tx.signing_keys.change("ringtest", 0, moves={}, new=[one, two], requested=True)
    async with backend.store.transaction(PLATFORM) as tx:
        ring = await tx.signing_keys.ring("ringtest")
        assert not await tx.signing_keys.change("ringtest", 0, moves={}, new=[], requested=False)
    assert (ring.version, ring.requested, list(ring.keys)) == (1, True, [one, two])

    later = NOW + timedelta(days=1)
    moves = {
        "rg-2": replace(two.key, phase=Phase.ACTIVE, activated_at=later),
        "rg-1": replace(one.key, phase=Phase.RETIRING, ended_at=later),
    }

    async def change() -> bool:
        async with backend.store.transaction(PLATFORM) as tx:
            return await tx.signing_keys.change("ringtest", 1, moves=moves, new=[], requested=False)

    assert sorted(await asyncio.gather(*(change() for _ in range(4)))) == [False, False, False, True]
    async with backend.store.transaction(PLATFORM) as tx:
        ring = await tx.signing_keys.ring("ringtest")
        assert await tx.signing_keys.find("rg-2") == ("ringtest", Phase.ACTIVE)
        assert await tx.signing_keys.find("rg-none") is None
    assert (ring.version, ring.requested) == (2, False)
    assert [(k.key, k.public, k.sealed) for k in ring.keys] == [
        (moves["rg-1"], one.public, None),
        (moves["rg-2"], two.public, b"sealed-2"),
    ]


async def test_an_apps_token_is_noted_seen_and_claimed(backend: Backend, new: NewInstallation) -> None:
    mine = await backend.store.bind(new())
    later = NOW + timedelta(minutes=10)
    async with backend.store.transaction(mine.account) as tx:
        assert await tx.app_tokens.get() is None
        assert await tx.app_tokens.claim(NOW, later)
        assert not await tx.app_tokens.claim(NOW, later)
        assert await tx.app_tokens.claim(later, later + timedelta(minutes=10))
        await tx.app_tokens.put(AppToken("tok-1", "ins-1", NOW))
        await tx.app_tokens.seen("tok-other", NOW)
        assert await tx.app_tokens.get() == AppToken("tok-1", "ins-1", NOW)
        await tx.app_tokens.seen("tok-1", later)
        await tx.app_tokens.seen("tok-1", later + timedelta(hours=1))
        assert await tx.app_tokens.get() == AppToken("tok-1", "ins-1", NOW, later)
        assert await tx.app_tokens.claim(NOW, later)  # a new token ended the claim


async def test_which_apps_need_a_token(backend: Backend, tokens_due: TokensDue, new: NewInstallation) -> None:
    day = timedelta(days=1)
    cases: list[tuple[AppToken | None, bool]] = [
        (AppToken("a", "k", NOW - 45 * day, NOW), True),
        (AppToken("b", "k", NOW - 44 * day, NOW), False),
        (AppToken("c", "k", NOW - 2 * day), True),
        (AppToken("d", "k", NOW - day / 2), False),
        (AppToken("e", "bad", NOW, NOW), True),
        (None, True),
    ]
    wanted, others = list[AccountId](), list[AccountId]()
    for token, due in cases:
        mine = await backend.store.bind(new())
        mine = replace(mine, state=InstallationState.AUTHORIZED, authorized_at=NOW - 50 * day)
        async with backend.store.transaction(mine.account) as tx:
            await tx.installations.put(mine)
            if token is not None:
                await tx.app_tokens.put(token)
        (wanted if due else others).append(mine.account)
    what = Due(NOW - 45 * day, NOW - day, frozenset({"bad"}))

    found = await tokens_due.due(what, NOW, 1000)
    assert set(wanted) <= set(found)
    assert not set(others) & set(found)
    assert len(await tokens_due.due(what, NOW, 2)) == 2

    async with backend.store.transaction(wanted[0]) as tx:
        await tx.app_tokens.claim(NOW, NOW + day)
    assert wanted[0] not in await tokens_due.due(what, NOW, 1000)
    later = await tokens_due.due(what, NOW + day, 1000)
    assert later.index(wanted[0]) > max(later.index(account) for account in wanted[1:])


async def _nothing() -> None:
    """No keys to load."""


@contextlib.asynccontextmanager
async def replica(database: Database) -> AsyncIterator[WatchRevocations]:
    """Run one replica's end of the feed; it looks by itself once an hour only."""
    watch = WatchRevocations(SqlRevocationFeed(database), _nothing, poll_seconds=3600.0)
    listening = asyncio.Event()

    def heard(payload: str) -> None:
        listening.set()
        watch.wake(payload)

    tasks = [
        asyncio.create_task(watch.run()),
        asyncio.create_task(Listener(database.url, CHANNEL, heard).listen()),
    ]
    try:
        async with asyncio.timeout(10):
            await listening.wait()
        yield watch
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_what_one_replica_revokes_every_replica_tells_by_a_notice(
    database: Database, new: NewInstallation
) -> None:
    store = SqlStore(database)
    mine = await store.bind(new())
    async with replica(database) as one, replica(database) as two:
        streams = [one.stream(0), two.stream(0)]
        for stream in streams:
            async for message in stream:
                if message.snapshot_end:
                    break
        streams = [one.stream(await end(SqlRevocationFeed(database))) for _ in range(2)]
        streams += [two.stream(0)]
        await revoke(store, mine.account)
        for stream in streams:
            async with asyncio.timeout(10):
                async for message in stream:
                    if message.entry is not None and message.entry.account == mine.account:
                        assert message.entry.generation == 1
                        break


async def test_the_sweep_keeps_the_newest_entry_so_that_positions_never_come_again(
    database: Database, new: NewInstallation
) -> None:
    store, feed = SqlStore(database), SqlRevocationFeed(database)
    mine = await store.bind(new())
    await revoke(store, mine.account)
    await revoke(store, mine.account)
    before = await end(feed)
    async with database.transaction() as connection:
        await connection.execute(text("UPDATE revocations SET at = 'epoch'"))

    await store.sweep(NOW + FEED_KEPT)

    assert [r.position for r in await feed.tail(10)] == [before]
    await revoke(store, mine.account)
    assert await end(feed) == before + 1


async def test_keys_of_the_first_schema_sign_on_and_get_a_successor(database: Database) -> None:
    """A row as revision 0001 wrote it: only the sealed private half."""
    house = House(SqlStore(database), sql_sealer(database))
    async with database.transaction() as connection:
        await connection.execute(text("DELETE FROM signing_keys"))
        await connection.execute(text("DELETE FROM key_rings"))
        for kind in ("installation", "context"):
            old = Signer.generate(f"{kind[:3]}-old")
            sealed = await house.sealer.seal(
                PLATFORM, "signing", "signing_keys", kind, old.kid, old.private_pem()
            )
            await connection.execute(
                text(
                    "INSERT INTO signing_keys (kind, kid, sealed, phase, created_at) "
                    "VALUES (:kind, :kid, :sealed, 'active', :now)"
                ),
                {"kind": kind, "kid": old.kid, "sealed": sealed, "now": NOW},
            )
            await connection.execute(
                text("INSERT INTO key_rings (kind, version, requested) VALUES (:kind, 1, false)"),
                {"kind": kind},
            )
    keys = TokenKeys(ISSUER, house.ids, {}, {})
    keeper = KeepKeys(house.store, house.sealer, keys, house.clock, house.ids, schedules("ES256"))
    await keeper.keep()

    assert keys.signers["context"].kid == "con-old"
    now = house.clock.now()
    token = keys.installation_token(Installation(AccountId("acc-1"), 1, 2, "acme", NOW), now)
    assert keys.read_installation_token(token, now).kid == "ins-old"
    assert len(keys.sets["installation"]) == 2
    house.clock.advance(timedelta(days=31))
    await keeper.keep()
    assert keys.signers["context"].kid != "con-old"
    # Its public half is not lost with the private one, and another replica finds it.
    keys = TokenKeys(ISSUER, house.ids, {}, {})
    await KeepKeys(house.store, house.sealer, keys, house.clock, house.ids, schedules("ES256")).load()
    assert keys.read_installation_token(token, house.clock.now()).kid == "ins-old"
