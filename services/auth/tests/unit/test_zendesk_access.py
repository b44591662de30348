"""Refreshing: one at a time over all replicas, and safe to be killed at any line (facts: auth §2.4)."""

import asyncio
from datetime import timedelta

import pytest

from libs.kernel.errors import DependencyUnavailableError
from libs.kernel.ids import AccountId
from services.auth.adapters.memory.zendesk import ACCESS_SECONDS, Fault
from services.auth.app.zendesk_access import ZendeskAccess
from services.auth.domain.errors import NotAuthorizedError, ReauthorizationNeededError
from services.auth.domain.grant import HTTP_SECONDS, LEASE_SECONDS, GrantState
from services.auth.domain.installation import InstallationState
from services.auth.tests.house import ADMIN, BASE, House

LIFE = timedelta(seconds=ACCESS_SECONDS)
LEASE_OVER = timedelta(seconds=LEASE_SECONDS + 1)
CALL_OVER = timedelta(seconds=HTTP_SECONDS + 1)


async def expired(house: House) -> AccountId:
    """An account whose access token has just expired."""
    account = (await house.authorized()).account
    house.clock.advance(LIFE)
    return account


async def test_a_living_token_is_handed_out_without_any_call(house: House) -> None:
    account = (await house.authorized()).account

    access = await house.access(account)

    assert (access.version, access.subdomain, house.zendesk.refreshes) == (1, "acme", 0)
    assert access.expires_at == house.clock.now() + LIFE


async def test_many_callers_on_two_replicas_cause_one_refresh(house: House) -> None:
    account = await expired(house)
    replicas = [house, house.replica()]

    got = await asyncio.gather(*(replicas[n % 2].access(account) for n in range(10)))

    assert house.zendesk.refreshes == 1
    assert {(a.token, a.version) for a in got} == {(next(iter(house.zendesk.living(BASE))), 2)}


async def test_a_refused_token_is_refreshed_once_although_it_looks_alive(house: House) -> None:
    account = (await house.authorized()).account
    old = await house.access(account)

    got = await asyncio.gather(*(house.access(account, known_version=old.version) for _ in range(3)))

    assert house.zendesk.refreshes == 1
    assert {a.version for a in got} == {2}


async def test_a_version_that_never_was_asks_for_one_refresh_only(house: House) -> None:
    account = (await house.authorized()).account

    got = await house.access(account, known_version=10**9)

    assert (got.version, house.zendesk.refreshes) == (2, 1)


async def test_a_refresh_is_made_ahead_without_anybody_waiting(house: House) -> None:
    account = (await house.authorized()).account
    house.clock.advance(LIFE * 0.67)
    house.zendesk.gate.clear()

    assert (await house.access(account)).version == 1
    house.zendesk.gate.set()
    await house.access.drain()

    assert (await house.access(account)).version == 2
    assert house.zendesk.refreshes == 1


async def test_a_caller_who_gives_up_does_not_stop_the_refresh(house: House) -> None:
    account = await expired(house)
    house.zendesk.gate.clear()
    caller = asyncio.create_task(house.access(account))
    await house.zendesk.reached.wait()
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller

    house.zendesk.gate.set()
    await house.access.drain()

    assert (await house.access(account)).version == 2
    assert house.zendesk.refreshes == 1


async def test_who_has_no_patience_is_told_to_come_back(house: House) -> None:
    account = await expired(house)
    house.zendesk.gate.clear()
    with pytest.raises(DependencyUnavailableError) as caught:
        await house.replica(patience_seconds=0.1).access(account)
    house.zendesk.gate.set()

    assert caught.value.retry_after_seconds == 1.0


