"""The authorise page in the browser of somebody else: stolen states, mixed-up accounts, CSRF, open redirects.

The real edge in front of the real auth, over mTLS; Zendesk is the one in memory that rotates and deletes.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from http.cookies import SimpleCookie
from urllib.parse import parse_qs, urlsplit

import grpc
import httpx2
import pytest
import pytest_asyncio

from libs.testing.rpc import rpc_harness
from services.auth.domain.installation import InstallationState
from services.auth.rpc.peers import AUTH, PEERS
from services.auth.rpc.servicer import AuthServicer
from services.auth.tests.house import ADMIN, AGENT, BASE, SECOND_ADMIN, House
from services.auth.tests.served import use_cases
from services.auth.tests.signed_urls import ORIGIN, claims, signed
from services.edge.main import build_app
from services.edge.settings import EdgeSettings
from setlist.auth.v1.auth_service_pb2_grpc import add_AuthServiceServicer_to_server

AUTH_PEERS = {name: rule for name, rule in PEERS.items() if name.startswith(f"/{AUTH.full_name}/")}
PUBLIC = "https://setlist.example"
COOKIE = "__Host-setlist_authorization"


@dataclass
class Suite:
    """The edge and what stands behind it."""

    house: House
    edge: httpx2.AsyncClient

    def browser(self) -> Browser:
        return Browser(self)


class Browser:
    """One person's browser: it keeps the cookies that the edge sets."""

    def __init__(self, suite: Suite) -> None:
        self._suite = suite
        self.cookies: dict[str, str] = {}

    async def get(self, address: str) -> httpx2.Response:
        sent = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        answer = await self._suite.edge.get(address, headers={"cookie": sent} if sent else {})
        for line in answer.headers.get_list("set-cookie"):
            for name, morsel in SimpleCookie(line).items():
                self.cookies[name] = morsel.value
        return answer

    async def start(self, user: int = ADMIN, **place: object) -> httpx2.Response:
        """Open the popup, as far as the redirect to Zendesk."""
        session = (await self._suite.house.enter(user, **place)).token  # type: ignore[arg-type]  # subdomain, installation
        begun = await self._suite.edge.post("/v1/authorization", headers={"x-setlist-session": session})
        address = urlsplit(begun.json()["start_url"])
        return await self.get(f"{address.path}?{address.query}")

    async def confirmed(self, user: int = ADMIN, **place: object) -> str:
        """Confirm at Zendesk; return the path to which Zendesk sends the browser back."""
        started = await self.start(user, **place)
        code, state = self._suite.house.zendesk.confirm(started.headers["location"], ADMIN)
        return f"/oauth/callback?code={code}&state={state}"


@pytest_asyncio.fixture
async def suite() -> AsyncIterator[Suite]:
    house = House()

    def add(server: grpc.aio.Server) -> None:
        add_AuthServiceServicer_to_server(AuthServicer(use_cases(house)), server)

    async with contextlib.AsyncExitStack() as stack:
        rpc = await stack.enter_async_context(
            rpc_harness("auth", AUTH_PEERS, [AUTH], add, verifies_context=False)
        )
        files = rpc.files("edge")
        settings = EdgeSettings(
            public_url=PUBLIC,
            auth_address=rpc.address,
            assignment_address="127.0.0.1:1",  # nobody there: copying the account has to wait
            tls_cert_file=files.cert,
            tls_key_file=files.key,
            tls_ca_file=files.ca,
        )
        app = build_app(settings)
        await stack.enter_async_context(app.router.lifespan_context(app))
        # As behind an ingress: the connection is plain although browsers see https.
        transport = httpx2.ASGITransport(app)
        edge = await stack.enter_async_context(
            httpx2.AsyncClient(transport=transport, base_url="http://edge", follow_redirects=False)
        )
        yield Suite(house, edge)


async def state_of(suite: Suite) -> InstallationState:
    [installation] = await suite.house.store.installations(None, 10, None)
    return installation.state


