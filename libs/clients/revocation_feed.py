"""Follows auth's revocation feed: what is revoked there is refused here within milliseconds."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

import grpc
from opentelemetry import metrics

from libs.clients.channels import Channels
from libs.crypto.revocations import Revocations
from libs.kernel.errors import DependencyUnavailableError
from libs.kernel.ids import AccountId
from libs.telemetry.logs import get_logger
from setlist.auth.v1 import auth_service_pb2 as messages
from setlist.auth.v1.auth_service_pb2_grpc import AuthServiceStub

if TYPE_CHECKING:
    from setlist.auth.v1.auth_service_pb2_grpc import AuthServiceAsyncStub

AUTH = messages.DESCRIPTOR.services_by_name["AuthService"]
SILENCE_SECONDS = 12.0
"""Two heartbeats and some: a connection that is dead without a word is opened anew."""
FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 2.0


class RevocationFollower:
    """Keeps `Revocations` up to date, for ever.

    Streams end often (the age of a connection, a renewed certificate, a replica that goes): the next one
    continues where the last one was, at another replica perhaps.

    Args:
        channels: to auth.
        revocations: what is known here.
        silence_seconds: after which a stream without a message is given up.
    """

    def __init__(
        self, channels: Channels, revocations: Revocations, *, silence_seconds: float = SILENCE_SECONDS
    ) -> None:
        self._channels = channels
        self._revocations = revocations
        self._silence = silence_seconds
        metrics.get_meter("setlist.auth").create_observable_gauge(
            "auth.revocations.age", [self._age], "s", "how long ago the feed was last heard"
        )

    def _age(self, _: metrics.CallbackOptions) -> list[metrics.Observation]:
        age = self._revocations.age_seconds
        return [] if age is None else [metrics.Observation(age)]

    async def follow(self) -> None:
        """Follow the feed until cancelled."""
        pause, silent = FIRST_PAUSE_SECONDS, False
        while True:
            try:
                if await self._stream():
                    pause = FIRST_PAUSE_SECONDS
                    if silent:
                        get_logger().info("the revocation feed is back")
                    silent = False
            except (grpc.aio.AioRpcError, DependencyUnavailableError, TimeoutError) as error:
                if not silent:
                    code = (
                        error.code().name if isinstance(error, grpc.aio.AioRpcError) else type(error).__name__
                    )
                    get_logger().warning("the revocation feed is cut", why=code)
                silent = True
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - verifiers should not march in step
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    async def _stream(self) -> bool:
        """Read one stream to its end; True when it was complete at least once."""
        stub: AuthServiceAsyncStub = AuthServiceStub(self._channels.to("auth", [AUTH]))
        position = self._revocations.position if self._revocations.begun else 0
        call = stub.WatchRevocations(messages.WatchRevocationsRequest(position=position))
        complete = False
        try:
            while True:
                async with asyncio.timeout(self._silence):
                    message = await call.read()
                if not isinstance(message, messages.WatchRevocationsResponse):  # the end of the stream
                    return complete
                complete = self._take(message, complete)
        finally:
            call.cancel()

    def _take(self, message: messages.WatchRevocationsResponse, complete: bool) -> bool:
        known = self._revocations
        if message.snapshot_end:
            known.begin(message.position)
            known.key_set_changed()  # it may have, while nobody listened
            return True
        if message.account:
            known.raise_generation(AccountId(message.account.removeprefix("accounts/")), message.generation)
        if message.distrusted_key:
            known.distrust(message.distrusted_key)
        if message.key_set_changed:
            known.key_set_changed()
        if complete:
            # INVARIANT: a position counts only after the mark: a snapshot that broke off is begun anew.
            known.beat(message.position)
        return complete
