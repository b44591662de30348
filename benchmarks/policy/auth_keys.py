"""Stands in for auth: its key of context tokens and its feed of revocations, of which there are none.

Auth itself would want a Zendesk account; to policy this is the same: real tokens, verified, and a living feed.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path

from benchmarks.policy.model import ACCOUNT
from libs.crypto.ca import ThrowAwayCa
from libs.crypto.signer import Signer
from libs.crypto.tokens import CONTEXT_TYP
from libs.rpc.peers import PeerTable, rules
from libs.rpc.server import build_server, listen
from libs.rpc.tls import ServerCertificate, TlsFiles
from setlist.auth.v1 import auth_resources_pb2 as resources
from setlist.auth.v1 import auth_service_pb2 as messages
from setlist.auth.v1.auth_service_pb2_grpc import AuthServiceServicer, add_AuthServiceServicer_to_server

ISSUER = "https://auth.setlist.local"
CALLER = "assignment"
BEAT_SECONDS = 1.0
_AUTH = messages.DESCRIPTOR.services_by_name["AuthService"]
PEERS: PeerTable = rules(_AUTH, ["GetKeySet", "WatchRevocations"], "policy", "ops", context=False)
Metadata = tuple[tuple[str, str], ...]


class AuthKeys(AuthServiceServicer):
    """A key and a feed.

    Attributes:
        plain: address without TLS, once started.
        secure: address with TLS, once started.
    """

    def __init__(self, folder: Path) -> None:
        self.plain = self.secure = ""
        self._folder = folder
        self._signer = Signer.generate("ctx-1")
        self._ca = ThrowAwayCa()
        self._numbers = itertools.count(1)

    def token(self) -> Metadata:
        """Return the metadata of calls of a service, good for a minute."""
        now = int(time.time())
        claims = {
            "iss": ISSUER,
            "aud": "policy",
            "tid": ACCOUNT,
            "ins": "1",
            "gen": 1,
            "peer": CALLER,
            "jti": f"token-{next(self._numbers)}",
            "iat": now,
            "exp": now + 60,
            "sub": f"service:{CALLER}",
        }
        return (("authorization", f"Bearer {self._signer.sign(claims, CONTEXT_TYP)}"),)

    def files(self, peer: str) -> TlsFiles:
        """Return certificate files of a service."""
        authority = self._folder / "ca.crt"
        authority.write_bytes(self._ca.certificate)
        return TlsFiles(*self._ca.issue(peer).write(self._folder, peer), authority)

    async def GetKeySet(
        self, request: messages.GetKeySetRequest, context: object
    ) -> messages.GetKeySetResponse:
        jwk = json.dumps(self._signer.public_key().jwk())
        key = resources.PublicKey(kind=resources.TOKEN_KIND_CONTEXT, jwk_json=jwk)
        return messages.GetKeySetResponse(keys=[key], issuer=ISSUER)

    async def WatchRevocations(
        self, request: messages.WatchRevocationsRequest, context: object
    ) -> AsyncIterator[messages.WatchRevocationsResponse]:
        yield messages.WatchRevocationsResponse(position=1, snapshot_end=True)
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            yield messages.WatchRevocationsResponse(position=1)

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Listen with TLS and without."""
        files = self.files("auth")
        plain = build_server(service="auth", peers=PEERS, verifier=None)
        secure = build_server(service="auth", peers=PEERS, verifier=None, tls=files)
        for server in (plain, secure):
            add_AuthServiceServicer_to_server(self, server)
        self.plain = f"127.0.0.1:{listen(plain, '127.0.0.1:0', None)}"
        credentials = ServerCertificate(files).credentials()
        self.secure = f"127.0.0.1:{listen(secure, '127.0.0.1:0', credentials)}"
        await plain.start()
        await secure.start()
        try:
            yield
        finally:
            await asyncio.gather(plain.stop(None), secure.stop(None))