async def test_the_browser_that_began_may_finish(suite: Suite) -> None:
    browser = suite.browser()

    answer = await browser.get(await browser.confirmed())

    assert answer.status_code == 200
    assert await state_of(suite) is InstallationState.AUTHORIZED
    assert suite.house.zendesk.living(BASE)


async def test_a_stolen_redirect_is_of_no_use_in_another_browser(suite: Suite) -> None:
    victim, thief = suite.browser(), suite.browser()
    redirect = await victim.confirmed()

    assert (await thief.get(redirect)).status_code == 400
    assert await state_of(suite) is InstallationState.UNAUTHORIZED
    assert suite.house.zendesk.living(BASE) == set()

    assert (await victim.get(redirect)).status_code == 200


async def test_a_stranger_cannot_have_his_own_grant_finished_in_a_victims_browser(suite: Suite) -> None:
    """Login CSRF: the victim, who also has a popup open, is made to follow the stranger's redirect."""
    stranger, victim = suite.browser(), suite.browser()
    await victim.start(SECOND_ADMIN)
    redirect = await stranger.confirmed()

    assert (await victim.get(redirect)).status_code == 400
    assert suite.house.zendesk.living(BASE) == set()


async def test_a_code_of_one_popup_does_not_fit_the_state_of_another(suite: Suite) -> None:
    browser = suite.browser()
    first = parse_qs(urlsplit(await browser.confirmed()).query)
    second = parse_qs(urlsplit(await browser.confirmed()).query)

    answer = await browser.get(f"/oauth/callback?code={first['code'][0]}&state={second['state'][0]}")

    assert answer.status_code == 400
    assert await state_of(suite) is InstallationState.UNAUTHORIZED


async def test_the_code_of_another_account_is_refused(suite: Suite) -> None:
    browser = suite.browser()
    other = parse_qs(urlsplit(await browser.confirmed(subdomain="globex")).query)
    mine = parse_qs(urlsplit(await browser.confirmed()).query)

    answer = await browser.get(f"/oauth/callback?code={other['code'][0]}&state={mine['state'][0]}")

    assert answer.status_code == 400
    assert suite.house.zendesk.living(BASE) == set()
    assert suite.house.zendesk.living("https://globex.zendesk.com") == set()


async def test_an_agent_who_has_an_admin_confirm_gets_nothing(suite: Suite) -> None:
    browser = suite.browser()

    assert (await browser.get(await browser.confirmed(AGENT))).status_code == 400

    assert await state_of(suite) is InstallationState.UNAUTHORIZED
    assert suite.house.zendesk.living(BASE) == set()


async def test_a_redirect_works_once(suite: Suite) -> None:
    browser = suite.browser()
    redirect = await browser.confirmed()
    cookies = dict(browser.cookies)
    assert (await browser.get(redirect)).status_code == 200
    browser.cookies = cookies

    assert (await browser.get(redirect)).status_code == 400


@pytest.mark.parametrize(
    "extra",
    [
        "redirect_uri=https://evil.example",
        "next=https://evil.example",
        "return_to=//evil.example",
        "subdomain=evil",
        "origin=https://evil.example",
        "client_id=evil",
    ],
)
async def test_the_popup_leads_to_the_accounts_own_zendesk_whatever_the_query_says(
    suite: Suite, extra: str
) -> None:
    session = (await suite.house.enter()).token
    begun = await suite.edge.post(f"/v1/authorization?{extra}", headers={"x-setlist-session": session})
    start_url = begun.json()["start_url"]
    assert start_url.startswith(f"{PUBLIC}/oauth/start?ticket=")

    started = await suite.browser().get(f"/oauth/start?{extra}&{urlsplit(start_url).query}")

    assert started.status_code == 302
    location = urlsplit(started.headers["location"])
    assert f"{location.scheme}://{location.netloc}{location.path}" == f"{BASE}/oauth/authorizations/new"
    assert parse_qs(location.query)["redirect_uri"] == ["https://edge.test/oauth/callback"]
    assert "evil" not in started.headers["location"]


