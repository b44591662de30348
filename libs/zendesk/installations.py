"""Our app's installation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from libs.zendesk.models import Installation
from libs.zendesk.transport import Transport


class Installations:
    """`/api/v2/apps/installations`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def show(self, installation_id: int) -> Installation:
        """Return one installation.

        Raises:
            RecordNotFoundError: the app was uninstalled.
        """
        return Installation.of(
            await self._transport.call("GET", "apps/installations/{id}", {"id": installation_id})
        )

    async def set_settings(self, installation_id: int, settings: Mapping[str, Any]) -> Installation:
        """Write settings of the installation; secure ones never come back."""
        answer = await self._transport.call(
            "PUT",
            "apps/installations/{id}",
            {"id": installation_id},
            body={"settings": dict(settings)},
            idempotent=True,
        )
        return Installation.of(answer)
