"""The RPC harness: a servicer behind the real chain, real TLS and real context tokens, in this process.

    async with rpc_harness("policy", PEERS, [POLICY], add) as rpc:
        stub = PolicyServiceStub(rpc.channel("edge"))
        await stub.GetPolicy(request, metadata=rpc.token(account="acc-1", user=7, role="admin"))

`add` registers the servicers: `lambda server: add_PolicyServiceServicer_to_server(PolicyServicer(…), server)`.
Nothing of the chain is left out or replaced: an RPC that a peer, a person or another account may not call is
refused here as it is in a cluster.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import timedelta
from pathlib import Path

import grpc
from google.protobuf.descriptor import ServiceDescriptor

from libs.clients.verifier import ContextKeys
from libs.crypto.ca import ThrowAwayCa
from libs.crypto.keys import KeySet
from libs.crypto.signer import Signer
from libs.crypto.tokens import CONTEXT_TYP
from libs.kernel.clock import Clock, ManualClock
from libs.rpc.backends import Backend
from libs.rpc.channel import build_channel
from libs.rpc.peers import PeerTable, check_complete
from libs.rpc.server import Limits, add_reflection, build_server, listen
from libs.rpc.tls import ServerCertificate, TlsFiles

ISSUER = "https://auth.setlist.local"
BOUND_SECONDS = 10.0
"""For the start and for the stop; a call is bounded by the client builder's deadline."""
Metadata = tuple[tuple[str, str], ...]
Add = Callable[[grpc.aio.Server], object]


class Rpc:
    """What a test holds while the server runs.

    Attributes:
        address: `127.0.0.1:{port}` of the server.
        ca: the authority of every certificate in here.
        signer: signs the context tokens; its public key is all that the server trusts.
        certificate: of the server, None in plain text.
    """

    def __init__(
        self, service: str, services: Sequence[ServiceDescriptor], clock: Clock, folder: Path, *, tls: bool
    ) -> None:
        self.address = ""
        self.ca = ThrowAwayCa()
        self.signer = Signer.generate("ctx-1")
        self.certificate: ServerCertificate | None = None
        self._service = service
        self._services = services
        self._clock = clock
        self._folder = folder
        self._tls = tls
        self._channels: dict[str, grpc.aio.Channel] = {}
        self._numbers = itertools.count(1)

    def files(self, peer: str) -> TlsFiles:
        """Return fresh certificate files of a service account."""
        authority = self._folder / "ca.crt"
        authority.write_bytes(self.ca.certificate)
        return TlsFiles(*self.ca.issue(peer).write(self._folder, peer), authority)

    def client_tls(self, peer: str) -> TlsFiles | None:
        """Return what a client of `peer` needs for this server; None in plain text."""
        return self.files(peer) if self._tls else None

    def channel(self, peer: str = "edge") -> grpc.aio.Channel:
        """Return the client builder's channel with the certificate of `peer`.

        In plain text nobody proves who he is: the server takes every peer for `ops`, or behind a mesh for the
        peer of the token.
        """
        if peer not in self._channels:
            tls = self.client_tls(peer)
            self._channels[peer] = build_channel(self.address, services=self._services, tls=tls)
        return self._channels[peer]

    def token(
        self,
        account: str = "acc-1",
        *,
        user: int | None = None,
        role: str | None = None,
        job: str | None = None,
        peer: str | None = None,
        **claims: object,
    ) -> Metadata:
        """Return the metadata of a call with a context token of 60 s.

        Args:
            account: the tenant.
            user: the acting person; without one the service `job` acts.
            role: admin, agent or end_user; an admin when there is a user.
            job: the acting service; by default the peer.
            peer: the channel that the token is for; by default `job`, else `edge`.
            claims: replace or add claims, e.g. `aud="auth"`, `iat=…`, `custom_role_id=9`.
        """
        peer = peer or job or "edge"
        now = int(self._clock.now().timestamp())
        subject = {"sub": f"service:{job or peer}"}
        if user is not None:
            subject = {"sub": f"user:{user}", "role": role or "admin"}
        values = {
            "iss": ISSUER,
            "aud": self._service,
            "tid": account,
            "ins": "1",
            "gen": 1,
            "peer": peer,
            "jti": f"token-{next(self._numbers)}",
            "iat": now,
            "exp": now + int(timedelta(minutes=1).total_seconds()),
            **subject,
            **claims,
        }
        return (("authorization", f"Bearer {self.signer.sign(values, CONTEXT_TYP)}"),)

    async def close(self) -> None:
        """Close every channel at once."""
        for channel in self._channels.values():
            await channel.close(None)


@contextlib.asynccontextmanager
async def rpc_harness(
    service: str,
    peers: PeerTable,
    services: Sequence[ServiceDescriptor],
    add: Add,
    *,
    clock: Clock | None = None,
    tls: bool = True,
    verifies_context: bool = True,
    limits: Limits | None = None,
    backend: Backend = Backend.GRPCIO,
    behind_mesh: bool = False,
) -> AsyncIterator[Rpc]:
    """Serve on a free port of 127.0.0.1 behind `build_server`; stop everything at the end.

    Args:
        service: short name, the audience of the tokens.
        peers: the service's own peer table; it must be complete, as at a real start.
        services: descriptors of what `add` registers.
        add: registers the servicers.
        clock: times of the tokens; a `ManualClock` by default. Certificates are in real time.
        tls: mTLS from a throw-away authority, or plain text.
        verifies_context: False as for auth, which takes no context tokens.
        limits: of the server.
        backend: what speaks HTTP/2; `native` serves plain text only.
        behind_mesh: plain text in which the peer is the one that the context token names.

    Raises:
        ValueError: a method has no rule, or a rule no method.
    """
    if faults := check_complete(peers, services):
        raise ValueError("; ".join(faults))
    clock = clock or ManualClock()
    with tempfile.TemporaryDirectory(prefix="setlist-rpc-") as folder:
        rpc = Rpc(service, services, clock, Path(folder), tls=tls)

        async def keys() -> KeySet:
            return KeySet([rpc.signer.public_key()])

        files = rpc.files(service) if tls else None
        verifier = ContextKeys(keys, ISSUER, clock) if verifies_context else None
        server = build_server(
            service=service,
            peers=peers,
            verifier=verifier,
            limits=limits,
            tls=files,
            backend=backend,
            behind_mesh=behind_mesh,
        )
        add(server)
        add_reflection(server, [s.full_name for s in services])
        rpc.certificate = ServerCertificate(files) if files else None
        credentials = rpc.certificate.credentials() if rpc.certificate else None
        rpc.address = f"127.0.0.1:{listen(server, '127.0.0.1:0', credentials)}"
        try:
            async with asyncio.timeout(BOUND_SECONDS):
                await server.start()
            yield rpc
        finally:
            async with asyncio.timeout(BOUND_SECONDS):
                await rpc.close()
                await server.stop(None)
