"""The one way a process starts, serves, drains and stops."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import signal
import sys
from collections.abc import Sequence
from typing import Any

import uvloop

from libs.clients.channels import Channels
from libs.clients.context_tokens import ContextTokens
from libs.clients.revocation_feed import RevocationFollower
from libs.clients.verifier import ContextKeys, keys_of_auth
from libs.crypto.revocations import Revocations
from libs.db.binaries import EmbeddedPostgresError
from libs.db.embedded import EmbeddedPostgres
from libs.db.engine import Database
from libs.db.migrate import MigrationError, migrate, schema_revision
from libs.rpc.backends import Backend, prepare_loop
from libs.rpc.health import Health, Probe
from libs.rpc.pages import PageTokens
from libs.rpc.peers import check_complete
from libs.rpc.server import (
    Limits,
    OpenPlaintextError,
    PortTakenError,
    add_reflection,
    build_server,
    listen,
)
from libs.rpc.tls import ServerCertificate, TlsFiles
from libs.service.definition import Loop, Parts, ServiceDefinition, Wiring
from libs.service.supervise import LoopFailedError, supervise
from libs.settings.clock import clock_from_environment
from libs.settings.service import ServiceSettings, load_settings, print_help, print_settings
from libs.telemetry.logs import configure_logs, get_logger
from libs.telemetry.traces import configure_telemetry, flush

HEALTH_OFFSET = 100
CERTIFICATE_CHECK_SECONDS = 10.0


def run_service(definition: ServiceDefinition[Any], arguments: Sequence[str] | None = None) -> None:
    """Start a service and serve until SIGTERM or SIGINT; then drain.

    Args:
        definition: the service.
        arguments: command line; `--help` and `--print-config` answer and end.

    Raises:
        SystemExit: code 0 after a drain, 1 when it could not start or a loop died, 2 for bad settings.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    if "--help" in given or "-h" in given:
        print_help(definition.name, definition.settings_type)
        raise SystemExit(0)
    settings = load_settings(definition.settings_type)
    if "--print-config" in given:
        print_settings(settings)
        raise SystemExit(0)
    if given:
        print(f"{definition.name}: unknown argument `{given[0]}`; see --help", file=sys.stderr)  # noqa: T201
        raise SystemExit(2)
    configure_logs(definition.name, settings.log_level)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_Process(definition, settings).run())
    except (PortTakenError, OpenPlaintextError, StartError, LoopFailedError) as error:
        print(f"{definition.name}: {error}", file=sys.stderr)  # noqa: T201 - the one sentence a person sees
        raise SystemExit(1) from None


class StartError(Exception):
    """The service cannot start; the message says why and what to do."""


