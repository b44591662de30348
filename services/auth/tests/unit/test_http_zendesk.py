"""What each answer of Zendesk's OAuth endpoints means: done, not done, or nobody knows (facts: auth §2.1, §2.4)."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable

import httpx2
import pytest

from libs.kernel.errors import DependencyUnavailableError
from services.auth.adapters import zendesk as module
from services.auth.adapters.zendesk import ACCESS_SECONDS, REFRESH_SECONDS, HttpZendesk
from services.auth.app.ports import GrantDeadError, RefreshLostError, TokenPair
from services.auth.domain.errors import AccountGoneError, ZendeskRefusedError
from services.auth.tests.house import BASE, CLIENT

Answer = Callable[[httpx2.Request], httpx2.Response]
PAIR = {
    "access_token": "at",
    "refresh_token": "rt",
    "token_type": "bearer",
    "scope": "read users:write",
    "expires_in": 14400,
    "refresh_token_expires_in": 7700000,
}


def zendesk(answer: Answer) -> HttpZendesk:
    return HttpZendesk(httpx2.AsyncClient(transport=httpx2.MockTransport(answer)), CLIENT)


def says(status: int, body: object = None, raw: bytes | None = None) -> Answer:
    content = raw if raw is not None else json.dumps(body).encode()
    return lambda _: httpx2.Response(status, content=content)


def fails(error: type[httpx2.RequestError]) -> Answer:
    def answer(request: httpx2.Request) -> httpx2.Response:
        raise error("secret detail", request=request)

    return answer


async def test_a_code_is_exchanged_with_secret_verifier_and_the_lives_we_want() -> None:
    sent: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        sent.append(request)
        return httpx2.Response(201, json=PAIR)

    pair = await zendesk(answer).exchange_code(BASE, "the-code", "the-verifier")

    assert pair == TokenPair("at", "rt", 14400, 7700000, ("read", "users:write"))
    assert "at" not in repr(pair).replace("TokenPair", "").replace("at=", "")
    assert str(sent[0].url) == f"{BASE}/oauth/tokens"
    assert json.loads(sent[0].content) == {
        "grant_type": "authorization_code",
        "code": "the-code",
        "code_verifier": "the-verifier",
        "redirect_uri": CLIENT.redirect_uri,
        "scope": CLIENT.scope,
        "client_id": CLIENT.client_id,
        "client_secret": CLIENT.client_secret,
        "expires_in": ACCESS_SECONDS,
        "refresh_token_expires_in": REFRESH_SECONDS,
    }
    assert 300 < ACCESS_SECONDS < 172_800
    assert 604_800 < REFRESH_SECONDS < 7_776_000


async def test_old_clients_get_tokens_without_an_end() -> None:
    pair = await zendesk(says(200, {"access_token": "at", "expires_in": None})).refresh(BASE, "old")

    assert pair == TokenPair("at", None, None, None, ())


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (says(400, {"error": "invalid_grant"}), GrantDeadError),
        (says(400, {"error": "invalid_request"}), DependencyUnavailableError),
        (says(400, raw=b"<html>"), DependencyUnavailableError),
        (says(401, {"error": "invalid_client"}), DependencyUnavailableError),
        (says(403, {"error": "invalid_grant"}), DependencyUnavailableError),
        (says(429, {}), DependencyUnavailableError),
        (says(302), DependencyUnavailableError),
        (fails(httpx2.ConnectError), DependencyUnavailableError),
        (says(500), RefreshLostError),
        (says(503, {"error": "invalid_grant"}), RefreshLostError),
        (fails(httpx2.ReadTimeout), RefreshLostError),
        (fails(httpx2.RemoteProtocolError), RefreshLostError),
        (fails(httpx2.DecodingError), RefreshLostError),
        (says(201, raw=b'{"access_token": "at"'), RefreshLostError),
        (says(201, raw=b""), RefreshLostError),
        (says(201, []), RefreshLostError),
        (says(201, {}), RefreshLostError),
        (says(201, {**PAIR, "access_token": None}), RefreshLostError),
        (says(201, {**PAIR, "access_token": ""}), RefreshLostError),
        (says(201, {**PAIR, "refresh_token": 5}), RefreshLostError),
        (says(201, {**PAIR, "expires_in": "soon"}), RefreshLostError),
        (says(201, {**PAIR, "expires_in": -1}), RefreshLostError),
        (says(201, {**PAIR, "scope": ["read"]}), RefreshLostError),
    ],
)
async def test_what_a_refresh_came_to(answer: Answer, kind: type[Exception]) -> None:
    with pytest.raises(kind) as caught:
        await zendesk(answer).refresh(BASE, "rt-secret")

    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (says(400, {"error": "invalid_grant"}), ZendeskRefusedError),
        (says(401, {"error": "invalid_client"}), ZendeskRefusedError),
        (says(500), DependencyUnavailableError),
        (says(429), DependencyUnavailableError),
        (says(201, []), DependencyUnavailableError),
        (fails(httpx2.ReadTimeout), DependencyUnavailableError),
    ],
)
async def test_what_an_exchange_came_to(answer: Answer, kind: type[Exception]) -> None:
    with pytest.raises(kind) as caught:
        await zendesk(answer).exchange_code(BASE, "code-secret", "verifier-secret")

    assert "secret" not in f"{caught.value} {vars(caught.value)}"


async def test_only_a_clear_answer_tells_whether_a_token_lives() -> None:
    assert await zendesk(says(200, {"token": {}})).alive(BASE, "at") is True
    assert await zendesk(says(401, {"error": "invalid_token"})).alive(BASE, "at") is False
    for answer in (says(500), says(429), says(403), says(302), fails(httpx2.ReadTimeout)):
        with pytest.raises(DependencyUnavailableError):
            await zendesk(answer).alive(BASE, "at")


async def test_a_token_counts_as_revoked_only_when_it_is() -> None:
    for status in (204, 200, 401, 404):
        await zendesk(says(status)).revoke(BASE, "at")
    for answer in (says(403), says(429), says(500), fails(httpx2.ConnectError)):
        with pytest.raises(DependencyUnavailableError):
            await zendesk(answer).revoke(BASE, "at")


async def test_the_anonymous_answer_is_nobody_and_a_person_is_read() -> None:
    anonymous = {"user": {"id": None, "name": "Anonymous user", "role": "end-user"}}
    person = {"user": {"id": 7, "name": "Ada", "email": "a@acme.test", "role": "end-user", "suspended": True}}

    assert await zendesk(says(200, anonymous)).myself(BASE, "at") is None
    found = await zendesk(says(200, person)).myself(BASE, "at")

    assert found is not None
    assert (found.id, found.role, found.active) == (7, "end_user", False)
    assert await zendesk(says(404, {"error": "RecordNotFound"})).person(BASE, "at", found.id) is None
    with pytest.raises(GrantDeadError):
        await zendesk(says(401, {"error": "invalid_token"})).person(BASE, "at", found.id)


async def test_a_missing_account_is_told_from_one_that_is_away() -> None:
    with pytest.raises(AccountGoneError):
        await zendesk(says(404, {"error": "NotFound"})).refresh(BASE, "rt")


async def test_a_missing_installation_is_told_from_a_dead_grant() -> None:
    assert await zendesk(says(404, {"error": "RecordNotFound"})).installation(BASE, "at", 55) is None
    with pytest.raises(GrantDeadError):
        await zendesk(says(401, {"error": "invalid_token"})).installation(BASE, "at", 55)


@pytest.mark.parametrize("call", ["refresh", "exchange"])
async def test_an_answer_that_comes_in_drops_does_not_outlast_the_lease(
    call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "HTTP_SECONDS", 0.2)
    never = asyncio.Event()

    async def drops() -> AsyncIterator[bytes]:
        yield b"{"
        await never.wait()

    found = zendesk(lambda _: httpx2.Response(201, content=drops()))

    async with asyncio.timeout(5):
        if call == "refresh":
            with pytest.raises(RefreshLostError):
                await found.refresh(BASE, "rt")
        else:
            with pytest.raises(DependencyUnavailableError):
                await found.exchange_code(BASE, "code", "verifier")
