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
        self._failed = 0
        self._told = False
        metrics.get_meter("setlist.auth").create_observable_gauge(
            "auth.revocations.age", [self._age], "s", "how long ago the feed was last heard"
        )

    def _age(self, _: metrics.CallbackOptions) -> list[metrics.Observation]:
        age = self._revocations.age_seconds
        return [] if age is None else [metrics.Observation(age)]

    async def follow(self) -> None:
        """Follow the feed until cancelled."""
        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                if not await self._stream():
                    self._miss("incomplete")
            except grpc.aio.AioRpcError as error:
                self._miss(error.code().name)
            except (DependencyUnavailableError, TimeoutError) as error:
                self._miss(type(error).__name__)
            pause = FIRST_PAUSE_SECONDS if self._failed < 2 else min(pause * 2, LONGEST_PAUSE_SECONDS)
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - verifiers should not march in step

    def _miss(self, why: str) -> None:
        """Note a stream that broke: the first time it is a connection's age or a replica that went."""
        self._failed += 1
        if self._failed > 1 and not self._told:
            get_logger().warning("the revocation feed is cut", why=why)
            self._told = True

    def _hear(self) -> None:
        """Note that a stream is complete."""
        self._failed = 0
        if self._told:
            get_logger().info("the revocation feed is back")
            self._told = False

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
            self._hear()
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
