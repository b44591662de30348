"""The one server builder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import grpc
from grpc_reflection.v1alpha import reflection

from libs.rpc.backends import Backend, BackendError, new_server
from libs.rpc.chain import Chain, build_steps
from libs.rpc.identity import ContextVerifier
from libs.rpc.peers import REFLECTION, PeerTable
from libs.rpc.tls import TlsFiles
from libs.settings.addresses import is_loopback


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


class OpenPlaintextError(Exception):
    """Strangers could reach the plain text port."""


def build_server(
    *,
    service: str,
    peers: PeerTable,
    verifier: ContextVerifier | None,
    limits: Limits | None = None,
    tls: TlsFiles | None = None,
    backend: Backend = Backend.GRPCIO,
    behind_mesh: bool = False,
) -> grpc.aio.Server:
    """Return a server with the whole chain, not yet listening.

    The chain is the same on every backend, and so is what a caller sees.

    Args:
        service: short name; the audience of context tokens and the domain of errors.
        peers: who may call what; reflection is added for operators.
        verifier: of context tokens.
        limits: sizes.
        tls: certificate files; None serves plain text.
        backend: what speaks HTTP/2; see `libs.rpc.backends`.
        behind_mesh: for plain text: a proxy in front ends TLS, so nobody is trusted for being on this machine
            and the peer is the one that the signed context token names. Methods without a token are closed.

    Raises:
        BackendError: the native backend serves no TLS.
    """
    if backend is Backend.NATIVE and tls is not None:
        raise BackendError("the `native` backend serves no TLS: take away the TLS files or choose `grpcio`")
    limits = limits or Limits()
    steps = build_steps(
        service, {**peers, **REFLECTION}, tls, verifier, limits.max_calls, behind_mesh=behind_mesh
    )
    return new_server(
        backend,
        [Chain(steps)],
        max_calls=limits.max_calls * 2,
        max_message_bytes=limits.max_message_bytes,
        connection_age_seconds=limits.connection_age_seconds,
    )


def add_reflection(server: grpc.aio.Server, services: Sequence[str]) -> None:
    """Let operators list the services (behind the peer table, like every method)."""
    reflection.enable_server_reflection([*services, reflection.SERVICE_NAME], server)


def listen(
    server: grpc.aio.Server,
    address: str,
    credentials: grpc.ServerCredentials | None,
    *,
    open_plaintext: bool = False,
) -> int:
    """Bind the server and return the port.

    Args:
        server: from `build_server`.
        address: `host:port`; port 0 = any.
        credentials: None = plain text.
        open_plaintext: plain text may be reached from elsewhere: health, or a service behind a mesh.

    Raises:
        OpenPlaintextError: plain text on an address that is not this machine's alone.
        PortTakenError: the address is in use or cannot be bound.
    """
    if credentials is None and not open_plaintext and not is_loopback(address):
        raise OpenPlaintextError(
            f"plain text on {address} would be open to strangers: set the TLS files, listen on 127.0.0.1, "
            "or set SETLIST_RPC_PLAINTEXT_BEHIND_MESH=true where a proxy ends TLS"
        )
    try:
        if credentials is not None:
            return server.add_secure_port(address, credentials)
        return server.add_insecure_port(address)
    except RuntimeError:
        raise PortTakenError(
            f"cannot listen on {address}: the port is taken or the address is not ours"
        ) from None