class _Process:
    def __init__(self, definition: ServiceDefinition[Any], settings: ServiceSettings) -> None:
        self._definition = definition
        self._settings = settings
        self._stop = asyncio.Event()
        self._log = get_logger()

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        async with contextlib.AsyncExitStack() as stack:
            providers = configure_telemetry(self._definition.name, self._settings.otlp_endpoint)
            stack.push_async_callback(flush, providers)
            await self._serve(stack)
        self._log.info("stopped")

    async def _serve(self, stack: contextlib.AsyncExitStack) -> None:
        settings, name = self._settings, self._definition.name
        try:
            clock = clock_from_environment()
        except (OSError, ValueError) as error:
            raise StartError(f"the clock file cannot be used: {error}") from error
        database = Database(self._database_url(stack), name=name, pool_size=settings.database_connections)
        stack.push_async_callback(database.close)
        tls = tls_files(settings)
        channels = Channels(settings, tls)
        stack.push_async_callback(channels.close)
        revocations = Revocations()
        tokens = ContextTokens(channels, name, clock, revocations)
        key = settings.page_token_key
        pages = PageTokens(key.get_secret_value().encode() if key else None)
        keys = ContextKeys(keys_of_auth(channels), settings.issuer, clock, revocations)
        wiring = await self._definition.build(Parts(settings, clock, database, channels, tokens, pages, keys))
        stack.push_async_callback(wiring.close)
        faults = check_complete(self._definition.peers, wiring.services)
        if faults:
            raise StartError("; ".join(faults))
        if not self._definition.verifies_context:
            await self._listen(stack, wiring, tls, None, self._probes(database, None, wiring), ())
            return
        follower = RevocationFollower(channels, revocations)
        loops = [("context keys", keys.watch), ("revocations", follower.follow)]
        await self._listen(stack, wiring, tls, keys, self._probes(database, keys, wiring), loops)

    async def _listen(
        self,
        stack: contextlib.AsyncExitStack,
        wiring: Wiring,
        tls: TlsFiles | None,
        keys: ContextKeys | None,
        probes: Sequence[Probe],
        loops: Sequence[tuple[str, Loop]],
    ) -> None:
        settings, names = self._settings, [s.full_name for s in wiring.services]
        backend = Backend(settings.rpc_backend)
        prepare_loop(backend, settings.max_calls)
        server = build_server(
            service=self._definition.name,
            peers=self._definition.peers,
            verifier=keys,
            limits=Limits(max_calls=settings.max_calls),
            tls=tls,
            backend=backend,
            behind_mesh=settings.rpc_plaintext_behind_mesh,
        )
        wiring.add(server)
        add_reflection(server, names)
        certificate = ServerCertificate(tls) if tls else None
        host = settings.listen_host
        try:
            credentials = certificate.credentials() if certificate else None
        except (OSError, ValueError) as error:
            raise StartError(f"the TLS files cannot be used: {error}") from error
        port = listen(
            server,
            f"{host}:{settings.port}",
            credentials,
            open_plaintext=settings.rpc_plaintext_behind_mesh,
        )
        health = Health(names, probes)
        health_port = await health.start(f"{host}:{settings.health_port or port + HEALTH_OFFSET}")
        await server.start()
        self._log.info(
            "serving",
            address=f"{host}:{port}",
            health=f"{host}:{health_port}",
            tls=tls is not None,
            backend=settings.rpc_backend,
            services=names,
        )
        loops = [*wiring.background, *loops]
        if certificate is not None:
            loops.append(("certificate", functools.partial(_watch_certificate, certificate)))
        loops.append(("readiness", health.watch))
        tasks = [asyncio.create_task(supervise(name, loop), name=name) for name, loop in loops]
        failed = await self._until_stopped(tasks)
        await health.not_serving()
        if failed is None:
            await asyncio.sleep(settings.drain_lag_seconds)
        wiring.stopping()
        await server.stop(settings.drain_grace_seconds)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await health.stop()
        if failed is not None:
            raise failed

    async def _until_stopped(self, tasks: Sequence[asyncio.Task[None]]) -> LoopFailedError | None:
        stop = asyncio.create_task(self._stop.wait())
        done, _ = await asyncio.wait([stop, *tasks], return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        for task in done - {stop}:
            if isinstance(error := task.exception(), LoopFailedError):
                return error
        self._log.info("draining")
        return None

    def _probes(self, database: Database, keys: ContextKeys | None, wiring: Wiring) -> list[Probe]:
        needed = self._definition.minimum_revision

        async def schema() -> str | None:
            found = await schema_revision(database)
            return None if found is not None and found >= needed else f"schema {found} is older than {needed}"

        return [schema, *([keys.probe] if keys is not None else []), *wiring.readiness]

    def _database_url(self, stack: contextlib.AsyncExitStack) -> str:
        name = self._definition.name
        if self._settings.database_url is not None:
            return self._settings.database_url.get_secret_value()
        folder = self._settings.state_folder(name)
        server = EmbeddedPostgres(folder / "postgres", durable=True)
        try:
            server.start()
            stack.callback(server.stop)
            url = server.create_database(f"setlist_{name}")
            applied = migrate(url, self._definition.migrations)
        except (EmbeddedPostgresError, MigrationError) as error:
            raise StartError(str(error)) from error
        self._log.info("no database URL is set: embedded PostgreSQL", folder=str(folder), migrated=applied)
        return url


async def _watch_certificate(certificate: ServerCertificate) -> None:
    while True:
        await asyncio.sleep(CERTIFICATE_CHECK_SECONDS)
        try:
            if certificate.refresh():
                get_logger().info("certificate loaded")
        except (OSError, ValueError) as error:
            get_logger().error("certificate not loaded, the old one stays", why=str(error))


def tls_files(settings: ServiceSettings) -> TlsFiles | None:
    """Return the TLS files of the settings, None when they are not set."""
    if settings.tls_cert_file is None or settings.tls_key_file is None or settings.tls_ca_file is None:
        return None
    return TlsFiles(
        settings.tls_cert_file,
        settings.tls_key_file,
        settings.tls_ca_file,
        settings.trust_domain,
        settings.namespace,
    )
