"""Context tokens: both credentials of a person, of one account, alive; or a service in its own name."""

from datetime import timedelta

import pytest

from libs.kernel.errors import (
    DependencyUnavailableError,
    InvalidRequestError,
    PermissionDeniedError,
    UnauthenticatedError,
)
from libs.kernel.ids import AccountId
from services.auth.domain.errors import ReauthorizationNeededError
from services.auth.domain.installation import Installation
from services.auth.domain.session import ABSOLUTE, IDLE
from services.auth.tests.house import ADMIN, AGENT, BASE, STRANGER, House


async def refused(house: House, installation_token: str, session: str) -> UnauthenticatedError:
    with pytest.raises(UnauthenticatedError) as caught:
        await house.exchange.of_person(installation_token, session, "edge", "policy")
    return caught.value


async def test_both_tokens_give_one_for_one_callee_with_role_and_custom_role(house: House) -> None:
    done = await house.authorized()
    session = (await house.enter(AGENT)).token

    made = await house.exchange.of_person(house.token_of(done), session, "edge", "policy")

    claims = house.keys.read_context_token(made.token, "policy", house.clock.now())
    assert (claims.account, claims.subject, claims.peer, claims.role) == (
        done.account,
        f"user:{AGENT}",
        "edge",
        "agent",
    )
    assert claims.custom_role_id == 31
    assert claims.expires_at - claims.issued_at == timedelta(seconds=60)
    assert made.token not in repr(made)
    with pytest.raises(UnauthenticatedError):
        house.keys.read_context_token(made.token, "assignment", house.clock.now())


async def test_a_session_of_another_account_is_refused(house: House) -> None:
    mine = await house.authorized()
    other = await house.authorized(subdomain="other")
    session = (await house.enter(ADMIN, subdomain="other")).token

    await refused(house, house.token_of(mine), session)
    made = await house.exchange.of_person(house.token_of(other), session, "edge", "policy")
    assert made.account == other.account


async def test_a_session_is_bound_to_its_account_not_to_the_name_in_front_of_it(house: House) -> None:
    mine = await house.authorized()
    await house.authorized(subdomain="other")
    secret = (await house.enter(ADMIN, subdomain="other")).token.partition(".")[2]

    await refused(house, house.token_of(mine), f"{mine.account}.{secret}")


async def test_every_dead_credential_gets_the_same_answer(house: House) -> None:
    done = await house.authorized()
    token, session = house.token_of(done), (await house.enter(AGENT)).token
    context = (await house.exchange.of_person(token, session, "edge", "policy")).token
    ended = (await house.enter(AGENT)).token
    await house.revoke.session(ended, "service:edge")

    errors = [
        await refused(house, first, second)
        for first, second in [
            ("", session),
            ("x.y.z", session),
            (token + "=", session),
            (token[:-4] + "AAAA", session),
            (context, session),
            (session, session),
            (token, ""),
            (token, token),
            (token, ended),
            (token, f"{done.account}.{'A' * 43}"),
            (token, f"acc-none.{'A' * 43}"),
        ]
    ]

    assert {(type(e).kind, e.reason, e.message, str(e.metadata)) for e in errors} == {
        (errors[0].kind, "UNAUTHENTICATED", "the credentials are not valid", "{}")
    }


async def test_a_session_idles_out_unless_it_is_used_and_ends_after_twelve_hours(house: House) -> None:
    done = await house.authorized()
    token, busy, idle = (
        house.token_of(done),
        (await house.enter(AGENT)).token,
        (await house.enter(AGENT)).token,
    )
    step = IDLE - timedelta(minutes=1)
    house.clock.advance(step)
    await house.exchange.of_person(token, busy, "edge", "policy")
    house.clock.advance(timedelta(minutes=1))

    await refused(house, token, idle)
    house.clock.advance(step - timedelta(minutes=1))
    for _ in range(int(ABSOLUTE / step) - 2):
        await house.exchange.of_person(token, busy, "edge", "policy")
        house.clock.advance(step)
    await house.exchange.of_person(token, busy, "edge", "policy")
    house.clock.advance(ABSOLUTE % step)
    await refused(house, token, busy)


async def test_an_installation_token_dies_after_ninety_days(house: House) -> None:
    done = await house.authorized()
    house.clock.advance(timedelta(days=90, seconds=30))

    await refused(house, house.token_of(done), (await house.enter(AGENT)).token)


