"""Webhooks and triggers."""

from __future__ import annotations

from collections.abc import Sequence

from libs.zendesk.models import Trigger, Webhook
from libs.zendesk.paging import cursor_pages
from libs.zendesk.transport import Json, Transport


class Webhooks:
    """`/api/v2/webhooks`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def all(self) -> list[Webhook]:
        """Return every webhook."""
        return [w async for w in cursor_pages(self._transport, "webhooks", "webhooks", Webhook.of)]

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
        return Webhook.of((await self._transport.call("POST", "webhooks", body=body))["webhook"])

    async def update_endpoint(self, webhook_id: str, endpoint: str) -> None:
        """Point a webhook somewhere else."""
        body = {"webhook": {"endpoint": endpoint}}
        await self._transport.call("PATCH", "webhooks/{id}", {"id": webhook_id}, body=body, idempotent=True)

    async def signing_secret(self, webhook_id: str) -> str:
        """Return the secret that signs this webhook's requests."""
        answer = await self._transport.call("GET", "webhooks/{id}/signing_secret", {"id": webhook_id})
        return str(answer["signing_secret"]["secret"])

    async def delete(self, webhook_id: str) -> None:
        """Delete a webhook."""
        await self._transport.call("DELETE", "webhooks/{id}", {"id": webhook_id}, idempotent=True)


class Triggers:
    """`/api/v2/triggers`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def all(self) -> list[Trigger]:
        """Return every trigger."""
        return [t async for t in cursor_pages(self._transport, "triggers", "triggers", Trigger.of)]

    async def create(self, *, title: str, conditions: Json, actions: Sequence[Json]) -> Trigger:
        """Create a trigger.

        Args:
            conditions: `{"all": […], "any": […]}` of `{field, operator, value}`.
            actions: `{field, value}` each.
        """
        body = {"trigger": {"title": title, "conditions": conditions, "actions": list(actions)}}
        return Trigger.of((await self._transport.call("POST", "triggers", body=body))["trigger"])

    async def update(self, trigger_id: int, *, conditions: Json, actions: Sequence[Json]) -> Trigger:
        """Replace a trigger's conditions and actions."""
        body = {"trigger": {"conditions": conditions, "actions": list(actions)}}
        answer = await self._transport.call(
            "PUT", "triggers/{id}", {"id": trigger_id}, body=body, idempotent=True
        )
        return Trigger.of(answer["trigger"])
