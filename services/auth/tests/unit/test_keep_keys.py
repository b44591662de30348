"""Signing keys over time: rotation without a refused token, and a revoked key that nobody believes any more."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from libs.crypto.errors import InvalidTokenError
from libs.kernel.errors import NotFoundError
from libs.kernel.ids import AccountId
from services.auth.app.keep_keys import KeepKeys, schedules
from services.auth.app.token_keys import CONTEXT_LIFE, TokenKeys
from services.auth.domain.errors import TooManyKeysError
from services.auth.domain.installation import Installation
from services.auth.domain.revocation import PLATFORM
from services.auth.domain.signing_key import MAXIMUM_LIVING, Phase
from services.auth.tests.house import ISSUER, House

DAY = timedelta(days=1)


def installation(house: House) -> Installation:
    return Installation(AccountId("acc-1"), 4242, 55, "acme", house.clock.now())


def another(house: House, algorithm: str = "ES256") -> tuple[KeepKeys, TokenKeys]:
    """Return another replica's keys."""
    keys = TokenKeys(ISSUER, house.ids, {}, {})
    plans = schedules(algorithm)
    return KeepKeys(house.store, house.sealer, keys, house.clock, house.ids, plans), keys


def kids(keys: TokenKeys, kind: str) -> list[str | None]:
    return [key.kid for key in keys.sets[kind]]


async def phases(house: House, kind: str) -> dict[str, Phase]:
    async with house.store.transaction(PLATFORM) as tx:
        return {one.key.kid: one.key.phase for one in (await tx.signing_keys.ring(kind)).keys}


async def test_replicas_that_start_at_once_keep_the_same_keys(house: House) -> None:
    replicas = [another(house) for _ in range(3)]
    await asyncio.gather(*(keeper.keep() for keeper, _ in replicas))

    for kind in ("installation", "context"):
        assert len({keys.signers[kind].kid for _, keys in replicas}) == 1
        assert [len(kids(keys, kind)) for _, keys in replicas] == [2, 2, 2]
    _, keys = replicas[0]
    assert not set(kids(keys, "installation")) & set(kids(keys, "context"))
    said = [row.action for row in await house.audit(PLATFORM)]
    assert said == ["signing_key.activated", "signing_key.published"] * 2


async def test_a_year_of_rotation_refuses_no_living_token(house: House) -> None:
    """The signer and a verifier that caches the set for five minutes, twice a day for a year."""
    keeper, keys = another(house)
    await keeper.keep()
    cached = keys.sets["installation"]
    tokens: list[str] = []
    signers = set()
    for half_day in range(2 * 365):
        house.clock.advance(DAY / 2)
        await keeper.keep()
        now = house.clock.now()
        token = keys.installation_token(installation(house), now)
        if half_day % 40 == 0:
            tokens.append(token)
        signers.add(keys.signers["installation"].kid)
        believed = TokenKeys(ISSUER, house.ids, {}, {"installation": cached, "context": cached})
        assert believed.read_installation_token(token, now).account == "acc-1"
        for old in tokens[-4:]:  # of the last eighty days
            keys.read_installation_token(old, now)
        cached = keys.sets["installation"]
        assert len(cached) <= 6

    assert len(signers) == 13


async def test_private_halves_are_destroyed_when_a_key_stops_signing(house: House) -> None:
    keeper, keys = another(house)
    await keeper.keep()
    first = keys.signers["context"].kid
    house.clock.advance(8 * DAY)
    await keeper.keep()

    async with house.store.transaction(PLATFORM) as tx:
        ring = (await tx.signing_keys.ring("context")).keys
    sealed = {one.key.phase: one.sealed for one in ring}
    assert sealed[Phase.RETIRING] is None
    assert sealed[Phase.ACTIVE] is not None
    assert sealed[Phase.PUBLISHED] is not None
    assert b"PRIVATE" not in (sealed[Phase.ACTIVE] or b"")
    assert first in kids(keys, "context")
    house.clock.advance(CONTEXT_LIFE + timedelta(minutes=11))
    await keeper.keep()
    assert first not in kids(keys, "context")


