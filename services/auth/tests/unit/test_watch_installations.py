"""An app that is removed at Zendesk is noticed, confirmed, ended, and after its time destroyed."""

from dataclasses import replace
from datetime import timedelta

import pytest

from libs.kernel.ids import AccountId
from services.auth.app.ports import RemoteInstallation
from services.auth.domain.errors import NotAuthorizedError, ReauthorizationNeededError
from services.auth.domain.grant import GrantState
from services.auth.domain.installation import (
    ABANDONED_AFTER,
    ASK_EVERY,
    CONFIRM_AFTER,
    ERASE_AFTER,
    InstallationState,
)
from services.auth.tests.house import BASE, House
from services.auth.tests.signed_urls import INSTALLATION

PLACE = (BASE, INSTALLATION)


async def authorized(house: House) -> AccountId:
    return (await house.authorized()).account


async def watch(house: House, after: timedelta) -> int:
    """Look after some time; the access token is refreshed ahead meanwhile, as it is in a process."""
    house.clock.advance(after)
    await house.ahead.once()
    return await house.installations_watch.once()


async def test_an_installation_is_looked_at_once_an_hour_and_what_changed_is_kept(house: House) -> None:
    account = await authorized(house)
    assert await watch(house, ASK_EVERY - timedelta(seconds=1)) == 0
    house.zendesk.shown = RemoteInstallation(False, (7, 8), (31,))

    assert [await watch(house, timedelta(seconds=1)), await watch(house, timedelta(seconds=1))] == [1, 0]

    mine = await house.installation(account)
    assert (mine.enabled, mine.group_restrictions, mine.role_restrictions) == (False, (7, 8), (31,))
    assert (mine.state, mine.checked_at) == (
        InstallationState.AUTHORIZED,
        house.clock.now() - timedelta(seconds=1),
    )
    await watch(house, ASK_EVERY)
    assert [action for action, _ in await house.said(account)].count("installation.changed") == 1


async def test_a_removed_app_ends_when_it_is_missed_twice(house: House) -> None:
    account = await authorized(house)
    token, generation = (
        house.token_of(await house.installation(account)),
        (await house.installation(account)).generation,
    )
    house.zendesk.uninstalled.add(PLACE)

    await watch(house, ASK_EVERY)
    assert (await house.installation(account)).state is InstallationState.AUTHORIZED
    assert await watch(house, CONFIRM_AFTER - timedelta(seconds=1)) == 0
    await watch(house, timedelta(seconds=1))

    ended = await house.installation(account)
    assert (ended.state, ended.generation) == (InstallationState.REVOKED, generation + 1)
    assert house.zendesk.living(BASE) == set()
    assert (await house.grant(account)).state is GrantState.REVOKED
    assert await house.verify(token) is None
    with pytest.raises(NotAuthorizedError):
        await house.access(account)
    assert [said for said in await house.said(account) if said[0].startswith("installation.")][-2:] == [
        ("installation.missed", "missing"),
        ("installation.ended", "uninstalled"),
    ]


async def test_one_wrong_answer_ends_nothing(house: House) -> None:
    account = await authorized(house)
    house.zendesk.uninstalled.add(PLACE)
    await watch(house, ASK_EVERY)
    house.zendesk.uninstalled.clear()

    await watch(house, CONFIRM_AFTER)

    mine = await house.installation(account)
    assert (mine.state, mine.gone_since) == (InstallationState.AUTHORIZED, None)
    assert (await house.access(account)).token in house.zendesk.living(BASE)


async def test_zendesk_away_says_nothing_about_the_app(house: House) -> None:
    account = await authorized(house)
    house.zendesk.away = True

    assert await watch(house, ASK_EVERY) == 1
    assert await watch(house, CONFIRM_AFTER) == 0

    mine = await house.installation(account)
    assert (mine.state, mine.gone_since) == (InstallationState.AUTHORIZED, None)


async def test_an_account_that_zendesk_does_not_know_any_more_ends_although_nobody_can_be_told(
    house: House,
) -> None:
    account = await authorized(house)
    house.zendesk.closed.add(BASE)

    await watch(house, ASK_EVERY)
    await watch(house, CONFIRM_AFTER)

    assert (await house.installation(account)).state is InstallationState.REVOKED
    assert ("installation.ended", "account_gone") in await house.said(account)


