"""Apps get a new installation token at half its life, when the last one never came back, or its key is distrusted."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from services.auth.app.renew_tokens import HALF_LIFE, PACE, UNSEEN, RenewTokens
from services.auth.domain.installation import Installation, InstallationState
from services.auth.tests.house import AGENT, TEMPLATE, House

DAY = timedelta(days=1)


def renewer(house: House) -> RenewTokens:
    return RenewTokens(
        house.store,
        house.memory.tokens_due,
        house.zendesk,
        house.access,
        house.keys,
        house.clock,
        TEMPLATE,
        lambda: house.keep_keys.distrusted,
    )


async def use(house: House, done: Installation) -> None:
    """Let the app send its token, as Zendesk's proxy does with every call."""
    session = (await house.enter(AGENT, subdomain=done.subdomain)).token
    await house.exchange.of_person(house.token_of(done), session, "edge", "policy")


async def test_a_token_that_is_used_is_renewed_at_half_its_life_and_both_live(house: House) -> None:
    done = await house.authorized()
    first = house.token_of(done)
    await use(house, done)
    renew = renewer(house).renew
    for _ in range(4):
        house.clock.advance(HALF_LIFE / 4 - timedelta(seconds=1))
        await house.access(done.account)  # the grant lives on
    assert await renew() == 0

    house.clock.advance(timedelta(seconds=4))
    assert await renew() == 1

    second = house.token_of(done)
    assert second != first
    assert [await house.verify(token) is not None for token in (first, second)] == [True, True]
    assert await renew() == 0
    await use(house, done)
    house.clock.advance(UNSEEN)
    assert await renew() == 0
    assert ("installation_token.renewed", "ok") in await house.said(done.account)


async def test_a_token_that_never_came_back_is_written_again_after_a_day(house: House) -> None:
    done = await house.authorized()
    first = house.token_of(done)
    house.clock.advance(UNSEEN - timedelta(seconds=1))
    assert await renewer(house).renew() == 0

    house.clock.advance(timedelta(seconds=1))
    assert await renewer(house).renew() == 1
    assert house.token_of(done) != first


async def test_two_replicas_renew_once_and_a_dead_one_is_forgotten(house: House) -> None:
    done = await house.authorized()
    house.clock.advance(UNSEEN)
    async with house.store.transaction(done.account) as tx:
        now = house.clock.now()
        assert await tx.app_tokens.claim(now, now + timedelta(minutes=10))

    assert await renewer(house).renew() == 0
    house.clock.advance(timedelta(minutes=10))
    assert await renewer(house).renew() == 1


async def test_what_zendesk_refuses_is_tried_again_later_and_said(house: House) -> None:
    done = await house.authorized()
    first = house.token_of(done)
    house.clock.advance(UNSEEN)
    house.zendesk.away = True
    assert await renewer(house).renew() == 0
    assert (await house.said(done.account))[-1] == ("installation_token.renewed", "failed")
    assert await house.verify(first) is not None

    house.zendesk.away = False
    house.clock.advance(timedelta(minutes=10))
    assert await renewer(house).renew() == 1


async def test_a_distrusted_key_gives_every_app_a_new_token(house: House) -> None:
    await house.keep_keys.keep()
    done = await house.authorized()
    await use(house, done)
    await house.keep_keys.revoke(house.keys.signers["installation"].kid, "service:ops")
    assert await house.verify(house.token_of(done)) is None

    assert await renewer(house).renew() == 1
    assert await house.verify(house.token_of(done)) is not None
    assert await renewer(house).renew() == 0


async def test_a_pass_is_paced(house: House) -> None:
    for number in range(PACE + 2):
        await house.authorized(subdomain=f"acme{number}", installation=100 + number)
    house.clock.advance(UNSEEN)

    assert [await renewer(house).renew() for _ in range(3)] == [PACE, 2, 0]


@pytest.mark.parametrize("state", [s for s in InstallationState if s is not InstallationState.AUTHORIZED])
async def test_an_app_that_waits_for_its_admin_gets_none(house: House, state: InstallationState) -> None:
    done = await house.authorized()
    async with house.store.transaction(done.account) as tx:
        mine = await tx.installations.get()
        assert mine is not None
        await tx.installations.put(replace(mine, state=state))
    house.clock.advance(HALF_LIFE)

    assert await renewer(house).renew() == 0
