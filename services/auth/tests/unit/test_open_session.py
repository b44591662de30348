"""A session is opened by a signed URL that Zendesk signed for this app, once, and by nothing else."""

import asyncio
import hashlib
import hmac
from collections.abc import Callable
from datetime import timedelta

import pytest

from libs.crypto.token_text import encode_segment
from services.auth.app.secrets_of import hash_of
from services.auth.domain.errors import SignedUrlRefusedError
from services.auth.domain.installation import InstallationState
from services.auth.tests.house import ADMIN, AGENT, BASE, House
from services.auth.tests.signed_urls import (
    APP,
    ORIGIN,
    claims,
    new_key,
    public_pem,
    signed,
    signing_input,
)


async def test_the_first_sight_binds_an_unauthorised_installation(house: House) -> None:
    opened = await house.enter(ADMIN)

    installation = await house.installation(opened.installation.account)
    assert installation == opened.installation
    assert (installation.app_id, installation.subdomain, installation.installation_id) == (APP, "acme", 55)
    assert installation.state is InstallationState.UNAUTHORIZED
    assert (opened.session.user, opened.role) == (ADMIN, "")
    assert await house.said(installation.account) == [("session.opened", "ok")]


async def test_only_the_hash_of_a_session_is_kept_and_the_token_is_never_shown(house: House) -> None:
    opened = await house.enter()

    assert opened.session.token_hash == hash_of(opened.token)
    secret = opened.token.rpartition(".")[2]
    assert secret not in repr(opened)
    assert secret not in repr(house.memory._accounts)


async def test_later_sights_find_the_account_and_another_installation_is_another_account(
    house: House,
) -> None:
    first, again = await house.enter(ADMIN), await house.enter(AGENT)
    moved = await house.enter(ADMIN, installation=56)
    namesake = await house.enter(ADMIN, subdomain="acme2")

    assert first.installation.account == again.installation.account
    assert first.token != again.token
    assert len({o.installation.account for o in (first, moved, namesake)}) == 3


async def test_a_signed_url_works_once_also_for_two_at_a_time(house: House) -> None:
    url = signed(claims(house.clock.now(), ADMIN))
    results = await asyncio.gather(
        *(house.replica().open_session(url, ORIGIN) for _ in range(3)), return_exceptions=True
    )

    assert sorted(type(r).__name__ for r in results) == ["OpenedSession"] + ["SignedUrlRefusedError"] * 2
    house.clock.advance(timedelta(minutes=5))
    with pytest.raises(SignedUrlRefusedError):
        await house.open_session(url, ORIGIN)


async def test_a_refused_url_is_not_spent_and_makes_nothing(house: House) -> None:
    url = signed(claims(house.clock.now(), ADMIN))
    with pytest.raises(SignedUrlRefusedError):
        await house.open_session(url, "https://evil.zendesk.com")
    assert await house.store.installations(None, 10, None) == []

    assert (await house.open_session(url, ORIGIN)).session.user == ADMIN


def _hs256(payload: dict[str, object]) -> str:
    text = signing_input(payload, {"alg": "HS256", "typ": "JWT"})
    return f"{text.decode()}.{encode_segment(hmac.new(public_pem(), text, hashlib.sha256).digest())}"


def _unsigned(payload: dict[str, object]) -> str:
    return f"{signing_input(payload, {'alg': 'none'}).decode()}.AAAA"


def _altered(payload: dict[str, object]) -> str:
    head, _, signature = signed(payload).split(".")
    other = signing_input({**payload, "sub": "8"}).decode().split(".")[1]
    return f"{head}.{other}.{signature}"


FORGERIES: dict[str, Callable[[dict[str, object]], str]] = {
    "another key": lambda p: signed(p, new_key()),
    "public key as secret": _hs256,
    "no algorithm": _unsigned,
    "wrong algorithm name": lambda p: signed(p, header={"alg": "RS512"}),
    "lower case algorithm": lambda p: signed(p, header={"alg": "rs256"}),
    "critical extension": lambda p: signed(p, header={"alg": "RS256", "crit": ["x"], "x": 1}),
    "unencoded payload": lambda p: signed(p, header={"alg": "RS256", "b64": False}),
    "altered payload": _altered,
    "no signature": lambda p: signed(p).rpartition(".")[0] + ".",
    "padding": lambda p: signed(p) + "=",
    "a blank": lambda p: signed(p) + " ",
    "not a token": lambda p: "hello",
    "empty": lambda p: "",
    "too long": lambda p: signed({**p, "filler": "x" * 9000}),
}


@pytest.mark.parametrize("kind", FORGERIES)
async def test_a_forgery_opens_nothing_and_every_refusal_reads_the_same(house: House, kind: str) -> None:
    with pytest.raises(SignedUrlRefusedError) as caught:
        await house.open_session(FORGERIES[kind](claims(house.clock.now(), ADMIN)), ORIGIN)

    house.clock.advance(timedelta(hours=1))
    with pytest.raises(SignedUrlRefusedError) as expired:
        await house.open_session(signed(claims(house.clock.now() - timedelta(hours=1), ADMIN)), ORIGIN)
    assert (caught.value.message, caught.value.metadata) == (expired.value.message, {})
    assert await house.store.installations(None, 10, None) == []


async def test_a_key_in_the_header_is_ignored(house: House) -> None:
    stranger = new_key()
    header = {"alg": "RS256", "jku": "https://evil.test/keys", "x5u": "https://evil.test/c"}

    with pytest.raises(SignedUrlRefusedError):
        await house.open_session(signed(claims(house.clock.now(), ADMIN), stranger, header), ORIGIN)
    assert (await house.open_session(signed(claims(house.clock.now(), ADMIN), header=header), ORIGIN)).token


async def test_the_role_comes_from_zendesk_once_there_is_a_grant(house: House) -> None:
    await house.authorized()

    assert (await house.enter(AGENT)).role == "agent"
    assert (await house.enter(ADMIN)).role == "admin"


async def test_a_page_opens_without_a_role_while_zendesk_is_away_or_the_grant_is_lost(house: House) -> None:
    await house.authorized()
    house.zendesk.away = True
    assert (await house.enter(AGENT)).role == ""

    house.zendesk.away = False
    house.zendesk.kill(BASE)
    opened = await house.enter(AGENT)

    assert (opened.session.user, opened.role) == (AGENT, "")
    again = await house.enter(ADMIN)
    assert again.installation.state is InstallationState.NEEDS_REAUTHORIZATION
