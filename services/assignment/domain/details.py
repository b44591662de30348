"""The numbers behind a code (facts: §5.2, "detail carried")."""

from __future__ import annotations

from datetime import datetime

from services.assignment.domain.eligibility import counted, kind_of
from services.assignment.domain.model import Agent, Code, Queue, Ticket


def detail(code: Code, agent: Agent, queue: Queue, ticket: Ticket, as_of: datetime | None) -> dict[str, str]:
    """Return what a code goes by, as texts: counts and limits, levels and groups; nothing where the code says all."""
    numbers = {name: str(value) for name, value in _limits(code, agent, queue).items() if value is not None}
    if numbers:
        return numbers
    match code:
        case Code.STATUS_NOT_ONLINE | Code.IDLE | Code.OUT_OF_OFFICE:
            return {"status": agent.status}
        case Code.NOT_IN_GROUP if ticket.group is not None:
            return {"group": str(ticket.group)}
        case Code.NOT_DEDICATED if ticket.dedicated is not None:
            return {"dedicated": str(ticket.dedicated)}
        case Code.MISSING_SKILL | Code.SKILL_LEVEL:
            return _skills(agent, ticket, as_of)
    return {}


def _limits(code: Code, agent: Agent, queue: Queue) -> dict[str, int | None]:
    match code:
        case Code.INBOX_LIMIT:
            return {"count": agent.open_count, "limit": agent.inbox_limit}
        case Code.CHANNEL_LIMIT:
            return {"count": agent.open_queue, "limit": queue.open_limit}
        case Code.CAPACITY:
            interruptible = agent.interruptible if queue.interruptible and agent.interruptible else None
            load = counted(agent, queue)
            return {
                "load": load,
                "interruptible": interruptible,
                "capacity": agent.capacity,
                "work": queue.work,
            }
        case Code.DAILY_LIMIT:
            return {"count": agent.assigned_12h, "limit": agent.daily_limit}
        case Code.QUEUE_DAILY_LIMIT:
            return {"count": agent.assigned_12h_queue, "limit": queue.daily_limit}
        case Code.BATCH_SIZE:
            return {"count": agent.assigned_run, "limit": queue.batch_size}
        case Code.RATE_LIMIT if agent.rate_limit is not None and agent.assigned_rate >= agent.rate_limit:
            return {"count": agent.assigned_rate, "limit": agent.rate_limit, "minutes": agent.rate_minutes}
        case Code.RATE_LIMIT:
            return {
                "count": agent.assigned_rate_queue,
                "limit": queue.rate_limit,
                "minutes": queue.rate_minutes,
            }
    return {}


def _skills(agent: Agent, ticket: Ticket, as_of: datetime | None) -> dict[str, str]:
    """Return the first skill that fails, what is asked of it and what he holds; 0 = he has it not."""
    held = dict(agent.skills)
    for skill, level in kind_of(ticket, as_of).skills:
        if held.get(skill, 0) < level:
            return {"skill": skill, "level": str(level), "held": str(held.get(skill, 0))}
    return {}
