"""The house: every part of the suite as a process of its own, wired with mTLS, on this machine."""

from __future__ import annotations

import asyncio
import base64
import os
import secrets
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import grpc
import httpx2
from grpc_health.v1 import health_pb2
from grpc_health.v1.health_pb2_grpc import HealthStub

from libs.clients.channels import Channels
from libs.clients.context_tokens import ContextTokens
from libs.crypto.ca import ThrowAwayCa
from libs.db.binaries import EmbeddedPostgresError
from libs.db.embedded import EmbeddedPostgres
from libs.db.urls import sqlalchemy_url
from libs.rpc.tls import TlsFiles
from libs.settings.clock import VARIABLE, SharedClock
from libs.settings.service import ServiceSettings
from tools.demo.failures import DemoError, asking
from tools.demo.folder import WorkFolder
from tools.demo.processes import Processes, Running, StartError, require_free_port

HOST = "127.0.0.1"
SERVICES = {"auth": 7001, "policy": 7002, "assignment": 7003, "privacy": 7004}
EDGE, SIMULATOR, HEALTH = 8080, 8090, 100
CLIENT_ID = "setlist"
READY_SECONDS = 60.0
PORT_PATIENCE_SECONDS = 20.0
_SEALING = ("auth", "assignment", "privacy")


