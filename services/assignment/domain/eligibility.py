"""Who may take a ticket: checks in a fixed order, the first that fails is the reason (facts: §5.2)."""

from __future__ import annotations

from services.assignment.domain.model import Agent, Code, Queue, Restrictions


def barred(agent: Agent, group: int | None, queue: Queue, restrictions: Restrictions) -> Code | None:
    """Return why an agent may not take tickets of a group in a queue at all; None when he may."""
    if not agent.active:
        return Code.AGENT_INACTIVE
    if agent.light:
        return Code.AGENT_LIGHT
    if agent.suspended:
        return Code.AGENT_SUSPENDED
    if restrictions.groups and not restrictions.groups & agent.groups:
        return Code.APP_RESTRICTED
    if restrictions.roles and agent.custom_role_id not in restrictions.roles:
        return Code.APP_RESTRICTED
    if queue.agents and agent.id not in queue.agents:
        return Code.NOT_IN_ROTATION
    if group is not None and group not in agent.groups:
        return Code.NOT_IN_GROUP
    if group is None and not agent.groups:
        return Code.NOT_IN_GROUP
    if agent.status != "online":
        return Code.STATUS_NOT_ONLINE
    return None


def slots(agent: Agent, queue: Queue, *, batch: bool = True) -> tuple[int | None, Code]:
    """Return how many more tickets an agent may take in this round, and which limit says so.

    None means no limit. The inbox limit counts status Open only; the daily limits count what queues
    assigned in the last 12 hours and do not apply to trigger queues; batch size is round robin's alone, and
    counts per run over all such queues (facts: decision 2).
    """
    caps: list[tuple[int, Code]] = []
    if agent.inbox_limit is not None:
        caps.append((agent.inbox_limit - agent.open_count, Code.INBOX_LIMIT))
    if queue.scheduled and agent.daily_limit is not None:
        caps.append((agent.daily_limit - agent.assigned_12h, Code.DAILY_LIMIT))
    if queue.scheduled and queue.daily_limit is not None:
        caps.append((queue.daily_limit - agent.assigned_12h_queue, Code.QUEUE_DAILY_LIMIT))
    if batch and queue.scheduled and queue.batch_size is not None and queue.model == "round_robin":
        caps.append((queue.batch_size - agent.assigned_run, Code.BATCH_SIZE))
    if not caps:
        return None, Code.SLOT_TAKEN
    least, code = min(caps, key=lambda cap: cap[0])
    return max(0, least), code
