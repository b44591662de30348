"""Skills of agents and tickets (facts: Zendesk §6)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from libs.zendesk.answers import shaped
from libs.zendesk.exports import Checkpoint, ExportPage, cursor_of
from libs.zendesk.models import AgentSkill, Attribute, AttributeValue, Job, SkillChange
from libs.zendesk.paging import NumberedPages
from libs.zendesk.tickets import id_list
from libs.zendesk.transport import Params, Transport


class Routing:
    """`/api/v2/routing`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def attributes(self) -> list[Attribute]:
        """Return every type of skill."""
        return await NumberedPages(self._transport, "routing/attributes", "attributes", Attribute.of).all()

    async def values(self, attribute_id: str) -> list[AttributeValue]:
        """Return the skills of one type."""
        route, ids = "routing/attributes/{id}/values", {"id": attribute_id}
        return await NumberedPages(self._transport, route, "attribute_values", AttributeValue.of, ids).all()

    async def agent_skills(self, user_ids: Sequence[int]) -> list[AgentSkill]:
        """Return the skills of at most 100 agents."""
        return await NumberedPages(
            self._transport,
            "routing/agents/instance_values",
            "instance_values",
            AgentSkill.of,
            params={"filter[agent_ids]": id_list(user_ids)},
        ).all()

    async def set_agent_skills(self, user_id: int, value_ids: Sequence[str]) -> list[AttributeValue]:
        """Replace all skills of one agent. Admins only."""
        return await self._replace("routing/agents/{id}/instance_values", user_id, value_ids)

    async def change_agent_skills(
        self, action: Literal["upsert", "update", "delete"], user_ids: Sequence[int], value_ids: Sequence[str]
    ) -> Job:
        """Add (`upsert`), replace (`update`) or take away skills of at most 100 agents by one job."""
        values = {"attribute_values": [{"id": i} for i in value_ids]}
        body = {"job": {"action": action, "attributes": values, "items": list(user_ids)}}
        return await self._transport.fetch(
            "POST", "routing/agents/instance_values/job", "job_status", Job.of, body=body, idempotent=True
        )

    async def ticket_skills(self, ticket_id: int) -> list[AttributeValue]:
        """Return the skills that a ticket needs."""
        return await self._transport.fetch_list(
            "routing/tickets/{id}/instance_values", "attribute_values", AttributeValue.of, {"id": ticket_id}
        )

    async def set_ticket_skills(self, ticket_id: int, value_ids: Sequence[str]) -> list[AttributeValue]:
        """Replace all skills of one ticket; unknown ones are ignored by Zendesk."""
        return await self._replace("routing/tickets/{id}/instance_values", ticket_id, value_ids)

    async def _replace(self, template: str, owner: int, value_ids: Sequence[str]) -> list[AttributeValue]:
        return await self._transport.fetch(
            "POST",
            template,
            "attribute_values",
            lambda rows: [AttributeValue.of(row) for row in rows],  # type: ignore[arg-type]  # this member is a list
            {"id": owner},
            body={"attribute_value_ids": list(value_ids)},
            idempotent=True,
        )

    async def changes(self, checkpoint: Checkpoint) -> ExportPage[SkillChange]:
        """Return what was associated since a checkpoint, oldest first: a log, so nothing is hidden or repeated.

        Args:
            checkpoint: an empty one begins at the beginning of the log.
        """
        route = "incremental/routing/instance_values"
        params: Params = {"cursor": checkpoint.cursor} if checkpoint.cursor else {}
        answer = await self._transport.call("GET", route, params=params)
        rows = shaped(f"GET {route}", lambda: [SkillChange.of(r) for r in answer["instance_values"]])
        after = cursor_of(answer.get("next_page"))
        ended = not rows or after in ("", checkpoint.cursor)
        return ExportPage(tuple(rows), Checkpoint(after or checkpoint.cursor), ended)
