"""Starts the edge: `python -m services.edge.main`."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Sequence

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response

from libs.clients.channels import Channels
from libs.clients.context_tokens import ContextTokens
from libs.clients.revocation_feed import RevocationFollower
from libs.crypto.revocations import Revocations
from libs.kernel.errors import DependencyUnavailableError
from libs.rpc.pages import PageTokens
from libs.rpc.tls import TlsFiles
from libs.service.http import HttpPortTakenError, bind, serve_http
from libs.service.supervise import supervise
from libs.settings.clock import clock_from_environment
from libs.settings.service import load_settings, print_help, print_settings
from libs.telemetry.logs import configure_logs, get_logger
from libs.telemetry.traces import configure_telemetry
from services.edge.http import (
    agents,
    authzen,
    oauth_endpoints,
    playlist_statuses,
    playlist_users,
    privacy,
    sunshine,
    webhooks,
    wellknown,
    zendesk_app,
)
from services.edge.http.api_keys import ApiKeys, KeyLimits, read_api_keys
from services.edge.http.authzen_callers import read_enforcement_points
from services.edge.http.authzen_setup import AuthZen
from services.edge.http.errors import problem
from services.edge.http.oauth_clients import read_oauth_clients
from services.edge.http.suite import Suite
from services.edge.settings import EdgeSettings


async def _unavailable(_: Request, error: Exception) -> Response:
    text = error.message if isinstance(error, DependencyUnavailableError) else "a service does not answer"
    return problem(503, "DEPENDENCY_UNAVAILABLE", text, retry_after_seconds=1.0)


def _page_tokens(settings: EdgeSettings) -> PageTokens:
    key = settings.page_token_key
    return PageTokens(key.get_secret_value().encode() if key else None)


def build_app(settings: EdgeSettings) -> Starlette:
    """Return the application.

    Raises:
        ValueError: the file of enforcement points, of API keys or of OAuth clients cannot be used.
    """
    points = read_enforcement_points(settings.enforcement_points_file)
    clients = read_oauth_clients(settings.oauth_clients_file)
    keys = read_api_keys(settings.api_keys_file)
    tls = None
    if settings.tls_cert_file and settings.tls_key_file and settings.tls_ca_file:
        files = (settings.tls_cert_file, settings.tls_key_file, settings.tls_ca_file)
        tls = TlsFiles(*files, settings.trust_domain, settings.namespace)

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        clock = clock_from_environment()
        channels = Channels(settings, tls)
        revocations = Revocations()
        tokens = ContextTokens(channels, "edge", clock, revocations)
        app.state.suite = Suite(channels, tokens, clock, settings.public_url)
        app.state.api_keys = ApiKeys(keys, KeyLimits(clock))
        app.state.oauth_clients, app.state.issuer = clients, settings.issuer
        app.state.authzen = AuthZen(
            points,
            settings.authzen_body_bytes,
            settings.authzen_items,
            settings.authzen_page,
            _page_tokens(settings),
        )
        following = None
        if channels.known("auth"):  # else every call that needs it says so
            follower = RevocationFollower(channels, revocations)
            following = asyncio.create_task(supervise("revocations", follower.follow))
        yield
        if following is not None:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
        await channels.close()

    modules = (
        zendesk_app, webhooks, agents, playlist_statuses, playlist_users,
        sunshine, authzen, privacy, oauth_endpoints, wellknown,
    )  # fmt: skip
    routes = [route for module in modules for route in module.ROUTES]
    return Starlette(
        routes=routes, lifespan=lifespan, exception_handlers={DependencyUnavailableError: _unavailable}
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until told to stop.

    Raises:
        SystemExit: 0 after a stop, 1 when the port is taken, 2 for bad settings or files they name.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    if "--help" in given or "-h" in given:
        print_help("edge", EdgeSettings)
        return
    settings = load_settings(EdgeSettings)
    if "--print-config" in given:
        print_settings(settings)
        return
    try:
        app = build_app(settings)
    except ValueError as error:
        print(f"edge: {error}", file=sys.stderr)  # noqa: T201 - as below
        raise SystemExit(2) from None
    configure_logs("edge", settings.log_level)
    providers = configure_telemetry("edge", settings.otlp_endpoint)
    host = settings.host or "127.0.0.1"
    try:
        listener = bind(host, settings.port)
    except HttpPortTakenError as error:
        print(f"edge: {error}", file=sys.stderr)  # noqa: T201 - the one sentence a person sees
        raise SystemExit(1) from None
    get_logger().info("serving", address=f"{host}:{settings.port}", public_url=settings.public_url)
    serve_http(app, listener)
    for provider in providers:
        provider.shutdown()
    get_logger().info("stopped")


if __name__ == "__main__":
    main()