@pytest.mark.parametrize(
    "query",
    [
        "",
        "state=x",
        "state=acc-1.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA&code=x&redirect_uri=https://evil.example",
        "error=access_denied&error_uri=https://evil.example&state=x",
        "error=%3Cscript%3Ealert(1)%3C/script%3E&error_description=%3Cimg%20src=x%3E&state=x",
        "state=" + "x" * 5000,
    ],
)
async def test_the_callback_redirects_nowhere_and_repeats_nothing(suite: Suite, query: str) -> None:
    answer = await suite.browser().get(f"/oauth/callback?{query}")

    assert answer.status_code == 400
    assert "location" not in answer.headers
    for word in ("evil", "<script>alert", "<img src=x", "x" * 100):
        assert word not in answer.text


async def test_every_refusal_of_a_redirect_reads_the_same(suite: Suite) -> None:
    browser = suite.browser()
    redirect = await browser.confirmed()
    texts = {
        (await suite.browser().get(redirect)).text,
        (await suite.browser().get("/oauth/callback?code=x&state=made-up")).text,
    }
    await browser.get(redirect)
    texts.add((await browser.get(redirect)).text)

    assert len(texts) == 1


async def test_another_site_cannot_press_the_button(suite: Suite) -> None:
    """A form of another site has no session header, and no browser would let it set one."""
    foreign = {"origin": "https://evil.example", "content-type": "application/x-www-form-urlencoded"}
    for content in (b"", b"x-setlist-session=stolen"):
        answer = await suite.edge.post("/v1/authorization", content=content, headers=foreign)
        assert answer.status_code == 401
    asked = await suite.edge.request(
        "OPTIONS",
        "/v1/authorization",
        headers={
            "origin": "https://evil.example",
            "access-control-request-method": "POST",
            "access-control-request-headers": "x-setlist-session",
        },
    )
    assert not [name for name in asked.headers if name.startswith("access-control-")]
    assert (await suite.edge.get("/v1/authorization")).status_code == 405


async def test_the_cookie_is_ours_alone_and_the_pages_cannot_be_framed(suite: Suite) -> None:
    browser = suite.browser()
    started = await browser.start()
    [line] = started.headers.get_list("set-cookie")
    [(name, morsel)] = SimpleCookie(line).items()
    assert (name, morsel["path"], morsel["domain"]) == (COOKIE, "/", "")
    assert morsel["secure"]
    assert morsel["httponly"]
    assert morsel["samesite"].lower() == "lax"
    assert started.headers["referrer-policy"] == "no-referrer"

    ended = await browser.get("/oauth/callback?state=x")

    assert "frame-ancestors 'none'" in ended.headers["content-security-policy"]
    assert ended.headers["cache-control"] == "no-store"
    assert ended.headers["referrer-policy"] == "no-referrer"
    assert browser.cookies[COOKIE] == ""  # taken back under the name it was given


async def test_a_replayed_signed_url_opens_nothing(suite: Suite) -> None:
    form = {"token": signed(claims(suite.house.clock.now(), ADMIN))}
    place = f"/zendesk/app?origin={ORIGIN}&app_guid=x"

    first = await suite.edge.post(place, data=form)
    again = await suite.edge.post(place, data=form)

    assert (first.status_code, again.status_code) == (200, 401)
    assert "frame-ancestors https://acme.zendesk.com" in first.headers["content-security-policy"]
    forged = await suite.edge.post(place, data={"token": f"{form['token']}x"})
    assert forged.text == again.text


async def test_a_form_that_lies_about_its_length_is_cut_off(suite: Suite) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(1000):
            yield b"token=" + b"x" * 1000

    answer = await suite.edge.post("/zendesk/app", content=endless())

    assert answer.status_code == 413
