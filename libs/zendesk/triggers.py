"""Triggers."""

from __future__ import annotations

from collections.abc import Sequence

from libs.zendesk.models import Json, Trigger
from libs.zendesk.paging import Pages
from libs.zendesk.transport import Transport


class Triggers:
    """`/api/v2/triggers`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def all(self) -> list[Trigger]:
        """Return every trigger."""
        return await Pages(self._transport, "triggers", "triggers", Trigger.of).all()

    async def create(self, *, title: str, conditions: Json, actions: Sequence[Json]) -> Trigger:
        """Create a trigger.

        Args:
            conditions: `{"all": […], "any": […]}` of `{field, operator, value}`.
            actions: `{field, value}` each.
        """
        body = {"trigger": {"title": title, "conditions": conditions, "actions": list(actions)}}
        return await self._transport.fetch("POST", "triggers", "trigger", Trigger.of, body=body)

    async def update(self, trigger_id: int, *, conditions: Json, actions: Sequence[Json]) -> Trigger:
        """Replace a trigger's conditions and actions."""
        body = {"trigger": {"conditions": conditions, "actions": list(actions)}}
        return await self._transport.fetch(
            "PUT", "triggers/{id}", "trigger", Trigger.of, {"id": trigger_id}, body=body, idempotent=True
        )

    async def delete(self, trigger_id: int) -> None:
        """Delete a trigger."""
        await self._transport.call("DELETE", "triggers/{id}", {"id": trigger_id}, idempotent=True)
