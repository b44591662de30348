"""Introspection tells the living from the rest and nothing more; revoking ends at once what it names."""

from datetime import timedelta

import pytest

from libs.crypto.tokens import CONTEXT_TYP, INSTALLATION_TYP
from libs.kernel.errors import DependencyUnavailableError, NotFoundError
from libs.kernel.ids import AccountId
from services.auth.domain.errors import TokenNotRevocableError
from services.auth.domain.grant import GrantState
from services.auth.domain.installation import InstallationState
from services.auth.domain.session import IDLE
from services.auth.tests.house import ADMIN, AGENT, BASE, House


async def test_a_living_token_says_what_it_is(house: House) -> None:
    done = await house.authorized()
    session = (await house.enter(AGENT)).token

    first, second = await house.verify(house.token_of(done)), await house.verify(session)

    assert first is not None
    assert second is not None
    assert (first.kind, first.subject, first.account, first.installation) == (
        "installation",
        "zendesk:acme",
        done.account,
        "55",
    )
    assert (second.kind, second.subject, second.account) == ("session", f"user:{AGENT}", done.account)


async def test_no_kind_passes_for_another(house: House) -> None:
    done = await house.authorized()
    token, session = house.token_of(done), (await house.enter(AGENT)).token
    context = (await house.exchange.of_person(token, session, "edge", "policy")).token
    now = house.clock.now()
    claims = house.keys.read_installation_token(token, now).values
    signers = house.keys.signers
    crossed = [
        signers["context"].sign(claims, INSTALLATION_TYP),
        signers["installation"].sign(claims, CONTEXT_TYP),
        signers["installation"].sign({**claims, "aud": "policy"}, INSTALLATION_TYP),
        signers["installation"].sign({**claims, "tid": "acc-none"}, INSTALLATION_TYP),
        signers["installation"].sign({**claims, "ins": "56"}, INSTALLATION_TYP),
    ]

    assert [await house.verify(text) for text in (context, *crossed)] == [None] * 6
    with pytest.raises(Exception, match="not valid"):
        house.keys.read_context_token(token, house.keys.installation_audience, now)


async def test_whatever_is_dead_is_just_not_active(house: House) -> None:
    done = await house.authorized()
    token, session = house.token_of(done), (await house.enter(AGENT)).token
    rubbish = ["", "x", "a.b.c", token + " ", f"{done.account}.{'A' * 43}", f"acc-none.{'A' * 43}"]
    assert [await house.verify(text) for text in rubbish] == [None] * len(rubbish)

    house.clock.advance(IDLE)
    assert await house.verify(session) is None
    house.clock.advance(timedelta(days=90))
    assert await house.verify(token) is None


async def test_a_revoked_installation_is_dead_at_zendesk_and_here(house: House) -> None:
    done = await house.authorized()
    token, session = house.token_of(done), (await house.enter(AGENT)).token

    ended = await house.revoke.installation(done.account, "service:ops")

    assert ended.state is InstallationState.REVOKED
    assert ended.generation > done.generation
    assert house.zendesk.living(BASE) == set()
    grant = await house.grant(done.account)
    assert (grant.state, grant.access, grant.refresh) == (GrantState.REVOKED, b"", None)
    assert [await house.verify(text) for text in (token, session)] == [None, None]
    assert (await house.audit(done.account))[-1].actor == "service:ops"


async def test_zendesk_away_keeps_the_grant_but_no_token_of_ours_alive(house: House) -> None:
    done = await house.authorized()
    token, session = house.token_of(done), (await house.enter(AGENT)).token
    house.zendesk.away = True
    with pytest.raises(DependencyUnavailableError):
        await house.revoke.installation(done.account, "service:ops")

    assert [await house.verify(text) for text in (token, session)] == [None, None]
    assert (await house.grant(done.account)).state is GrantState.OK
    house.zendesk.away = False
    assert (await house.revoke.installation(done.account, "service:ops")).state is InstallationState.REVOKED
    assert house.zendesk.living(BASE) == set()