async def test_a_rotation_that_was_asked_for_waits_for_its_lead_once(house: House) -> None:
    keeper, keys = another(house)
    await keeper.keep()
    before = keys.signers["context"].kid

    waiting = await keeper.rotate("context", "service:ops")

    assert await keeper.rotate("context", "service:ops") == waiting
    assert keys.signers["context"].kid == before
    house.clock.advance(DAY)
    other, seen = another(house)
    await other.keep()
    assert seen.signers["context"].kid == waiting
    await keeper.keep()
    assert keys.signers["context"].kid == waiting
    ripe_at_once = await keeper.rotate("context", "service:ops")
    assert ripe_at_once != waiting
    assert keys.signers["context"].kid == waiting
    house.clock.advance(DAY)
    assert await keeper.rotate("context", "service:ops") == ripe_at_once
    assert keys.signers["context"].kid == ripe_at_once
    asked = [row.actor for row in await house.audit(PLATFORM) if row.action == "signing_key.rotation_asked"]
    assert asked == ["service:ops"] * 2


async def test_rotations_end_before_verifiers_would_refuse_the_set(house: House) -> None:
    keeper, keys = another(house)
    await keeper.keep()
    while len(keys.sets["installation"]) < MAXIMUM_LIVING:
        house.clock.advance(DAY)
        await keeper.rotate("installation", "service:ops")
    with pytest.raises(TooManyKeysError):
        await keeper.rotate("installation", "service:ops")

    assert len(keys.sets["installation"]) == MAXIMUM_LIVING
    house.clock.advance(75 * DAY)
    await keeper.keep()
    assert await keeper.rotate("installation", "service:ops")


async def test_a_revoked_key_leaves_the_set_and_the_standby_signs_at_once(house: House) -> None:
    keeper, keys = another(house)
    await keeper.keep()
    old = keys.signers["installation"].kid
    [standby] = [kid for kid in kids(keys, "installation") if kid != old]
    stolen = keys.installation_token(installation(house), house.clock.now())
    context_keys = kids(keys, "context")

    await keeper.revoke(old, "service:ops")
    await keeper.revoke(old, "service:ops")

    assert keys.signers["installation"].kid == standby
    assert old not in kids(keys, "installation")
    assert len(kids(keys, "installation")) == 2
    assert kids(keys, "context") == context_keys
    with pytest.raises(InvalidTokenError):
        keys.read_installation_token(stolen, house.clock.now())
    assert keeper.distrusted == {old}
    told = await house.memory.feed.tail(10)
    assert [entry.kid for entry in told if entry.kid] == [old]
    said = [(row.actor, row.facts["kid"]) for row in await house.audit(PLATFORM) if "revoked" in row.action]
    assert said == [("service:ops", old)]


async def test_a_standby_can_be_revoked_and_an_unknown_key_cannot(house: House) -> None:
    keeper, keys = another(house)
    await keeper.keep()
    active = keys.signers["context"].kid
    [standby] = [kid for kid in kids(keys, "context") if kid != active]
    await keeper.revoke(str(standby), "service:ops")

    assert keys.signers["context"].kid == active
    assert len(kids(keys, "context")) == 2
    with pytest.raises(NotFoundError):
        await keeper.revoke("ctx-none", "service:ops")


async def test_eddsa_takes_over_when_it_is_chosen(house: House) -> None:
    keeper, _ = another(house)
    await keeper.keep()
    chosen, keys = another(house, "EdDSA")
    await chosen.keep()
    assert keys.signers["installation"].algorithm == "ES256"
    es256 = keys.installation_token(installation(house), house.clock.now())

    house.clock.advance(DAY)
    await chosen.keep()

    assert keys.signers["installation"].algorithm == "EdDSA"
    eddsa = keys.installation_token(installation(house), house.clock.now())
    for token in (es256, eddsa):
        assert keys.read_installation_token(token, house.clock.now()).account == "acc-1"


async def test_a_token_fits_into_the_apps_setting(house: House) -> None:
    """At most 512 bytes (facts/auth.md §2.3), with ids as they are and a subdomain longer than most."""
    keeper, keys = another(house)
    await keeper.keep()
    account = AccountId(house.ids.new("acc"))
    place = Installation(account, 4242, 900_000_000_055, "a-helpdesk-of-thirty-letters", house.clock.now())

    assert len(keys.installation_token(place, house.clock.now())) <= 512


async def test_the_phases_show_in_the_audit(house: House) -> None:
    keeper, _ = another(house)
    await keeper.keep()
    house.clock.advance(7 * DAY)
    await keeper.keep()
    house.clock.advance(DAY)
    await keeper.keep()

    said = [row.action for row in await house.audit(PLATFORM) if row.facts["kind"] == "context"]
    assert said == [
        "signing_key.activated",
        "signing_key.published",
        "signing_key.retired",
        "signing_key.activated",
        "signing_key.published",
        "signing_key.gone",
    ]
    assert sorted((await phases(house, "context")).values()) == ["active", "gone", "published"]
