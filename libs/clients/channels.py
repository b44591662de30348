"""One channel per service and process, opened when first needed, opened anew when our certificate is renewed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import grpc
from google.protobuf.descriptor import ServiceDescriptor

from libs.kernel.errors import DependencyUnavailableError
from libs.rpc.channel import build_channel
from libs.rpc.tls import TlsFiles
from libs.settings.service import ServiceSettings
from libs.telemetry.logs import get_logger

CERTIFICATE_CHECK_SECONDS = 10.0
OLD_CHANNEL_SECONDS = 30.0
"""How long calls in flight may still use the channel of an old certificate; longer than any deadline of ours."""
Key = tuple[str, tuple[str, ...]]


@dataclass(slots=True)
class _Open:
    channel: grpc.aio.Channel
    certificate: tuple[int, ...]


class Channels:
    """Channels to the other services of the suite.

    Ask for the channel anew for each call: Python's gRPC reads a client certificate once per channel (grpc
    #15735), so a renewed certificate means another channel.

    Args:
        settings: hold the addresses (`{service}_address`).
        tls: our certificate files; None = plain text.
    """

    def __init__(self, settings: ServiceSettings, tls: TlsFiles | None) -> None:
        self._settings = settings
        self._tls = tls
        self._open: dict[Key, _Open] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._certificate: tuple[int, ...] = ()
        self._checked_at = float("-inf")

    def known(self, service: str) -> bool:
        """Tell whether the service's address is set."""
        return getattr(self._settings, f"{service}_address", None) is not None

    def to(self, service: str, services: Sequence[ServiceDescriptor]) -> grpc.aio.Channel:
        """Return the channel to a service.

        Raises:
            DependencyUnavailableError: its address is not set, or our certificate cannot be used.
        """
        key = (service, tuple(s.full_name for s in services))  # retries differ by what is called
        known = self._open.get(key)
        certificate = self._certificate_now()
        if known is not None and known.certificate == certificate:
            return known.channel
        address = getattr(self._settings, f"{service}_address", None)
        if address is None:
            raise DependencyUnavailableError(
                f"the address of `{service}` is not set", metadata={"service": service}
            )
        try:
            channel = build_channel(address, services=services, tls=self._tls)
        except (OSError, ValueError) as error:
            if known is not None:  # half-written files: the old certificate still serves
                return known.channel
            get_logger().error("client certificate not loaded", why=str(error))
            raise DependencyUnavailableError("the client certificate cannot be used") from error
        self._open[key] = _Open(channel, certificate)
        if known is not None:
            self._retire(known.channel)
        return channel

    def _certificate_now(self) -> tuple[int, ...]:
        """Return what tells one certificate from the next; the files are looked at every ten seconds."""
        now = asyncio.get_running_loop().time()
        if self._tls is None or now - self._checked_at < CERTIFICATE_CHECK_SECONDS:
            return self._certificate
        self._checked_at = now
        try:
            paths = (self._tls.cert, self._tls.key, self._tls.ca)
            self._certificate = tuple(path.stat().st_mtime_ns for path in paths)
        except OSError as error:
            get_logger().error("client certificate not readable, the old one stays", why=str(error))
        return self._certificate

    def _retire(self, channel: grpc.aio.Channel) -> None:
        task = asyncio.get_running_loop().create_task(channel.close(OLD_CHANNEL_SECONDS))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def close(self) -> None:
        """Close every channel, letting calls in flight end for two seconds."""
        for task in list(self._closing):
            task.cancel()
        await asyncio.gather(*(one.channel.close(2.0) for one in self._open.values()))
        self._open.clear()
