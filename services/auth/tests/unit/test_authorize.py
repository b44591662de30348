"""The OAuth flow: bound to session, browser, user and generation, single use, and nothing left over when refused."""

import asyncio
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from libs.crypto.envelope import Envelope
from libs.kernel.errors import DependencyUnavailableError, UnauthenticatedError
from libs.kernel.ids import UserId
from services.auth.domain.authorization import code_challenge
from services.auth.domain.errors import AuthorizationRefusedError, ZendeskRefusedError
from services.auth.domain.grant import GrantState
from services.auth.domain.installation import InstallationState
from services.auth.tests.house import ADMIN, AGENT, BASE, CLIENT, SECOND_ADMIN, House


async def refused(
    house: House, state: str, code: str, cookie: str, error: str = ""
) -> AuthorizationRefusedError:
    with pytest.raises(AuthorizationRefusedError) as caught:
        await house.complete(state, code, error, cookie)
    return caught.value


async def test_the_whole_way_gives_a_grant_a_contact_and_the_apps_token(house: House) -> None:
    done = await house.authorized()

    assert done == await house.installation(done.account)
    assert (done.state, done.admin, done.scopes) == (
        InstallationState.AUTHORIZED,
        ADMIN,
        tuple(CLIENT.scope.split()),
    )
    access = await house.access(done.account)
    assert {access.token} == house.zendesk.living(BASE)
    claims = house.keys.read_installation_token(house.token_of(done), house.clock.now())
    assert (claims.account, claims.installation, claims.subject) == (done.account, "55", "zendesk:acme")
    assert [what for what, _ in await house.said(done.account)] == [
        "session.opened",
        "authorization.begun",
        "authorization.completed",
        "installation_token.issued",
    ]


async def test_neither_contact_nor_tokens_nor_verifier_are_stored_in_clear(house: House) -> None:
    popup = await house.popup()
    code, state = house.zendesk.confirm(popup.url, ADMIN)
    done = await house.complete(state, code, "", popup.cookie)

    rows = repr(house.memory._accounts)
    access = await house.access(done.account)
    grant = await house.grant(done.account)
    refresh = await house.pairs.refresh(grant)
    for secret in (access.token, refresh, state, popup.cookie, popup.session, "Ada", "ada@acme.test"):
        assert secret
        assert secret not in rows
    assert done.contact_email is not None
    place = ("contact", "installations", "contact_email", done.account)
    assert await house.sealer.open(done.account, *place, done.contact_email) == b"ada@acme.test"
    assert access.token not in repr(access)
    assert "client-secret" not in repr(CLIENT)


async def test_the_code_is_exchanged_with_the_verifier_of_the_challenge(house: House) -> None:
    sent: list[str] = []
    exchange = house.zendesk.exchange_code

    async def watched(base: str, code: str, verifier: str) -> object:
        sent.append(verifier)
        return await exchange(base, code, verifier)

    house.zendesk.exchange_code = watched  # type: ignore[method-assign, assignment]  # listens in
    popup = await house.popup()
    query = parse_qs(urlsplit(popup.url).query)
    code, state = house.zendesk.confirm(popup.url, ADMIN)
    await house.complete(state, code, "", popup.cookie)

    assert [code_challenge(verifier) for verifier in sent] == query["code_challenge"]
    assert 43 <= len(sent[0]) <= 128


async def test_a_code_of_another_authorisation_does_not_fit_the_verifier(house: House) -> None:
    mine, other = await house.popup(), await house.popup()
    stolen, _ = house.zendesk.confirm(other.url, ADMIN)
    _, state = house.zendesk.confirm(mine.url, ADMIN)

    with pytest.raises(ZendeskRefusedError):
        await house.complete(state, stolen, "", mine.cookie)
    assert house.zendesk.living(BASE) == set()


async def test_a_session_that_is_dead_or_made_up_begins_nothing(house: House) -> None:
    opened = await house.enter()
    await house.revoke.session(opened.token, "service:edge")
    for token in ("", "x", opened.token, "acc-none." + "A" * 43):
        with pytest.raises(UnauthenticatedError):
            await house.authorize.begin(token)


async def test_a_ticket_opens_one_popup(house: House) -> None:
    opened = await house.enter()
    ticket, ends = await house.authorize.begin(opened.token)
    assert ends == house.clock.now() + timedelta(minutes=10)

    results = await asyncio.gather(*(house.authorize.start(ticket) for _ in range(3)), return_exceptions=True)

    assert sorted(type(r).__name__ for r in results) == ["AuthorizationRefusedError"] * 2 + ["tuple"]


