"""The one server builder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import grpc
from grpc_reflection.v1alpha import reflection

from libs.rpc.chain import Chain, build_steps
from libs.rpc.identity import ContextVerifier
from libs.rpc.peers import REFLECTION, PeerTable
from libs.rpc.tls import TlsFiles


@dataclass(frozen=True, slots=True)
class Limits:
    """What one server takes at once.

    Attributes:
        max_calls: calls in flight; more are shed with RESOURCE_EXHAUSTED and a delay.
        max_message_bytes: of one request.
        connection_age_seconds: after which a client must connect anew, and so finds new replicas and
            loses a certificate that is no longer trusted.
    """

    max_calls: int = 400
    max_message_bytes: int = 4 * 1024 * 1024
    connection_age_seconds: int = 300


class PortTakenError(Exception):
    """Nothing can listen on the address."""


def build_server(
    *,
    service: str,
    peers: PeerTable,
    verifier: ContextVerifier | None,
    limits: Limits | None = None,
    tls: TlsFiles | None = None,
) -> grpc.aio.Server:
    """Return a server with the whole chain, not yet listening.

    Args:
        service: short name; the audience of context tokens and the domain of errors.
        peers: who may call what; reflection is added for operators.
        verifier: of context tokens.
        limits: sizes.
        tls: certificate files; None serves loopback in plain text.
    """
    limits = limits or Limits()
    steps = build_steps(service, {**peers, **REFLECTION}, tls, verifier, limits.max_calls)
    options = (
        ("grpc.max_receive_message_length", limits.max_message_bytes),
        ("grpc.max_metadata_size", 16 * 1024),
        ("grpc.max_connection_age_ms", limits.connection_age_seconds * 1000),
        ("grpc.max_connection_age_grace_ms", 30_000),
        ("grpc.so_reuseport", 0),
    )
    return grpc.aio.server(
        interceptors=[Chain(steps)], options=options, maximum_concurrent_rpcs=limits.max_calls * 2
    )


def add_reflection(server: grpc.aio.Server, services: Sequence[str]) -> None:
    """Let operators list the services (behind the peer table, like every method)."""
    reflection.enable_server_reflection([*services, reflection.SERVICE_NAME], server)


def listen(server: grpc.aio.Server, address: str, credentials: grpc.ServerCredentials | None) -> int:
    """Bind the server and return the port.

    Raises:
        PortTakenError: the address is in use or cannot be bound.
    """
    try:
        if credentials is not None:
            return server.add_secure_port(address, credentials)
        return server.add_insecure_port(address)
    except RuntimeError:
        raise PortTakenError(
            f"cannot listen on {address}: the port is taken or the address is not ours"
        ) from None
