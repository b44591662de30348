"""Who may take a ticket: checks in a fixed order, the first that fails is the reason (facts: §5.2)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from services.assignment.domain.model import Agent, Code, Need, Queue, Restrictions, Ticket

PREFERRED = 1 << 40
"""What it is worth to go to the preferred agent: more than all wishes of a round together, so that it comes first."""

_ABSENT = {"idle": Code.IDLE, "out_of_office": Code.OUT_OF_OFFICE}


@dataclass(frozen=True, slots=True)
class Kind:
    """What of a ticket decides who may take it: tickets of one kind have the same eligible agents.

    Attributes:
        group: None = any group.
        skills: (skill, least level) that are asked for at this instant, in order.
        declined, overflow: in order, so that a kind has one spelling in every process.
        liked: skills that are not asked for any more, in order: who holds them still fits better.
        preferred: who fits best of all.
    """

    group: int | None = None
    skills: tuple[tuple[str, int], ...] = ()
    declined: tuple[int, ...] = ()
    dedicated: int | None = None
    overflow: tuple[int, ...] = ()
    liked: tuple[tuple[str, int], ...] = ()
    preferred: int | None = None


def kind_of(ticket: Ticket, as_of: datetime | None = None) -> Kind:
    """Return a ticket's kind at an instant.

    A need with `drop_after_seconds` counts while the ticket waited less; at that very second it bars nobody any more
    (facts: §5.6 and decision 20), and only says who fits better. Without an instant every need counts.
    """
    asked = {(n.skill, n.level): _asked(ticket, n, as_of) for n in ticket.needs}
    liked = {need for need, level in asked.items() if level != need[1]}
    skills = {(skill, level) for (skill, _), level in asked.items() if level is not None}
    declined, overflow = tuple(sorted(ticket.declined)), tuple(sorted(ticket.overflow))
    return Kind(
        ticket.group,
        tuple(sorted(skills)),
        declined,
        ticket.dedicated,
        overflow,
        tuple(sorted(liked)),
        ticket.preferred,
    )


def quality(agent: Agent, kind: Kind) -> int:
    """Return how well an agent fits: preferred, then how many skills that are not asked for any more he holds at
    their level (facts: §5.4).
    """
    held = dict(agent.skills)
    wishes = sum(held.get(skill, 0) >= level for skill, level in kind.liked)
    return wishes + PREFERRED * (kind.preferred == agent.id)


def relaxations(ticket: Ticket) -> list[tuple[datetime, Need, int | None]]:
    """Return when needs of a ticket are relaxed, in order: to a lower level, or to nothing at all (None)."""
    began = ticket.entered_at or ticket.created_at
    found: list[tuple[datetime, Need, int | None]] = []
    for need in ticket.needs:
        drop = need.drop_after_seconds
        steps = [(after, level) for after, level in need.steps if drop is None or after < drop]
        found += [(began + timedelta(seconds=after), need, level) for after, level in steps]
        if drop is not None:
            found.append((began + timedelta(seconds=drop), need, None))
    return sorted(found, key=lambda one: (one[0], one[1].skill))


def _asked(ticket: Ticket, need: Need, as_of: datetime | None) -> int | None:
    """Return the level that is asked for at an instant; None = the skill is not asked for any more."""
    if as_of is None:
        return need.level
    waited = as_of - (ticket.entered_at or ticket.created_at)
    if need.drop_after_seconds is not None and waited >= timedelta(seconds=need.drop_after_seconds):
        return None
    levels = [level for after, level in need.steps if waited >= timedelta(seconds=after)]
    return levels[-1] if levels else need.level


def barred(agent: Agent, kind: Kind, queue: Queue, restrictions: Restrictions) -> Code | None:
    """Return why an agent may not take tickets of a kind in a queue at all; None when he may."""
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
    if agent.restricted:
        return Code.PROCESSING_RESTRICTED
    return _outside(agent, kind, queue) or _absent(agent) or _unskilled(agent, kind) or _excluded(agent, kind)


def _outside(agent: Agent, kind: Kind, queue: Queue) -> Code | None:
    if not agent.groups.isdisjoint(kind.overflow):
        return None
    group = kind.group
    if queue.agents and agent.id not in queue.agents:
        return Code.NOT_IN_ROTATION
    if group is not None and group not in agent.groups:
        return Code.NOT_IN_GROUP
    if group is None and not agent.groups:
        return Code.NOT_IN_GROUP
    return None


def _absent(agent: Agent) -> Code | None:
    if agent.status != "online":
        return _ABSENT.get(agent.absence, Code.STATUS_NOT_ONLINE)
    return Code.OFF_SHIFT if agent.off_shift else None


def _excluded(agent: Agent, kind: Kind) -> Code | None:
    if agent.id in kind.declined:
        return Code.DECLINED
    return Code.NOT_DEDICATED if kind.dedicated not in (None, agent.id) else None


def _unskilled(agent: Agent, kind: Kind) -> Code | None:
    held = dict(agent.skills)
    if any(skill not in held for skill, _ in kind.skills):
        return Code.MISSING_SKILL
    return Code.SKILL_LEVEL if any(held[skill] < level for skill, level in kind.skills) else None


def counted(agent: Agent, queue: Queue) -> int:
    """Return the units of an agent's load that leave less room for tickets of a queue (facts: §4.1).

    Work that may be interrupted comes on top of other work only where there is room for both; other work is given
    as if it were not there.
    """
    return agent.load if queue.interruptible else agent.load - agent.interruptible


def caps(agent: Agent, queue: Queue) -> dict[Code, int]:
    """Return how many more tickets each limit that binds an agent here lets him take; negative when passed by hand.

    The inbox limit counts status Open only; the daily limits count what queues assigned in the last 12 hours and
    do not apply to trigger queues; rate limits do, for they are about the pace, of whatever queue; batch size is
    round robin's alone, and counts per run over all such queues (facts: decision 2).
    """
    found: dict[Code, int] = {}
    if agent.inbox_limit is not None:
        found[Code.INBOX_LIMIT] = agent.inbox_limit - agent.open_count
    if queue.open_limit is not None:
        found[Code.CHANNEL_LIMIT] = queue.open_limit - agent.open_queue
    if agent.capacity is not None:
        # All tickets of a round take the same, so that whole slots are exact (facts: §5.3).
        found[Code.CAPACITY] = (agent.capacity - counted(agent, queue)) // queue.work
    if queue.scheduled and agent.daily_limit is not None:
        found[Code.DAILY_LIMIT] = agent.daily_limit - agent.assigned_12h
    if queue.scheduled and queue.daily_limit is not None:
        found[Code.QUEUE_DAILY_LIMIT] = queue.daily_limit - agent.assigned_12h_queue
    if agent.rate_limit is not None:
        found[Code.RATE_LIMIT] = agent.rate_limit - agent.assigned_rate
    if queue.rate_limit is not None:
        room = queue.rate_limit - agent.assigned_rate_queue
        found[Code.RATE_LIMIT] = min(room, found.get(Code.RATE_LIMIT, room))
    if queue.scheduled and queue.batch_size is not None and queue.model == "round_robin":
        found[Code.BATCH_SIZE] = queue.batch_size - agent.assigned_run
    return found


def slots(agent: Agent, queue: Queue) -> tuple[int | None, Code]:
    """Return how many more tickets an agent may take in this round, None without a limit, and which says so."""
    found = caps(agent, queue)
    if not found:
        return None, Code.SLOT_TAKEN
    code, least = min(found.items(), key=lambda cap: cap[1])
    return max(0, least), code
