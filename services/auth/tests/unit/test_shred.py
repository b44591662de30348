"""Shredding: upstream first, then the keys, and a receipt."""

import pytest

from libs.kernel.errors import DependencyUnavailableError, NotFoundError
from libs.kernel.ids import AccountId
from services.auth.domain.errors import NotAuthorizedError
from services.auth.domain.installation import InstallationState
from services.auth.tests.house import BASE, House


async def test_checking_tells_what_would_go_and_changes_nothing(house: House) -> None:
    account = (await house.authorized()).account

    receipt = await house.shred(account, "service:privacy", validate_only=True)

    assert set(receipt.keys) == {key.hex() for key in await house.data_keys.of_account(account)}
    assert len(receipt.keys) == 2
    assert (await house.access(account)).token in house.zendesk.living(BASE)


async def test_the_grant_ends_at_zendesk_before_our_copy_of_it(house: House) -> None:
    account = (await house.authorized()).account

    receipt = await house.shred(account, "service:privacy")

    assert len(receipt.keys) == 2
    assert await house.data_keys.of_account(account) == []
    assert house.zendesk.living(BASE) == set()
    done = await house.installation(account)
    assert (done.state, done.admin, done.contact_name, done.contact_email) == (
        InstallationState.REVOKED,
        None,
        None,
        None,
    )
    said = await house.said(account)
    assert said[-2:] == [("account.shred", "begun"), ("account.shred", "ok")]
    assert said.index(("installation.revoked", "ok")) < said.index(("account.shred", "begun"))
    with pytest.raises(NotAuthorizedError):
        await house.access(account)


async def test_nothing_is_destroyed_while_zendesk_cannot_be_told(house: House) -> None:
    account = (await house.authorized()).account
    house.zendesk.away = True

    with pytest.raises(DependencyUnavailableError):
        await house.shred(account, "service:privacy")
    assert len(await house.data_keys.of_account(account)) == 2
    house.zendesk.away = False

    assert len((await house.shred(account, "service:privacy")).keys) == 2
    assert house.zendesk.living(BASE) == set()


async def test_shredding_again_finds_nothing_and_an_unknown_account_is_told(house: House) -> None:
    account = (await house.authorized()).account
    await house.shred(account, "service:privacy")

    assert (await house.shred(account, "service:privacy")).keys == ()
    with pytest.raises(NotFoundError):
        await house.shred(AccountId("acc-none"), "service:privacy")


async def test_a_neighbour_is_untouched_and_the_account_may_be_authorised_anew(house: House) -> None:
    account = (await house.authorized()).account
    neighbour = (await house.authorized(subdomain="globex")).account
    await house.shred(account, "service:privacy")

    assert (await house.access(neighbour)).version == 1
    assert (await house.authorized()).account == account
    assert (await house.access(account)).token in house.zendesk.living(BASE)