async def test_a_grant_that_was_revoked_at_zendesk_is_told_at_once_and_ends_the_app_when_nobody_comes(
    house: House,
) -> None:
    account = await authorized(house)
    house.zendesk.kill(BASE)

    await watch(house, ASK_EVERY)
    assert (await house.installation(account)).state is InstallationState.NEEDS_REAUTHORIZATION
    await watch(house, ABANDONED_AFTER - timedelta(seconds=1))
    assert (await house.installation(account)).state is InstallationState.NEEDS_REAUTHORIZATION
    await watch(house, CONFIRM_AFTER)

    assert (await house.installation(account)).state is InstallationState.REVOKED
    assert ("installation.ended", "abandoned") in await house.said(account)


async def test_a_new_authorisation_ends_the_wait(house: House) -> None:
    account = await authorized(house)
    house.zendesk.kill(BASE)
    await watch(house, ASK_EVERY)
    with pytest.raises(ReauthorizationNeededError):
        await house.access(account)

    await house.authorized()
    await watch(house, ABANDONED_AFTER - timedelta(days=1))  # Zendesk's refresh tokens live as long

    mine = await house.installation(account)
    assert (mine.state, mine.gone_since) == (InstallationState.AUTHORIZED, None)


async def test_a_token_that_died_too_early_is_refreshed_and_ends_nothing(house: House) -> None:
    account = await authorized(house)
    house.clock.advance(ASK_EVERY)
    await house.ahead.once()
    house.zendesk.kill_access(BASE)

    assert await house.installations_watch.once() == 1

    assert (await house.installation(account)).state is InstallationState.AUTHORIZED
    assert (await house.installation(account)).gone_since is None


async def test_the_keys_of_a_removed_app_are_destroyed_after_their_time(house: House) -> None:
    account = await authorized(house)
    house.zendesk.uninstalled.add(PLACE)
    await watch(house, ASK_EVERY)
    await watch(house, CONFIRM_AFTER)
    assert await watch(house, ERASE_AFTER - CONFIRM_AFTER - timedelta(seconds=1)) == 0
    assert len(await house.data_keys.of_account(account)) == 2

    assert [await watch(house, timedelta(seconds=1)), await watch(house, timedelta(seconds=1))] == [1, 0]

    assert await house.data_keys.of_account(account) == []
    assert (await house.installation(account)).contact_email is None


async def test_the_keys_of_a_removed_app_are_destroyed_also_when_its_admin_was_erased(house: House) -> None:
    account = await authorized(house)
    house.zendesk.uninstalled.add(PLACE)
    await watch(house, ASK_EVERY)
    await watch(house, CONFIRM_AFTER)
    async with house.store.transaction(account) as tx:
        mine = await tx.installations.get(for_update=True)
        assert mine is not None
        await tx.installations.put(replace(mine, admin=None, contact_name=None, contact_email=None))

    assert [await watch(house, ERASE_AFTER), await watch(house, ASK_EVERY)] == [1, 0]

    assert await house.data_keys.of_account(account) == []


async def test_an_installation_that_an_operator_revoked_is_not_destroyed_by_itself(house: House) -> None:
    account = await authorized(house)
    await house.revoke.installation(account, "service:ops")

    assert await watch(house, ERASE_AFTER * 3) == 0
    assert len(await house.data_keys.of_account(account)) == 2


async def test_a_dead_grant_of_long_ago_is_not_the_first_look_at_a_missing_app(house: House) -> None:
    account = await authorized(house)
    async with house.store.transaction(account) as tx:
        mine = await tx.installations.get()
        assert mine is not None
        await tx.installations.put(replace(mine, gone_since=house.clock.now()))
    house.zendesk.uninstalled.add(PLACE)

    await watch(house, ASK_EVERY + timedelta(minutes=1))
    assert (await house.installation(account)).state is InstallationState.AUTHORIZED
    await watch(house, CONFIRM_AFTER)

    assert (await house.installation(account)).state is InstallationState.REVOKED