async def test_invalid_grant_needs_a_new_authorisation_and_says_so_everywhere(house: House) -> None:
    account = await expired(house)
    house.zendesk.kill(BASE)

    for _ in range(2):
        with pytest.raises(ReauthorizationNeededError):
            await house.access(account)

    assert house.zendesk.refreshes == 1
    assert (await house.grant(account)).state is GrantState.NEEDS_REAUTHORIZATION
    assert (await house.installation(account)).state is InstallationState.NEEDS_REAUTHORIZATION
    assert ("grant.lost", "needs_reauthorization") in await house.said(account)
    await house.authorized(ADMIN)
    assert (await house.access(account)).version == 2


async def test_a_refresh_that_was_not_sent_costs_nothing_and_is_tried_by_the_next_caller(
    house: House,
) -> None:
    account = await expired(house)
    house.zendesk.faults = [Fault.NOT_SENT]

    with pytest.raises(DependencyUnavailableError):
        await house.access(account)
    assert (await house.grant(account)).state is GrantState.OK

    assert (await house.access(account)).version == 2
    assert house.zendesk.refreshes == 1


async def test_zendesk_away_is_asked_once_per_caller(house: House) -> None:
    account = await expired(house)
    house.zendesk.faults = [Fault.NOT_SENT] * 50

    with pytest.raises(DependencyUnavailableError):
        await house.access(account)

    assert len(house.zendesk.faults) == 49


async def uncertain(house: House, fault: Fault) -> AccountId:
    """An account whose refresh went out and whose answer is lost; its old access token has not expired."""
    account = (await house.authorized()).account
    house.zendesk.faults = [fault]
    with pytest.raises(DependencyUnavailableError):
        await house.replica(patience_seconds=0.1).access(account, known_version=1)
    assert (await house.grant(account)).state is GrantState.UNCERTAIN
    assert ("grant.refresh.uncertain", "uncertain") in await house.said(account)
    return account


@pytest.mark.parametrize("fault", [Fault.LOST_ANSWER, Fault.LOST_REQUEST])
async def test_nobody_asks_before_the_lost_call_can_no_longer_run(house: House, fault: Fault) -> None:
    account = await uncertain(house, fault)

    with pytest.raises(DependencyUnavailableError):
        await house.replica(patience_seconds=0.1).access(account, known_version=1)

    assert (house.zendesk.probes, house.zendesk.refreshes) == (0, 1)


async def test_a_lost_answer_ends_in_a_new_authorisation_never_in_silence(house: House) -> None:
    account = await uncertain(house, Fault.LOST_ANSWER)
    house.clock.advance(CALL_OVER)

    with pytest.raises(ReauthorizationNeededError):
        await house.access(account, known_version=1)

    assert house.zendesk.probes == 1
    assert (await house.installation(account)).state is InstallationState.NEEDS_REAUTHORIZATION


async def test_a_lost_request_is_repeated(house: House) -> None:
    account = await uncertain(house, Fault.LOST_REQUEST)
    house.clock.advance(CALL_OVER)

    access = await house.access(account, known_version=1)

    assert (access.version, house.zendesk.probes, house.zendesk.refreshes) == (2, 1, 2)
    assert {access.token} == house.zendesk.living(BASE)


async def test_an_uncertain_grant_is_looked_after_without_a_caller_who_was_refused(house: House) -> None:
    account = await uncertain(house, Fault.LOST_ANSWER)
    house.clock.advance(CALL_OVER)

    assert (await house.access(account)).version == 1  # may be dead: the caller finds out
    await house.access.drain()

    with pytest.raises(ReauthorizationNeededError):
        await house.access(account)


async def test_recovery_waits_for_an_answer_before_it_spends_the_refresh_token(house: House) -> None:
    account = await uncertain(house, Fault.LOST_REQUEST)
    house.clock.advance(CALL_OVER)
    house.zendesk.away = True
    with pytest.raises(DependencyUnavailableError):
        await house.access(account, known_version=1)
    assert (await house.grant(account)).state is GrantState.UNCERTAIN

    house.zendesk.away = False

    assert (await house.access(account, known_version=1)).version == 2