async def test_revoking_again_or_without_a_grant_is_no_error_and_checking_changes_nothing(
    house: House,
) -> None:
    done = await house.authorized()
    before = await house.audit(done.account)
    assert await house.revoke.installation(done.account, "service:ops", validate_only=True) == done
    assert await house.audit(done.account) == before

    first = await house.revoke.installation(done.account, "service:ops")
    assert await house.revoke.installation(done.account, "service:ops") == first
    never = (await house.enter(ADMIN, subdomain="other")).installation.account
    assert (await house.revoke.installation(never, "service:ops")).state is InstallationState.REVOKED
    with pytest.raises(NotFoundError):
        await house.revoke.installation(AccountId("acc-none"), "service:ops")


async def test_a_session_ends_alone_and_an_unknown_one_is_no_error(house: House) -> None:
    done = await house.authorized()
    mine, other = (await house.enter(AGENT)).token, (await house.enter(AGENT)).token

    for text in (mine, mine, "rubbish", f"acc-none.{'A' * 43}"):
        await house.revoke.session(text, "service:edge")

    assert await house.verify(mine) is None
    assert (await house.said(done.account)).count(("session.revoked", "ok")) == 1
    assert await house.verify(other) is not None
    assert await house.verify(house.token_of(done)) is not None


async def test_revoking_a_token_ends_what_it_stands_for_once(house: House) -> None:
    done = await house.authorized()
    token, session = house.token_of(done), (await house.enter(AGENT)).token
    await house.revoke.token((await house.enter(AGENT)).token, "service:edge")
    for text in ("", "rubbish", "a.b.c"):
        await house.revoke.token(text, "service:edge")
    assert await house.verify(token) is not None

    for _ in range(2):
        await house.revoke.token(token, "service:edge")

    assert [await house.verify(text) for text in (token, session)] == [None, None]
    ended = await house.installation(done.account)
    assert ended.generation == done.generation + 1
    # The app holds a dead token now: its page must offer the button again, and the button must work.
    assert ended.state is InstallationState.NEEDS_REAUTHORIZATION
    again = await house.authorized()
    assert again.state is InstallationState.AUTHORIZED
    assert await house.verify(house.token_of(again)) is not None


async def test_a_revocation_is_in_the_feed_when_it_is_committed(house: House) -> None:
    done = await house.authorized()
    await house.revoke.token(house.token_of(done), "service:edge")
    told = await house.memory.feed.tail(10)
    assert [(entry.account, entry.generation) for entry in told] == [(done.account, done.generation + 1)]

    await house.revoke.token(house.token_of(done), "service:edge")
    assert len(await house.memory.feed.tail(10)) == 1
    await house.revoke.installation(done.account, "service:ops")
    generations = [entry.generation for entry in await house.memory.feed.tail(10)]
    assert generations == sorted(set(generations))
    assert generations[-1] == (await house.installation(done.account)).generation


async def test_an_ended_session_is_in_the_feed_once_and_raises_nothing(house: House) -> None:
    done = await house.authorized()
    session = (await house.enter(AGENT)).token
    for text in (session, session, "rubbish"):
        await house.revoke.session(text, "service:edge")

    told = await house.memory.feed.tail(10)
    assert [(entry.account, entry.generation) for entry in told] == [(done.account, done.generation)]


async def test_a_context_token_dies_by_itself(house: House) -> None:
    done = await house.authorized()
    token, session = house.token_of(done), (await house.enter(AGENT)).token
    context = (await house.exchange.of_person(token, session, "edge", "policy")).token

    with pytest.raises(TokenNotRevocableError):
        await house.revoke.token(context, "service:edge")
    house.clock.advance(timedelta(seconds=91))
    await house.revoke.token(context, "service:edge")

    assert await house.verify(token) is not None
