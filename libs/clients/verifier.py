"""Verifies context tokens with auth's keys."""

from __future__ import annotations

import json

import grpc
from opentelemetry import metrics

from libs.clients.channels import Channels
from libs.crypto.context import ContextVerifier
from libs.crypto.errors import InvalidTokenError
from libs.crypto.key_source import KeySource
from libs.crypto.keys import KeySet
from libs.crypto.revocations import Revocations
from libs.kernel.clock import Clock
from libs.kernel.errors import DependencyUnavailableError
from libs.rpc.identity import VerifiedContext
from setlist.auth.v1 import auth_resources_pb2 as resources
from setlist.auth.v1 import auth_service_pb2 as messages
from setlist.auth.v1.auth_service_pb2_grpc import AuthServiceStub

AUTH = messages.DESCRIPTOR.services_by_name["AuthService"]


def keys_of_auth(channels: Channels) -> KeySource:
    """Return what asks auth for its keys of context tokens."""

    async def ask() -> KeySet:
        stub = AuthServiceStub(channels.to("auth", [AUTH]))
        try:
            answer = await stub.GetKeySet(messages.GetKeySetRequest(), timeout=4.0)
        except grpc.aio.AioRpcError as error:
            raise DependencyUnavailableError(
                f"auth does not give its keys: {error.code().name}", metadata={"service": "auth"}
            ) from error
        keys = [json.loads(k.jwk_json) for k in answer.keys if k.kind == resources.TOKEN_KIND_CONTEXT]
        return KeySet.from_jwks({"keys": keys})

    return ask


class ContextKeys:
    """Implements `libs.rpc.identity.ContextVerifier` over a key set that its source keeps fresh.

    Args:
        source: of the keys; in a process `keys_of_auth`.
        issuer: exact value of `iss`.
        clock: token times.
        revocations: what is revoked; None checks no generation.
    """

    def __init__(
        self, source: KeySource, issuer: str, clock: Clock, revocations: Revocations | None = None
    ) -> None:
        self._verifier = ContextVerifier(source, issuer, clock, revocations=revocations)
        self._refused = metrics.get_meter("setlist.auth").create_counter("auth.tokens.refused")

    async def verify(self, token: str, audience: str) -> VerifiedContext:
        try:
            claims = await self._verifier.verify(token, audience)
        except InvalidTokenError as error:  # the cause is for whoever runs this, never for the caller
            self._refused.add(1, {"cause": error.cause})
            raise
        return VerifiedContext(
            claims.account,
            claims.installation,
            claims.subject,
            claims.peer,
            claims.role,
            claims.custom_role_id,
            self._verifier.stale,
        )

    async def probe(self) -> str | None:
        """Return why no token can be verified now, None when they can."""
        return await self._verifier.probe()

    async def watch(self) -> None:
        """Keep the keys fresh, for ever."""
        await self._verifier.watch()