async def killed(house: House, account: AccountId, *, sent: bool) -> None:
    """Leave what a replica leaves that is killed after its intent, before or after Zendesk acted."""
    grant = await house.grant(account)
    async with house.store.transaction(account) as tx:
        assert await tx.grants.take_lease(grant.version, "int-dead", LEASE_SECONDS) is GrantState.OK
    if sent:
        await house.zendesk.refresh(BASE, await house.pairs.refresh(grant) or "")


async def test_a_replica_killed_before_it_sent_is_replaced_when_its_lease_ends(house: House) -> None:
    account = (await house.authorized()).account
    await killed(house, account, sent=False)
    with pytest.raises(DependencyUnavailableError):
        await house.replica(patience_seconds=0.1).access(account, known_version=1)
    assert (house.zendesk.probes, house.zendesk.refreshes) == (0, 0)

    house.clock.advance(LEASE_OVER)

    assert (await house.access(account, known_version=1)).version == 2
    assert (house.zendesk.probes, house.zendesk.refreshes) == (1, 1)


async def test_a_replica_killed_between_zendesks_answer_and_the_commit_is_noticed(house: House) -> None:
    account = (await house.authorized()).account
    await killed(house, account, sent=True)
    house.clock.advance(LEASE_OVER)

    with pytest.raises(ReauthorizationNeededError):
        await house.access(account, known_version=1)

    assert house.zendesk.probes == 1


async def test_what_the_holder_before_left_is_read_with_the_lease_not_before(house: House) -> None:
    account = (await house.authorized()).account
    installation, stale = await house.installation(account), await house.grant(account)
    await killed(house, account, sent=False)
    house.clock.advance(LEASE_OVER)
    assert stale.state is GrantState.OK

    await house.refresh(installation, stale)

    assert (house.zendesk.probes, house.zendesk.refreshes) == (1, 0)


async def test_a_paused_holder_who_wakes_late_still_stores_the_only_living_pair(house: House) -> None:
    account = (await house.authorized()).account
    house.zendesk.gate.clear()
    paused = asyncio.create_task(house.access(account, known_version=1))
    await house.zendesk.reached.wait()
    grant = await house.grant(account)
    house.clock.advance(LEASE_OVER)
    async with house.store.transaction(account) as tx:  # another replica gave up
        assert await tx.grants.take_lease(1, "int-b", LEASE_SECONDS) is GrantState.REFRESHING
        assert await tx.grants.mark(1, "int-b", GrantState.NEEDS_REAUTHORIZATION)
    await house.refresh._lose(await house.installation(account), grant, "int-c")
    house.zendesk.gate.set()

    access = await paused

    assert access.version == 2
    assert {access.token} == house.zendesk.living(BASE)


async def test_a_late_pair_lifts_the_state_that_was_given_too_early(house: House) -> None:
    account = (await house.authorized()).account
    grant, installation = await house.grant(account), await house.installation(account)
    pair = await house.zendesk.refresh(BASE, await house.pairs.refresh(grant) or "")
    async with house.store.transaction(account) as tx:
        await tx.grants.take_lease(1, "int-b", LEASE_SECONDS)
    await house.refresh._lose(installation, grant, "int-b")
    assert (await house.installation(account)).state is InstallationState.NEEDS_REAUTHORIZATION

    await house.refresh._keep(BASE, grant, "int-a", pair)

    assert (await house.installation(account)).state is InstallationState.AUTHORIZED
    assert (await house.access(account)).token == pair.access


async def test_a_holder_who_lost_the_lease_can_neither_end_it_nor_give_the_grant_up(house: House) -> None:
    account = (await house.authorized()).account
    grant, installation = await house.grant(account), await house.installation(account)
    async with house.store.transaction(account) as tx:
        await tx.grants.take_lease(1, "int-new", LEASE_SECONDS)

    await house.refresh._lose(installation, grant, "int-old")
    await house.refresh._mark(grant, "int-old", GrantState.OK, "not_done")

    assert (await house.grant(account)).state is GrantState.REFRESHING
    assert (await house.installation(account)).state is InstallationState.AUTHORIZED


