"""Skills: Zendesk's routing attributes (facts: Zendesk §6). Ids are UUIDs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from libs.zendesk.models.json import Json, instant, optional_id


@dataclass(frozen=True, slots=True)
class Attribute:
    """A type of skill, e.g. language."""

    id: str
    name: str

    @classmethod
    def of(cls, row: Json) -> Attribute:
        """Read Zendesk's `attribute` object."""
        return cls(str(row["id"]), str(row.get("name") or ""))


@dataclass(frozen=True, slots=True)
class AttributeValue:
    """A skill, e.g. French.

    Attributes:
        attribute_id: its type; empty where Zendesk leaves it out (an agent's own list).
    """

    id: str
    name: str
    attribute_id: str = ""

    @classmethod
    def of(cls, row: Json) -> AttributeValue:
        """Read Zendesk's `attribute_value` object."""
        return cls(str(row["id"]), str(row.get("name") or ""), str(row.get("attribute_id") or ""))


@dataclass(frozen=True, slots=True)
class AgentSkill:
    """One skill of one agent."""

    agent_id: int
    attribute_id: str
    attribute_value_id: str

    @classmethod
    def of(cls, row: Json) -> AgentSkill:
        """Read one of Zendesk's `instance_values` of agents."""
        return cls(int(row["agent_id"]), str(row.get("attribute_id") or ""), str(row["attribute_value_id"]))


@dataclass(frozen=True, slots=True)
class SkillChange:
    """One line of the stream of skills.

    Attributes:
        instance_id: of the agent or ticket.
        type: associate_agent, unassociate_agent, associate_ticket or unassociate_ticket.
    """

    id: str
    instance_id: int | None
    attribute_value_id: str
    type: str
    time: datetime | None

    @classmethod
    def of(cls, row: Json) -> SkillChange:
        """Read one of Zendesk's `instance_values` of the incremental stream."""
        return cls(
            str(row["id"]),
            optional_id(row.get("instance_id")),
            str(row.get("attribute_value_id") or ""),
            str(row.get("type") or ""),
            instant(row.get("time")),
        )
