"""What we copy of Zendesk's objects."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from libs.zendesk.client import ZendeskClient
from libs.zendesk.errors import RecordNotFoundError
from libs.zendesk.models import Ticket, User
from services.assignment.app.rows import AgentRow
from services.assignment.domain.webhook import TicketFacts


def facts_of(ticket: Ticket) -> TicketFacts:
    """Return the routing facts of a ticket that was read from Zendesk."""
    return TicketFacts(
        ticket.id,
        ticket.status,
        ticket.created_at,
        ticket.updated_at,
        ticket.group_id,
        ticket.assignee_id,
        ticket.requester_id,
        ticket.priority,
    )


async def read_agent(client: ZendeskClient, user_id: int) -> tuple[User | None, list[int]]:
    """Return what Zendesk says of an agent and his groups; None when there is no such user."""
    try:
        user = await client.users.show(user_id)
        return user, [m.group_id for m in await client.memberships.of_user(user_id)]
    except RecordNotFoundError:
        return None, []


def agent_of(user: User, groups: Iterable[int], status: str, at: datetime) -> AgentRow:
    """Return an agent as he is kept.

    Args:
        status: for a new one; a known one keeps his own.
    """
    rule = user.user_fields.get("playlist_rule_id")
    return AgentRow(
        user_id=user.id,
        name=user.name,
        role=user.role,
        role_type=user.role_type,
        custom_role_id=user.custom_role_id,
        active=user.active and user.role in ("agent", "admin"),
        suspended=user.suspended,
        status=status,
        status_at=at,
        groups=tuple(sorted(groups)),
        rule=int(rule) if rule not in (None, "") else None,
        manager=bool(user.user_fields.get("playlist_manager")),
        autoplay=bool(user.user_fields.get("playlist_autoplay")),
    )