async def test_an_old_ticket_and_an_old_state_are_refused(house: House) -> None:
    popup = await house.popup()
    ticket, _ = await house.authorize.begin(popup.session)
    code, state = house.zendesk.confirm(popup.url, ADMIN)
    house.clock.advance(timedelta(minutes=10))

    with pytest.raises(AuthorizationRefusedError):
        await house.authorize.start(ticket)
    await refused(house, state, code, popup.cookie)


async def test_a_state_is_spent_once_also_by_two_at_a_time(house: House) -> None:
    popup = await house.popup()
    code, state = house.zendesk.confirm(popup.url, ADMIN)

    results = await asyncio.gather(
        *(house.complete(state, code, "", popup.cookie) for _ in range(3)), return_exceptions=True
    )

    assert sorted(type(r).__name__ for r in results) == ["AuthorizationRefusedError"] * 2 + ["Installation"]
    assert len(house.zendesk.living(BASE)) == 1


async def test_a_state_without_the_cookie_of_its_popup_is_refused_and_no_code_is_spent(house: House) -> None:
    popup, other = await house.popup(), await house.popup(SECOND_ADMIN)
    code, state = house.zendesk.confirm(popup.url, ADMIN)

    texts = {str(await refused(house, state, code, cookie)) for cookie in ("", "x", other.cookie)}
    texts.add(str(await refused(house, "acc-none." + "A" * 43, code, popup.cookie)))
    texts.add(str(await refused(house, "rubbish", code, popup.cookie)))

    assert len(texts) == 1
    assert (await house.complete(state, code, "", popup.cookie)).state is InstallationState.AUTHORIZED


async def test_the_ticket_is_no_state_and_a_begun_authorisation_has_none(house: House) -> None:
    opened = await house.enter()
    ticket, _ = await house.authorize.begin(opened.token)

    await refused(house, ticket, "code", "")
    await refused(house, opened.token, "code", "")


async def test_a_denial_ends_the_state_and_repeats_no_text_of_the_caller(house: House) -> None:
    popup = await house.popup()
    code, state = house.zendesk.confirm(popup.url, ADMIN)

    error = await refused(house, state, "", popup.cookie, "call ada@acme.test")

    assert error.metadata == {"error": "other"}
    account = state.partition(".")[0]
    assert "ada" not in repr(await house.audit(account))  # type: ignore[arg-type]  # an account id
    await refused(house, state, code, popup.cookie)


async def test_what_zendesk_says_about_a_denial_is_passed_on(house: House) -> None:
    popup = await house.popup()
    _, state = house.zendesk.confirm(popup.url, ADMIN)

    error = await refused(house, state, "", popup.cookie, "access_denied")

    assert error.metadata == {"error": "access_denied"}


@pytest.mark.parametrize(
    ("begins", "confirms", "why"),
    [
        (ADMIN, SECOND_ADMIN, "another_user"),
        (AGENT, ADMIN, "another_user"),
        (ADMIN, UserId(404), "another_user"),
        (AGENT, AGENT, "not_an_admin"),
    ],
)
async def test_a_grant_of_somebody_else_is_refused_and_revoked_upstream(
    house: House, begins: UserId, confirms: UserId, why: str
) -> None:
    popup = await house.popup(begins)
    code, state = house.zendesk.confirm(popup.url, confirms)

    await refused(house, state, code, popup.cookie)

    assert house.zendesk.living(BASE) == set()
    account = (await house.enter()).installation.account
    assert ("authorization.mismatch", why) in await house.said(account)
    assert (await house.installation(account)).state is InstallationState.UNAUTHORIZED


async def test_a_suspended_admin_is_none(house: House) -> None:
    popup = await house.popup()
    code, state = house.zendesk.confirm(popup.url, ADMIN)
    house.zendesk.change(ADMIN, active=False)

    await refused(house, state, code, popup.cookie)

    assert house.zendesk.living(BASE) == set()


@pytest.mark.parametrize("granted", [("read",), ("read", "users:write", "impersonate")])
async def test_other_scopes_than_asked_for_are_refused(house: House, granted: tuple[str, ...]) -> None:
    house.zendesk.granted = granted
    popup = await house.popup()
    code, state = house.zendesk.confirm(popup.url, ADMIN)

    await refused(house, state, code, popup.cookie)

    assert house.zendesk.living(BASE) == set()


async def test_an_answer_without_scopes_gave_what_was_asked_for(house: House) -> None:
    house.zendesk.granted = ()

    assert (await house.authorized()).scopes == tuple(CLIENT.scope.split())


