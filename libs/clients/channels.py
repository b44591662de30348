"""One channel per service and process, opened when first needed."""

from __future__ import annotations

from collections.abc import Sequence

import grpc
from google.protobuf.descriptor import ServiceDescriptor

from libs.kernel.errors import DependencyUnavailableError
from libs.rpc.channel import build_channel
from libs.rpc.tls import TlsFiles
from libs.settings.service import ServiceSettings


class Channels:
    """Channels to the other services of the suite.

    Args:
        settings: hold the addresses (`{service}_address`).
        tls: our certificate files; None = plain text.
    """

    def __init__(self, settings: ServiceSettings, tls: TlsFiles | None) -> None:
        self._settings = settings
        self._tls = tls
        self._open: dict[str, grpc.aio.Channel] = {}

    def known(self, service: str) -> bool:
        """Tell whether the service's address is set."""
        return getattr(self._settings, f"{service}_address", None) is not None

    def to(self, service: str, services: Sequence[ServiceDescriptor]) -> grpc.aio.Channel:
        """Return the channel to a service.

        Raises:
            DependencyUnavailableError: its address is not set.
        """
        if service not in self._open:
            address = getattr(self._settings, f"{service}_address", None)
            if address is None:
                raise DependencyUnavailableError(
                    f"the address of `{service}` is not set", metadata={"service": service}
                )
            self._open[service] = build_channel(address, services=services, tls=self._tls)
        return self._open[service]

    async def close(self) -> None:
        """Close every channel, letting calls in flight end for two seconds."""
        for channel in self._open.values():
            await channel.close(2.0)
        self._open.clear()
