"""Replicas racing on PostgreSQL: one refresh upstream, one binding, one use of a signed URL."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import pytest_asyncio
from sqlalchemy import text

from libs.db.engine import Database
from libs.kernel.errors import DependencyUnavailableError
from services.auth.adapters.memory.zendesk import ACCESS_SECONDS, Fault
from services.auth.adapters.sql.store import SqlStore
from services.auth.app.audit_chain import verify_rows
from services.auth.app.keep_keys import KeepKeys, schedules
from services.auth.app.token_keys import TokenKeys
from services.auth.domain.errors import ReauthorizationNeededError
from services.auth.domain.grant import GrantState
from services.auth.domain.installation import Installation, InstallationState
from services.auth.tests.house import ISSUER, TEMPLATE, House
from services.auth.tests.integration.conftest import sql_sealer

pytestmark = pytest.mark.integration

LIFE = timedelta(seconds=ACCESS_SECONDS)


@pytest_asyncio.fixture
async def replicas(database: Database) -> AsyncIterator[list[House]]:
    """Two replicas with pools of their own."""
    other = Database(database.url)
    first = House(SqlStore(database), sql_sealer(database))
    yield [first, first.replica(store=SqlStore(other))]
    await other.close()


async def expired(house: House) -> Installation:
    done = await house.authorized(subdomain=f"race{house.ids.new('s')[-8:]}")
    house.clock.advance(LIFE)
    return done


async def lease_over(database: Database, done: Installation) -> None:
    async with database.transaction() as connection:
        query = "UPDATE grants SET lease_until = lease_until - interval '31 s' WHERE account = :a"
        await connection.execute(text(query), {"a": done.account})


async def test_two_replicas_and_many_callers_cause_exactly_one_refresh(replicas: list[House]) -> None:
    house = replicas[0]
    done = await expired(house)

    got = await asyncio.gather(*(replicas[n % 2].access(done.account) for n in range(20)))

    assert house.zendesk.refreshes == 1
    assert {a.version for a in got} == {2}
    assert {a.token for a in got} == house.zendesk.living(TEMPLATE.format(subdomain=done.subdomain))
    rows = await house.audit(done.account)
    assert [row.action for row in rows].count("grant.refreshed") == 1
    assert verify_rows(done.account, rows) == rows[-1].hash


async def test_the_other_replica_waits_while_one_refreshes(replicas: list[House]) -> None:
    first, second = replicas
    done = await expired(first)
    first.zendesk.gate.clear()
    mine = asyncio.create_task(first.access(done.account))
    await first.zendesk.reached.wait()

    impatient = second.replica(store=second.store, patience_seconds=0.2)
    with pytest.raises(DependencyUnavailableError):
        await impatient.access(done.account)
    first.zendesk.gate.set()

    assert (await mine).version == (await second.access(done.account)).version == 2
    assert first.zendesk.refreshes == 1


@pytest.mark.parametrize("sent", [False, True])
async def test_a_replica_killed_after_its_intent_is_noticed_by_the_other(
    database: Database, replicas: list[House], sent: bool
) -> None:
    first, second = replicas
    done = await first.authorized(subdomain=f"kill{first.ids.new('s')[-8:]}")
    first.zendesk.gate.clear()
    first.zendesk.faults = [Fault.LOST_ANSWER if sent else Fault.LOST_REQUEST]
    dying = asyncio.create_task(first.refresh(done, await first.grant(done.account)))
    await first.zendesk.reached.wait()
    if sent:  # Zendesk acts, the process does not live to see it
        grant = await first.grant(done.account)
        first.zendesk.gate.set()
        first.zendesk.faults = []
        await first.zendesk.refresh(
            TEMPLATE.format(subdomain=done.subdomain), await first.pairs.refresh(grant) or ""
        )
        first.zendesk.gate.clear()
    dying.cancel()
    await asyncio.wait([dying])
    first.zendesk.gate.set()
    assert (await second.grant(done.account)).state is GrantState.REFRESHING
    await lease_over(database, done)

    if sent:
        with pytest.raises(ReauthorizationNeededError):
            await second.access(done.account, known_version=1)
        assert (await second.installation(done.account)).state is InstallationState.NEEDS_REAUTHORIZATION
    else:
        assert (await second.access(done.account, known_version=1)).version == 2


async def test_revocation_and_refresh_at_once_leave_nothing_alive(replicas: list[House]) -> None:
    first, second = replicas
    done = await expired(first)

    await asyncio.gather(
        first.access(done.account),
        second.revoke.installation(done.account, "service:ops"),
        return_exceptions=True,
    )
    await first.access.drain()
    await second.revoke.installation(done.account, "service:ops")

    assert first.zendesk.living(TEMPLATE.format(subdomain=done.subdomain)) == set()
    assert (await first.grant(done.account)).state is GrantState.REVOKED


async def test_many_authorisations_at_once_share_a_small_pool(database: Database) -> None:
    small = Database(database.url, pool_size=2, pool_timeout_seconds=3.0)
    house = House(SqlStore(small), sql_sealer(small))
    try:
        place = f"pool{house.ids.new('s')[-8:]}"
        opened = await house.enter(subdomain=place)
        begun = await asyncio.gather(*(house.authorize.begin(opened.token) for _ in range(12)))
    finally:
        await small.close()

    assert len({ticket for ticket, _ in begun}) == 12


async def test_replicas_that_start_at_once_sign_with_the_same_keys(database: Database) -> None:
    house = House(SqlStore(database), sql_sealer(database))

    made = [TokenKeys(ISSUER, house.ids, {}, {}) for _ in range(3)]
    plans = schedules("ES256")
    keepers = [KeepKeys(house.store, house.sealer, keys, house.clock, house.ids, plans) for keys in made]
    await asyncio.gather(*(keeper.keep() for keeper in keepers))

    for kind in ("installation", "context"):
        assert len({keys.signers[kind].kid for keys in made}) == 1
        assert [len(keys.sets[kind]) for keys in made] == [2, 2, 2]  # the active one and the next
    assert made[0].signers["installation"].kid != made[0].signers["context"].kid


async def test_three_replicas_refresh_one_account_a_thousand_times_with_one_call_each(
    database: Database,
) -> None:
    """Each round every replica wants a newer pair at once; Zendesk, which deletes the old one, is asked once."""
    pools = [Database(database.url, 3) for _ in range(3)]
    first = House(SqlStore(pools[0]), sql_sealer(database))
    three = [first, *(first.replica(store=SqlStore(pool)) for pool in pools[1:])]
    done = await first.authorized(subdomain=f"thousand{first.ids.new('s')[-8:]}")
    base = TEMPLATE.format(subdomain=done.subdomain)

    for version in range(1, 1001):
        got = await asyncio.gather(*(one.access(done.account, known_version=version) for one in three))
        assert {a.version for a in got} == {version + 1}
        assert {a.token for a in got} == first.zendesk.living(base)
        assert first.zendesk.refreshes == version

    async with first.store.transaction(done.account) as tx:
        rows = await tx.audit.page(0, 10_000)
    assert Counter(r.outcome for r in rows if r.action == "grant.refreshed") == {"ok": 1000}
    assert verify_rows(done.account, rows) == rows[-1].hash
    assert (await first.grant(done.account)).state is GrantState.OK
    for pool in pools:
        await pool.close()