async def test_a_pair_is_held_while_the_database_is_away(house: House) -> None:
    account = await expired(house)
    house.zendesk.gate.clear()
    caller = asyncio.create_task(house.access(account))
    await house.zendesk.reached.wait()
    house.memory.away = 3
    house.zendesk.gate.set()

    access = await caller

    assert house.memory.away == 0
    assert (access.version, house.zendesk.refreshes) == (2, 1)
    assert {access.token} == house.zendesk.living(BASE)


async def test_a_commit_whose_answer_was_lost_does_not_revoke_its_own_pair(house: House) -> None:
    account = await expired(house)
    grant = await house.grant(account)
    pair = await house.zendesk.refresh(BASE, await house.pairs.refresh(grant) or "")
    newer = await house.pairs.successor(grant, pair, house.clock.now())

    assert await house.refresh._commit(newer, pair.access)
    assert await house.refresh._commit(newer, pair.access)

    assert (await house.access(account)).token == pair.access
    assert [a for a, _ in await house.said(account)].count("grant.refreshed") == 1


async def test_a_revocation_during_a_refresh_wins_and_the_new_pair_dies(house: House) -> None:
    account = (await house.authorized()).account
    house.zendesk.gate.clear()
    caller = asyncio.create_task(house.access(account, known_version=1))
    await house.zendesk.reached.wait()
    await house.revoke.installation(account, "service:ops")
    house.zendesk.gate.set()

    with pytest.raises((NotAuthorizedError, DependencyUnavailableError)):
        await caller
    await house.access.drain()

    assert house.zendesk.living(BASE) == set()
    assert (await house.grant(account)).state is GrantState.REVOKED


async def test_a_pair_that_comes_after_the_revocation_is_not_left_alive(house: House) -> None:
    account = (await house.authorized()).account
    grant = await house.grant(account)
    pair = await house.zendesk.refresh(BASE, await house.pairs.refresh(grant) or "")
    await house.revoke.installation(account, "service:ops")
    assert house.zendesk.living(BASE) == {pair.access}

    await house.refresh._keep(BASE, grant, "int-a", pair)

    assert house.zendesk.living(BASE) == set()
    assert (await house.grant(account)).state is GrantState.REVOKED
    assert ("grant.refreshed", "superseded") in await house.said(account)


async def test_an_answer_without_a_refresh_token_keeps_the_old_one(house: House) -> None:
    account = await expired(house)
    grant = await house.grant(account)
    old = await house.pairs.refresh(grant)
    pair = await house.zendesk.refresh(BASE, old or "")
    newer = await house.pairs.successor(
        grant, type(pair)(pair.access, None, 1800, None, pair.scopes), house.clock.now()
    )

    assert await house.pairs.refresh(newer) == old


async def test_no_grant_is_not_a_lost_grant(house: House) -> None:
    opened = await house.enter()
    for account in (opened.installation.account, AccountId("acc-none")):
        with pytest.raises(NotAuthorizedError):
            await house.access(account)


async def test_a_pair_of_one_account_does_not_open_for_another(house: House) -> None:
    mine = await house.authorized()
    other = await house.authorized(subdomain="other")
    stolen = await house.grant(mine.account)
    async with house.store.transaction(other.account) as tx:
        assert await tx.grants.replace(
            type(stolen)(other.account, 2, stolen.access, stolen.refresh, stolen.issued_at, None, None),
            expected_version=1,
        )

    with pytest.raises(ReauthorizationNeededError, match="cannot be opened"):
        await house.access(other.account)


def test_an_access_shows_no_token() -> None:
    assert "secret" not in repr(ZendeskAccess("secret", 1, None, "acme"))