@dataclass(slots=True)
class House:
    """The running suite.

    Args:
        folder: where it works.
        port_offset: added to every port.

    Attributes:
        clock: shared by every process.
        channels: to the four services, as `ops`.
        tokens: context tokens in `ops`' own name.
    """

    folder: WorkFolder
    port_offset: int = 0
    clock: SharedClock = field(init=False)
    channels: Channels = field(init=False)
    tokens: ContextTokens = field(init=False)
    tls: TlsFiles = field(init=False)
    processes: Processes = field(init=False)
    _stack: AsyncExitStack = field(init=False, default_factory=AsyncExitStack)
    _client_secret: str = field(init=False, default_factory=lambda: secrets.token_urlsafe(24))

    def port(self, usual: int) -> int:
        """Return a port of this run."""
        return usual + self.port_offset

    def address(self, service: str) -> str:
        """Return `host:port` of a service."""
        return f"{HOST}:{self.port(SERVICES[service])}"

    @property
    def edge(self) -> str:
        """The edge's base URL."""
        return f"http://{HOST}:{self.port(EDGE)}"

    @property
    def simulator(self) -> str:
        """The simulator's base URL."""
        return f"http://{HOST}:{self.port(SIMULATOR)}"

    def oauth_client(self) -> dict[str, object]:
        """Return our OAuth client as Zendesk registers it."""
        return {
            "identifier": CLIENT_ID,
            "name": "Setlist",
            "secret": self._client_secret,
            "redirect_uri": [f"{self.edge}/oauth/callback"],
        }

    async def __aenter__(self) -> Self:
        """Start the database and the simulator; the services come up with `open`."""
        path = self.folder.path
        await self._free_ports()
        self.processes = Processes(path)
        self.clock = SharedClock.create(path / "clock")
        self._stack.push_async_exit(self._stop)
        try:
            await self._start_simulator()
        except BaseException as error:
            await self._stack.__aexit__(type(error), error, error.__traceback__)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.__aexit__(kind, error, trace)

    async def _stop(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        troubles = await self.processes.stop()
        if troubles and error is None:  # an error of the run says more than what came after it
            raise DemoError("; ".join(troubles))

    async def _free_ports(self) -> None:
        """Refuse taken ports; after a killed run wait until its processes have ended."""
        usual = {**SERVICES, "edge": EDGE, "the simulator": SIMULATOR}
        wanted = {name: self.port(number) for name, number in usual.items()}
        wanted |= {f"{name}'s health": self.port(number) + HEALTH for name, number in SERVICES.items()}
        loop = asyncio.get_running_loop()
        end = loop.time() + (PORT_PATIENCE_SECONDS if self.folder.leftovers else 0)
        for name, number in wanted.items():
            while True:
                try:
                    require_free_port(name, HOST, number)
                    break
                except StartError as error:
                    if loop.time() >= end:
                        raise DemoError(str(error)) from None
                    await asyncio.sleep(0.1)

    async def _start_simulator(self) -> None:
        environment = {VARIABLE: str(self.folder.path / "clock")}
        running = await self.processes.start(
            "simulator",
            "tools.zendesk_simulator",
            "--port",
            str(self.port(SIMULATOR)),
            environment=environment,
        )
        await self.processes.wait_for_port(running, HOST, self.port(SIMULATOR))

    async def open(self, app_key: Path, app_id: int) -> None:
        """Start the four services and the edge and wait until they are ready.

        Args:
            app_key: Zendesk's public key of our app.
            app_id: the app's id.
        """
        path = self.folder.path
        ca = ThrowAwayCa()
        (path / "ca.crt").write_bytes(ca.certificate)
        for name in (*SERVICES, "edge", "ops"):
            ca.issue(name).write(path / "tls", name)
        urls = self._databases()
        migrations = [
            self.processes.run(
                f"{name}-migrate",
                f"services.{name}.migrate",
                environment={f"{name.upper()}_DATABASE_URL": url},
            )
            for name, url in urls.items()
        ]
        await asyncio.gather(*migrations)
        extra = {
            "AUTH_APP_PUBLIC_KEY_FILES": f"{app_id}={app_key}",
            "AUTH_JOURNAL_DIR": str(path / "journal"),
            "AUTH_OAUTH_CLIENT_ID": CLIENT_ID,
            "AUTH_OAUTH_CLIENT_SECRET": self._client_secret,
            "AUTH_OAUTH_REDIRECT_URI": f"{self.edge}/oauth/callback",
        }
        started = [
            (name, await self._start(name, port, urls[name], extra)) for name, port in SERVICES.items()
        ]
        started.append(("edge", await self._start("edge", EDGE, None, {"EDGE_PUBLIC_URL": self.edge})))
        self.tls = TlsFiles(path / "tls" / "ops.crt", path / "tls" / "ops.key", path / "ca.crt")
        await asyncio.gather(*(self._ready(name, running) for name, running in started))
        addresses = {f"{name}_address": self.address(name) for name in SERVICES}
        self.channels = Channels(ServiceSettings.model_validate(addresses), self.tls)
        self._stack.push_async_callback(self.channels.close)
        self.tokens = ContextTokens(self.channels, "ops", self.clock)

    def _databases(self) -> Mapping[str, str]:
        try:
            server = self._stack.enter_context(EmbeddedPostgres(self.folder.postgres))
            return {name: sqlalchemy_text(server.create_database(f"setlist_{name}")) for name in SERVICES}
        except EmbeddedPostgresError as error:
            raise DemoError(str(error)) from error

    async def _start(self, name: str, port: int, database: str | None, extra: Mapping[str, str]) -> Running:
        path, prefix = self.folder.path, name.upper()
        own = {
            "PORT": str(self.port(port)),
            "HEALTH_PORT": str(self.port(port) + HEALTH),
            "TLS_CERT_FILE": str(path / "tls" / f"{name}.crt"),
            "TLS_KEY_FILE": str(path / "tls" / f"{name}.key"),
            "TLS_CA_FILE": str(path / "ca.crt"),
            "HOST": HOST,
            "DRAIN_LAG_SECONDS": "0",
            "DRAIN_GRACE_SECONDS": "5",
            "PAGE_TOKEN_KEY": secrets.token_hex(32),
            **{
                f"{service.upper()}_ADDRESS": self.address(service) for service in SERVICES if service != name
            },
        }
        if database is not None:
            own["DATABASE_URL"] = database
        if name in _SEALING:
            own["KEY_ENCRYPTION_KEY"] = base64.b64encode(os.urandom(32)).decode()
        environment = {f"{prefix}_{key}": value for key, value in own.items()}
        environment |= {k: v for k, v in extra.items() if k.startswith(prefix)}
        environment |= {
            VARIABLE: str(path / "clock"),
            "ZENDESK_URL_TEMPLATE": f"{self.simulator}/_accounts/{{subdomain}}",
        }
        return await self.processes.start(name, f"services.{name}.main", environment=environment)

    async def _ready(self, name: str, running: Running) -> None:
        port = self.port(EDGE) if name == "edge" else self.port(SERVICES[name]) + HEALTH
        await self.processes.wait_for_port(running, HOST, port)
        loop = asyncio.get_running_loop()
        end = loop.time() + READY_SECONDS
        while not (await _edge_ready(self.edge) if name == "edge" else await _serving(f"{HOST}:{port}")):
            if running.process.returncode is not None or loop.time() > end:
                raise DemoError(f"{name} did not become ready:\n{running.tail()}")
            await asyncio.sleep(0.05)

    def require_all_alive(self) -> None:
        """Refuse to go on without a part.

        Raises:
            DemoError: a process ended by itself.
        """
        dead = self.processes.dead()
        if dead is not None:
            code = dead.process.returncode
            raise DemoError(f"{dead.name} ended with code {code} during the run:\n{dead.tail()}")

    async def control(
        self, http: httpx2.AsyncClient, method: str, path: str, body: object = None
    ) -> dict[str, object]:
        """Call the simulator's control API."""
        with asking("the simulator"):
            answer = await http.request(method, f"{self.simulator}/_control/{path}", json=body)
        if answer.status_code >= 400:
            raise DemoError(f"the simulator answered {answer.status_code} to `{path}`: {answer.text[:200]}")
        parsed: dict[str, object] = answer.json()
        return parsed


def sqlalchemy_text(url: str) -> str:
    """Return a libpq address as the services' settings want it."""
    return sqlalchemy_url(url).render_as_string(hide_password=False)


async def _serving(address: str) -> bool:
    async with grpc.aio.insecure_channel(address) as channel:
        try:
            answer = await HealthStub(channel).Check(  # type: ignore[attr-defined]  # types-grpcio-health-checking lacks it
                health_pb2.HealthCheckRequest(), timeout=2.0
            )
        except grpc.aio.AioRpcError:
            return False
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


async def _edge_ready(base: str) -> bool:
    async with httpx2.AsyncClient(trust_env=False, timeout=2.0) as http:
        try:
            return (await http.get(f"{base}/readyz")).status_code == 200
        except httpx2.TransportError:
            return False
