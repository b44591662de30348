"""A reinstalled app finds its account and history; strangers on a freed subdomain find nothing."""

from dataclasses import replace

import pytest

from libs.kernel.errors import UnauthenticatedError
from libs.kernel.ids import UserId
from services.auth.app.ports import ZendeskPerson
from services.auth.domain.errors import AuthorizationRefusedError
from services.auth.domain.installation import InstallationState
from services.auth.tests.house import ADMIN, BASE, SECOND_ADMIN, House

AGAIN = 56


async def test_a_new_installation_takes_the_account_with_its_history(house: House) -> None:
    former = await house.authorized()
    old_token = house.token_of(former)

    done = await house.authorized(SECOND_ADMIN, installation=AGAIN)

    assert (done.account, done.installation_id) == (former.account, AGAIN)
    assert done.state is InstallationState.AUTHORIZED
    assert done.created_at == former.created_at
    assert (await house.enter(installation=AGAIN)).installation.account == former.account
    said = await house.said(former.account)
    assert said.index(("authorization.completed", "ok")) < said.index(("installation.replaced", "ok"))
    assert await house.verify(old_token) is None
    assert (living := await house.verify(house.token_of(done))) is not None
    assert (living.account, living.installation) == (former.account, str(AGAIN))
    assert {(await house.access(former.account)).token} == house.zendesk.living(BASE)


async def test_the_provisional_account_leaves_nothing_that_works(house: House) -> None:
    former = await house.authorized()
    opened = await house.enter(installation=AGAIN)
    assert opened.installation.account != former.account

    await house.authorized(installation=AGAIN)

    with pytest.raises(UnauthenticatedError):
        await house.authorize.begin(opened.token)
    page = await house.store.installations(None, 100, None)
    assert [i.account for i in page] == [former.account]
    assert ("account.adopted", "ok") in await house.said(opened.installation.account)


async def test_an_account_that_was_uninstalled_is_found_by_its_former_admin(house: House) -> None:
    former = await house.authorized()
    await house.revoke.installation(former.account, "service:auth")
    assert house.zendesk.living(BASE) == set()

    done = await house.authorized(SECOND_ADMIN, installation=AGAIN)

    assert done.account == former.account
    assert (await house.access(done.account)).token in house.zendesk.living(BASE)


async def test_strangers_on_a_freed_subdomain_inherit_nothing(house: House) -> None:
    former = await house.authorized()
    house.zendesk.kill(BASE)
    for person in list(house.zendesk.people):  # another company, with users of its own
        del house.zendesk.people[person]
    stranger = UserId(9001)
    house.zendesk.people[stranger] = ZendeskPerson(stranger, "admin", "Eve", "eve@acme.test")

    done = await house.authorized(stranger, installation=AGAIN)

    assert done.account != former.account
    assert (await house.installation(former.account)).installation_id == former.installation_id
    assert ("installation.replaced", "ok") not in await house.said(former.account)


async def test_an_erased_admin_proves_nothing(house: House) -> None:
    former = await house.authorized()
    await house.shred(former.account, "service:privacy")

    assert (await house.authorized(installation=AGAIN)).account != former.account


async def test_an_installation_that_was_ever_authorised_is_not_merged_away(house: House) -> None:
    first = await house.authorized()
    house.zendesk.kill(BASE)
    people = dict(house.zendesk.people)
    del house.zendesk.people[ADMIN]
    second = await house.authorized(SECOND_ADMIN, installation=AGAIN)
    house.zendesk.people.update(people)

    assert (await house.authorized(installation=AGAIN)).account == second.account != first.account


async def test_a_neighbours_account_is_no_sibling(house: House) -> None:
    former = await house.authorized(subdomain="globex")

    assert (await house.authorized(installation=AGAIN)).account != former.account


async def test_a_revocation_of_the_newcomer_meanwhile_ends_it(house: House) -> None:
    await house.authorized()
    popup = await house.popup(installation=AGAIN)
    newcomer = (await house.enter(installation=AGAIN)).installation
    code, state = house.zendesk.confirm(popup.url, ADMIN)
    await house.revoke.installation(newcomer.account, "service:ops")

    with pytest.raises(AuthorizationRefusedError):
        await house.complete(state, code, "", popup.cookie)

    assert (await house.installation(newcomer.account)).state is InstallationState.REVOKED


async def test_a_kill_between_both_steps_costs_another_try_and_no_second_account(house: House) -> None:
    former = await house.authorized()
    newcomer = (await house.enter(installation=AGAIN)).installation
    async with house.store.transaction(former.account) as tx:  # the first step of `_adopt`, then nothing more
        ended = replace(former, state=InstallationState.UNAUTHORIZED, generation=former.generation + 1)
        await tx.installations.put(ended)

    done = await house.authorized(installation=AGAIN)

    assert (done.account, done.state) == (former.account, InstallationState.AUTHORIZED)
    assert newcomer.account not in {i.account for i in await house.store.installations(None, 100, None)}
