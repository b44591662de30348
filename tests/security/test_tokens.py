"""Forged, altered, foreign and revoked installation tokens at the real edge in front of the real auth."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import httpx2
import pytest
import pytest_asyncio

from libs.crypto.signer import Signer
from libs.crypto.tests.attacks import Good, forgeries, twin
from libs.crypto.tokens import CONTEXT_TYP, INSTALLATION_TYP
from libs.kernel.errors import UnauthenticatedError
from libs.testing.rpc import rpc_harness
from services.auth.domain.installation import InstallationState
from services.auth.rpc.peers import AUTH, PEERS
from services.auth.rpc.servicer import AuthServicer
from services.auth.tests.house import AGENT, House
from services.auth.tests.served import use_cases
from services.edge.main import build_app
from services.edge.settings import EdgeSettings
from setlist.auth.v1.auth_service_pb2_grpc import add_AuthServiceServicer_to_server

AUTH_PEERS = {name: rule for name, rule in PEERS.items() if name.startswith(f"/{AUTH.full_name}/")}
BASIC = {"authorization": "Basic " + base64.b64encode(b"gateway:secret").decode()}
DEAD = b'{"active":false}'


@dataclass
class Doors:
    """The edge's standard endpoints and the auth behind them, with one authorised account."""

    house: House
    edge: httpx2.AsyncClient
    token: str
    session: str

    @property
    def good(self) -> Good:
        signers, now = self.house.keys.signers, self.house.clock.now()
        claims = self.house.keys.read_installation_token(self.token, now).values
        return Good(signers["installation"], signers["context"], claims, INSTALLATION_TYP, CONTEXT_TYP)

    async def introspect(self, token: str) -> bytes:
        answer = await self.edge.post("/oauth/introspect", data={"token": token}, headers=BASIC)
        assert answer.status_code in (200, 400), answer.text  # 400: an empty token is a missing one
        return answer.content

    async def alive(self, token: str) -> bool:
        return bool(json.loads(await self.introspect(token))["active"])


@pytest_asyncio.fixture(scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Doors]:
    async with open_doors(tmp_path_factory.mktemp("doors")) as doors:
        yield doors


@pytest_asyncio.fixture
async def doors(tmp_path: Path) -> AsyncIterator[Doors]:
    async with open_doors(tmp_path) as fresh:
        yield fresh


@contextlib.asynccontextmanager
async def open_doors(folder: Path) -> AsyncIterator[Doors]:
    house = House()
    await house.keep_keys.keep()
    entry = {
        "client_id": "gateway",
        "secret_sha256": hashlib.sha256(b"secret").hexdigest(),
        "may": ["introspect", "revoke"],
    }
    (folder / "clients.json").write_text(json.dumps([entry]))

    def add(server: grpc.aio.Server) -> None:
        add_AuthServiceServicer_to_server(AuthServicer(use_cases(house)), server)

    async with contextlib.AsyncExitStack() as stack:
        rpc = await stack.enter_async_context(
            rpc_harness("auth", AUTH_PEERS, [AUTH], add, verifies_context=False)
        )
        stack.callback(house.watch.close)
        files = rpc.files("edge")
        settings = EdgeSettings(
            auth_address=rpc.address,
            oauth_clients_file=folder / "clients.json",
            tls_cert_file=files.cert,
            tls_key_file=files.key,
            tls_ca_file=files.ca,
        )
        app = build_app(settings)
        await stack.enter_async_context(app.router.lifespan_context(app))
        transport = httpx2.ASGITransport(app)
        edge = await stack.enter_async_context(
            httpx2.AsyncClient(transport=transport, base_url="https://edge")
        )
        done = await house.authorized()
        session = (await house.enter(AGENT)).token
        yield Doors(house, edge, house.token_of(done), session)


_NAMES = sorted(
    forgeries(
        Good(
            Signer.generate("ins-1"),
            Signer.generate("ctx-1"),
            {"iss": "i", "aud": "a", "tid": "t", "iat": 1},
            INSTALLATION_TYP,
            CONTEXT_TYP,
        )
    )
)


@pytest.mark.parametrize("name", _NAMES)
async def test_a_forged_token_opens_no_door_and_is_told_nothing(shared: Doors, name: str) -> None:
    forged = forgeries(shared.good)[name]
    before = len(await shared.house.memory.feed.tail(10))

    said = await shared.introspect(forged)
    revoked = await shared.edge.post("/oauth/revoke", data={"token": forged}, headers=BASIC)
    with pytest.raises(UnauthenticatedError) as caught:
        await shared.house.exchange.of_person(forged, shared.session, "edge", "policy")
    asked = None
    if forged.isascii() and forged.isprintable():
        credentials = {"authorization": f"Bearer {forged}", "x-setlist-session": shared.session}
        asked = await shared.edge.get("/v1/agents", headers=credentials)

    assert said == DEAD or forged == ""
    assert revoked.content == b"" or forged == ""
    assert len(await shared.house.memory.feed.tail(10)) == before
    assert str(caught.value) == "the credentials are not valid"
    if asked is not None:
        assert asked.status_code == 401
        assert asked.headers["www-authenticate"] == 'Bearer error="invalid_token"'
    assert await shared.alive(shared.token)


async def test_the_twin_of_a_token_is_the_token_and_dies_with_it(doors: Doors) -> None:
    other = twin(doors.token)
    assert [await doors.alive(text) for text in (doors.token, other)] == [True, True]

    answer = await doors.edge.post("/oauth/revoke", data={"token": other}, headers=BASIC)

    assert answer.status_code == 200
    assert [await doors.introspect(text) for text in (doors.token, other)] == [DEAD, DEAD]
    assert await doors.introspect(doors.session) == DEAD
    [installation] = await doors.house.store.installations(None, 10, None)
    assert installation.state is InstallationState.NEEDS_REAUTHORIZATION


async def test_a_session_is_revoked_alone(doors: Doors) -> None:
    assert await doors.alive(doors.session)
    await doors.edge.post("/oauth/revoke", data={"token": doors.session}, headers=BASIC)

    assert await doors.introspect(doors.session) == DEAD
    assert await doors.alive(doors.token)


async def test_a_context_token_is_neither_introspected_nor_revoked(doors: Doors) -> None:
    made = await doors.house.exchange.of_person(doors.token, doors.session, "edge", "policy")
    answer = await doors.edge.post("/oauth/revoke", data={"token": made.token}, headers=BASIC)

    assert await doors.introspect(made.token) == DEAD
    assert (answer.status_code, answer.json()["error"]) == (400, "unsupported_token_type")


async def test_a_token_of_one_account_with_a_session_of_another_is_nobody(doors: Doors) -> None:
    other = await doors.house.authorized(subdomain="other", installation=77)

    with pytest.raises(UnauthenticatedError):
        await doors.house.exchange.of_person(doors.house.token_of(other), doors.session, "edge", "policy")


async def test_a_revoked_key_takes_its_tokens_and_leaves_the_published_set(doors: Doors) -> None:
    kid = doors.house.keys.signers["installation"].kid
    published = (await doors.edge.get("/.well-known/jwks.json")).json()["keys"]
    assert kid in {key["kid"] for key in published}
    assert all(key["use"] == "sig" and "d" not in key for key in published)

    await doors.house.keep_keys.revoke(kid, "service:ops")

    assert await doors.introspect(doors.token) == DEAD
    after = (await doors.edge.get("/.well-known/jwks.json")).json()["keys"]
    assert kid not in {key["kid"] for key in after}
    assert len(after) == len(published)