async def test_after_a_revocation_neither_old_token_is_of_use(house: House) -> None:
    done = await house.authorized()
    token, session = house.token_of(done), (await house.enter(AGENT)).token
    await house.revoke.installation(done.account, "service:ops")
    fresh = (await house.enter(AGENT)).token

    await refused(house, token, session)
    await refused(house, token, fresh)
    again = await house.authorized()
    await refused(house, token, fresh)
    await refused(house, house.token_of(again), session)
    assert (await house.exchange.of_person(house.token_of(again), fresh, "edge", "policy")).token


async def test_the_role_is_zendesks_not_older_than_five_minutes(house: House) -> None:
    done = await house.authorized()
    token, session = house.token_of(done), (await house.enter(ADMIN)).token
    house.zendesk.change(ADMIN, role="agent")
    assert (await house.exchange.of_person(token, session, "edge", "policy")).role == "admin"

    house.clock.advance(timedelta(minutes=5))

    assert (await house.exchange.of_person(token, session, "edge", "policy")).role == "agent"


async def test_a_person_whom_zendesk_does_not_know_or_suspended_is_nobody(house: House) -> None:
    done = await house.authorized()
    token, session = house.token_of(done), (await house.enter(AGENT)).token
    await refused(house, token, (await house.enter(STRANGER)).token)

    house.zendesk.change(AGENT, active=False)
    house.clock.advance(timedelta(minutes=5))

    await refused(house, token, session)


async def test_roles_are_remembered_without_names(house: House) -> None:
    done = await house.authorized()
    await house.exchange.of_person(house.token_of(done), (await house.enter(AGENT)).token, "edge", "policy")

    remembered = repr(house.roles._known)
    assert str(AGENT) in remembered
    assert "Cy" not in remembered
    assert "acme.test" not in remembered


async def test_a_lost_grant_is_told_to_a_person_who_is_proven(house: House) -> None:
    done = await house.authorized()
    token, session = house.token_of(done), (await house.enter(AGENT)).token
    house.zendesk.kill(BASE)
    house.roles.forget(done.account)

    with pytest.raises(ReauthorizationNeededError):
        await house.exchange.of_person(token, session, "edge", "policy")


async def test_a_role_is_asked_again_after_a_token_died_under_the_call(house: House) -> None:
    done = await house.authorized()
    session = (await house.enter(AGENT)).token
    house.roles.forget(done.account)
    house.zendesk.kill_access(BASE)

    made = await house.exchange.of_person(house.token_of(done), session, "edge", "policy")

    assert (made.role, house.zendesk.refreshes) == ("agent", 1)


async def test_only_the_edge_and_ops_speak_for_people_and_no_dead_account_has_jobs(house: House) -> None:
    done = await house.authorized()
    token, session = house.token_of(done), (await house.enter(AGENT)).token
    for peer in ("assignment", "policy", "privacy", "stranger", ""):
        with pytest.raises(PermissionDeniedError):
            await house.exchange.of_person(token, session, peer, "policy")
    with pytest.raises(PermissionDeniedError):
        await house.exchange.of_job(done.account, "minute-job", "stranger", "policy")


async def job(house: House, done: Installation | AccountId, name: str = "minute-job") -> str:
    account = done.account if isinstance(done, Installation) else done
    return (await house.exchange.of_job(account, name, "assignment", "policy")).token


async def test_a_job_speaks_in_the_services_name_without_a_role(house: House) -> None:
    done = await house.authorized()

    claims = house.keys.read_context_token(await job(house, done), "policy", house.clock.now())

    assert (claims.subject, claims.peer, claims.role) == ("service:assignment", "assignment", None)


async def test_a_job_needs_a_name_and_a_living_account(house: House) -> None:
    done = await house.authorized()
    with pytest.raises(InvalidRequestError):
        await job(house, done, "")
    with pytest.raises(UnauthenticatedError) as unknown:
        await job(house, AccountId("acc-none"))
    await house.revoke.installation(done.account, "service:ops")
    with pytest.raises(UnauthenticatedError) as revoked:
        await job(house, done)

    assert str(unknown.value) == str(revoked.value)


async def test_zendesk_away_is_unavailable_not_unauthenticated(house: House) -> None:
    done = await house.authorized()
    session = (await house.enter(AGENT)).token
    house.roles.forget(done.account)
    house.zendesk.away = True

    with pytest.raises(DependencyUnavailableError):
        await house.exchange.of_person(house.token_of(done), session, "edge", "policy")
