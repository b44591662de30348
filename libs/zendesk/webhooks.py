"""Webhooks."""

from __future__ import annotations

from libs.zendesk.answers import shaped
from libs.zendesk.models import Webhook
from libs.zendesk.paging import Pages
from libs.zendesk.transport import Transport

_SECRET = "webhooks/{id}/signing_secret"  # noqa: S105 - a path


class Webhooks:
    """`/api/v2/webhooks`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def all(self) -> list[Webhook]:
        """Return every webhook."""
        return await Pages(self._transport, "webhooks", "webhooks", Webhook.of).all()

    async def create(self, *, name: str, endpoint: str) -> Webhook:
        """Create a webhook that triggers and automations may call."""
        body = {
            "webhook": {
                "name": name,
                "endpoint": endpoint,
                "http_method": "POST",
                "request_format": "json",
                "status": "active",
                "subscriptions": ["conditional_ticket_events"],
            }
        }
        return await self._transport.fetch("POST", "webhooks", "webhook", Webhook.of, body=body)

    async def update_endpoint(self, webhook_id: str, endpoint: str) -> None:
        """Point a webhook somewhere else."""
        body = {"webhook": {"endpoint": endpoint}}
        await self._transport.call("PATCH", "webhooks/{id}", {"id": webhook_id}, body=body, idempotent=True)

    async def signing_secret(self, webhook_id: str) -> str:
        """Return the secret that signs this webhook's requests."""
        return await self._secret("GET", webhook_id)

    async def reset_signing_secret(self, webhook_id: str) -> str:
        """Replace the secret and return the new one; the old one is dead at once."""
        return await self._secret("POST", webhook_id)

    async def _secret(self, method: str, webhook_id: str) -> str:
        answer = await self._transport.call(method, _SECRET, {"id": webhook_id})
        return shaped(f"{method} {_SECRET}", lambda: str(answer["signing_secret"]["secret"]))

    async def delete(self, webhook_id: str) -> None:
        """Delete a webhook."""
        await self._transport.call("DELETE", "webhooks/{id}", {"id": webhook_id}, idempotent=True)