async def test_the_code_of_another_account_is_refused(house: House) -> None:
    popup = await house.popup()
    other = await house.popup(subdomain="other")
    code, _ = house.zendesk.confirm(other.url, ADMIN)
    _, state = house.zendesk.confirm(popup.url, ADMIN)

    with pytest.raises(ZendeskRefusedError):
        await house.complete(state, code, "", popup.cookie)


async def test_a_revocation_meanwhile_ends_it(house: House) -> None:
    done = await house.authorized()
    popup = await house.popup()
    code, state = house.zendesk.confirm(popup.url, ADMIN)
    await house.revoke.installation(done.account, "service:ops")

    await refused(house, state, code, popup.cookie)

    assert (await house.installation(done.account)).state is InstallationState.REVOKED


async def test_a_revocation_between_exchange_and_commit_wins_and_the_pair_dies(house: House) -> None:
    done = await house.authorized()
    popup = await house.popup()
    code, state = house.zendesk.confirm(popup.url, ADMIN)
    show = house.zendesk.installation

    async def revoked_first(base: str, access: str, installation_id: int) -> object:
        await house.revoke.installation(done.account, "service:ops")
        return await show(base, access, installation_id)

    house.zendesk.installation = revoked_first  # type: ignore[method-assign, assignment]  # a race
    await refused(house, state, code, popup.cookie)

    assert house.zendesk.living(BASE) == set()
    assert (await house.grant(done.account)).state is GrantState.REVOKED


async def test_authorising_again_replaces_the_grant_and_ends_the_old_one_upstream(house: House) -> None:
    first = await house.authorized()
    old = await house.access(first.account)
    await house.authorized(SECOND_ADMIN)
    new = await house.access(first.account)

    assert (old.version, new.version) == (1, 2)
    assert house.zendesk.living(BASE) == {new.token}


async def test_a_grant_that_cannot_be_opened_any_more_stops_no_new_one(house: House) -> None:
    done = await house.authorized()
    assert isinstance(house.sealer, Envelope)
    await house.sealer.shred(done.account)

    await house.authorized()

    assert (await house.access(done.account)).version == 2


async def test_a_new_grant_after_a_revocation_counts_on(house: House) -> None:
    done = await house.authorized()
    before = await house.access(done.account)
    await house.revoke.installation(done.account, "service:ops")
    await house.authorized()

    after = await house.access(done.account, known_version=before.version)

    assert after.version > before.version
    assert house.zendesk.refreshes == 0


async def test_a_setting_that_is_refused_leaves_the_pages_button(house: House) -> None:
    house.zendesk.setting_refused = True
    popup = await house.popup()
    code, state = house.zendesk.confirm(popup.url, ADMIN)

    with pytest.raises(ZendeskRefusedError):
        await house.complete(state, code, "", popup.cookie)

    account = (await house.enter()).installation.account
    assert (await house.installation(account)).state is InstallationState.NEEDS_REAUTHORIZATION
    assert ("installation_token.issued", "failed") in await house.said(account)
    house.zendesk.setting_refused = False
    assert (await house.authorized()).state is InstallationState.AUTHORIZED


async def test_a_caller_who_gives_up_loses_no_pair(house: House) -> None:
    popup = await house.popup()
    code, state = house.zendesk.confirm(popup.url, ADMIN)
    reached, go_on = asyncio.Event(), asyncio.Event()
    show = house.zendesk.installation

    async def slow(base: str, access: str, installation_id: int) -> object:
        reached.set()
        await go_on.wait()
        return await show(base, access, installation_id)

    house.zendesk.installation = slow  # type: ignore[method-assign, assignment]  # waits
    caller = asyncio.create_task(house.complete(state, code, "", popup.cookie))
    await reached.wait()
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    go_on.set()
    await house.complete.drain()

    account = (await house.enter()).installation.account
    assert {(await house.access(account)).token} == house.zendesk.living(BASE)


async def test_zendesk_away_after_the_exchange_refuses_even_if_the_pair_cannot_be_revoked(
    house: House,
) -> None:
    popup = await house.popup()
    code, state = house.zendesk.confirm(popup.url, ADMIN)
    exchange = house.zendesk.exchange_code

    async def last_answer(base: str, code: str, verifier: str) -> object:
        pair = await exchange(base, code, verifier)
        house.zendesk.away = True
        return pair

    house.zendesk.exchange_code = last_answer  # type: ignore[method-assign, assignment]  # then silence
    with pytest.raises(DependencyUnavailableError):
        await house.complete(state, code, "", popup.cookie)
