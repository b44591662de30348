"""Auth against the Zendesk simulator over HTTP: authorise, refresh, mirror, revoke, remove, install again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import parse_qs, parse_qsl, urlsplit

import httpx2
import pytest
import pytest_asyncio

from libs.kernel.clock import ManualClock
from services.auth.adapters.zendesk import HttpZendesk
from services.auth.app.authorize import OAuthClient
from services.auth.domain.errors import (
    AuthorizationRefusedError,
    NotAuthorizedError,
    ReauthorizationNeededError,
)
from services.auth.domain.installation import ASK_EVERY, CONFIRM_AFTER, Installation, InstallationState
from services.auth.tests.house import ADMIN, AGENT, BASE, SECOND_ADMIN, House
from services.auth.tests.signed_urls import APP, APP_KEY, ORIGIN
from tools.zendesk_simulator.resources.apps import add_app, install, signed_url
from tools.zendesk_simulator.seed import seed_account
from tools.zendesk_simulator.server import build_app
from tools.zendesk_simulator.state import Account, World

CLIENT = OAuthClient(
    "setlist", "client-secret", "https://edge.test/oauth/callback", "read users:write apps:write"
)
SPEC = {
    "subdomain": "acme",
    "plan": "unlimited",
    "oauth_clients": [
        {
            "identifier": CLIENT.client_id,
            "name": "Setlist",
            "secret": CLIENT.client_secret,
            "redirect_uri": [CLIENT.redirect_uri],
        }
    ],
    "users": [
        {"id": ADMIN, "name": "Ada Admin", "email": "ada@acme.test", "role": "admin"},
        {"id": SECOND_ADMIN, "name": "Bob Boss", "email": "bob@acme.test", "role": "admin"},
        {"id": AGENT, "name": "Cy Agent", "email": "cy@acme.test", "role": "agent"},
    ],
}


@dataclass
class Way:
    """An account at Zendesk and auth in front of it."""

    house: House
    account: Account
    http: httpx2.AsyncClient

    def install(self) -> int:
        """Install the app, as an admin does in Zendesk; return the installation's id."""
        return int(install(self.account, self.account.apps[APP], {"name": "Setlist"})["id"])

    async def redirect(
        self, installation: int, user: int = ADMIN, decision: str = "allow"
    ) -> tuple[str, str, str, str]:
        """Go to Zendesk's page as a user and decide; return state, code, error and our cookie."""
        loaded = signed_url(self.account, self.account.installations[installation], user)
        opened = await self.house.open_session(loaded["token"], ORIGIN)
        ticket, _ = await self.house.authorize.begin(opened.token)
        url, cookie = await self.house.authorize.start(ticket)
        form = dict(parse_qsl(urlsplit(url).query)) | {"decision": decision}
        answer = await self.http.post(
            f"{BASE}/oauth/authorizations/new", data=form, headers={"cookie": f"_zendesk_session={user}"}
        )
        back = parse_qs(urlsplit(answer.headers["location"]).query)
        return back["state"][0], back.get("code", [""])[0], back.get("error", [""])[0], cookie

    async def authorize(self, installation: int, user: int = ADMIN) -> Installation:
        """Go the whole way."""
        return await self.house.complete(*await self.redirect(installation, user))

    def living(self) -> int:
        """Return how many tokens of ours Zendesk takes."""
        return len(self.account.tokens)


@pytest_asyncio.fixture
async def way() -> AsyncIterator[Way]:
    clock = ManualClock()
    world = World(clock)
    seed_account(world, SPEC)
    account = world.accounts["acme"]
    add_app(
        account,
        {"id": APP, "name": "Setlist", "parameters": [{"name": "token", "type": "hidden", "secure": True}]},
        APP_KEY,
    )
    transport = httpx2.ASGITransport(build_app(world))
    async with httpx2.AsyncClient(transport=transport, follow_redirects=False) as http:
        zendesk = HttpZendesk(http, CLIENT)
        there = House(clock=clock, zendesk=zendesk, client=CLIENT)  # type: ignore[arg-type]  # a house asks its port only
        yield Way(there, account, http)


async def test_the_whole_way_leaves_a_grant_and_the_apps_secret_setting(way: Way) -> None:
    done = await way.authorize(way.install())

    assert (done.state, done.admin) == (InstallationState.AUTHORIZED, ADMIN)
    assert set(done.scopes) == {"read", "users:write", "apps:write"}
    token = way.account.installations[done.installation_id]["settings"]["token"]
    living = await way.house.verify(token)
    assert living is not None
    assert living.account == done.account
    assert way.living() == 1


async def test_a_denial_leaves_nothing(way: Way) -> None:
    with pytest.raises(AuthorizationRefusedError) as caught:
        await way.house.complete(*await way.redirect(way.install(), decision="deny"))

    assert caught.value.metadata == {"error": "access_denied"}
    assert way.living() == 0


async def test_an_agents_grant_is_revoked_at_zendesk(way: Way) -> None:
    with pytest.raises(AuthorizationRefusedError):
        await way.authorize(way.install(), AGENT)

    assert way.living() == 0


async def test_a_refresh_replaces_the_pair(way: Way) -> None:
    done = await way.authorize(way.install())
    first = await way.house.access(done.account)

    second = await way.house.access(done.account, known_version=first.version)

    assert (second.version, way.living()) == (2, 1)
    assert first.token not in way.account.tokens
    assert second.token in way.account.tokens


async def test_a_token_that_an_admin_revoked_at_zendesk_needs_a_new_authorisation(way: Way) -> None:
    done = await way.authorize(way.install())
    way.account.tokens.clear()
    way.account.by_refresh.clear()

    with pytest.raises(ReauthorizationNeededError):
        await way.house.access(done.account, known_version=1)

    assert (await way.house.installation(done.account)).state is InstallationState.NEEDS_REAUTHORIZATION
    assert (await way.authorize(done.installation_id)).account == done.account


async def test_we_revoke_at_zendesk_first(way: Way) -> None:
    done = await way.authorize(way.install())

    await way.house.revoke.installation(done.account, "service:ops")

    assert way.living() == 0


async def watch(way: Way, after: timedelta) -> None:
    way.house.clock.advance(after)
    await way.house.ahead.once()
    await way.house.installations_watch.once()


async def test_what_the_admin_changes_in_zendesk_is_kept(way: Way) -> None:
    done = await way.authorize(way.install())
    row = way.account.installations[done.installation_id]
    row |= {"enabled": False, "group_restrictions": ["360001", "360002"], "role_restrictions": ["31"]}

    await watch(way, ASK_EVERY)

    mine = await way.house.installation(done.account)
    assert (mine.enabled, mine.group_restrictions, mine.role_restrictions) == (False, (360001, 360002), (31,))


async def test_a_removed_app_ends_here_and_its_grant_there(way: Way) -> None:
    done = await way.authorize(way.install())
    del way.account.installations[done.installation_id]

    await watch(way, ASK_EVERY)
    await watch(way, CONFIRM_AFTER)

    assert (await way.house.installation(done.account)).state is InstallationState.REVOKED
    assert way.living() == 0
    with pytest.raises(NotAuthorizedError):
        await way.house.access(done.account)


async def test_the_app_installed_again_finds_its_account(way: Way) -> None:
    done = await way.authorize(way.install())
    del way.account.installations[done.installation_id]
    await watch(way, ASK_EVERY)
    await watch(way, CONFIRM_AFTER)

    again = await way.authorize(way.install(), SECOND_ADMIN)

    assert (again.account, again.state) == (done.account, InstallationState.AUTHORIZED)
    assert again.installation_id != done.installation_id
    assert way.living() == 1
