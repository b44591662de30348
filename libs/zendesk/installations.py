"""Our app's installation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from libs.zendesk.answers import shaped
from libs.zendesk.models import Installation
from libs.zendesk.transport import Transport

_ROUTE = "apps/installations/{id}"


class Installations:
    """`/api/v2/apps/installations`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def show(self, installation_id: int) -> Installation:
        """Return one installation.

        Raises:
            RecordNotFoundError: the app was uninstalled.
        """
        answer = await self._transport.call("GET", _ROUTE, {"id": installation_id})
        return shaped(f"GET {_ROUTE}", lambda: Installation.of(answer))

    async def set_settings(self, installation_id: int, settings: Mapping[str, Any]) -> Installation:
        """Write settings of the installation; secure ones never come back."""
        body = {"settings": dict(settings)}
        answer = await self._transport.call(
            "PUT", _ROUTE, {"id": installation_id}, body=body, idempotent=True
        )
        return shaped(f"PUT {_ROUTE}", lambda: Installation.of(answer))

    async def notify(self, app_id: int, event: str, body: Mapping[str, Any], *, agent_id: int | None) -> None:
        """Fire an event in the app's open iframes, of one agent or of all; 100 a minute per account."""
        to = {} if agent_id is None else {"agent_id": agent_id}
        message = {"app_id": app_id, "event": event, "body": dict(body), **to}
        await self._transport.call("POST", "apps/notify", body=message)
