"""Options as they are kept: what differs from the default, as JSON, so that a new one needs no migration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any, TypeVar

from services.assignment.domain.same_agent import Criteria, Match

OOO_NOTE = "The agent is out of office. (Setlist)"
"""What a note says where the account has no sentence of its own."""

OptionsT = TypeVar("OptionsT", bound="QueueOptions | AccountOptions")


@dataclass(frozen=True, slots=True)
class QueueOptions:
    """What a queue may do beyond Playlist's own.

    Attributes:
        offer_seconds: how long an agent may think about a ticket; None = tickets are assigned at once.
        missed_offers: so many in a row that an agent let expire set him aside; None = never.
        missed_status: what he becomes then.
        ageing_seconds: waiting time that makes up for one step of priority; None = priority goes first.
        work_units: of an agent's capacity that one of its tickets takes.
        interruptible: whether other work may interrupt its tickets (`domain.eligibility.counted`).
        open_limit: most open tickets of this queue per agent.
        rate_limit: most tickets of this queue per agent in a time, e.g. `3 in 30m` (`domain.limits`); empty = no limit.
        overflow_groups: whose agents help a ticket that waited `overflow_seconds`.
        overflow_queue: whose tickets those become that waited so long; empty = none.
        pull_only: whether its tickets go to agents who ask for the next one alone, and no round pushes them.
        schedule: outside whose hours the queue rests; None = it never does.
        sticky_seconds: how long who had a ticket last comes first when it is back; None = he does not.
        weights: turns of each agent beside the others', in order of the agents; the weighted model's alone.
    """

    offer_seconds: int | None = None
    ageing_seconds: int | None = None
    missed_offers: int | None = None
    missed_status: str = "away"
    schedule: int | None = None
    weights: tuple[tuple[int, int], ...] = ()
    work_units: int = 1
    interruptible: bool = False
    open_limit: int | None = None
    rate_limit: str = ""
    overflow_groups: tuple[int, ...] = ()
    overflow_queue: str = ""
    overflow_seconds: int | None = None
    sticky_seconds: int | None = None
    pull_only: bool = False


@dataclass(frozen=True, slots=True)
class AccountOptions:
    """What an account uses beyond queues.

    Attributes:
        same_agent_hours: window of same agent; None = off.
        same_agent_anchor: oldest or newest.
        same_agent_tag: put on tickets so assigned; empty = none.
        same_agent_match, same_agent_fields: what must be the same of both tickets (`domain.same_agent.Criteria`).
        same_agent_priorities, same_agent_channels, same_agent_tags, same_agent_excluded_tags: of the new one.
        returned: whose tickets go back to their queues when they are open again: who is gone (departed), also who is
            out_of_office, also who is offline, or nobody's (keep).
        skills: whether skills are copied and used.
        ooo_statuses: what means out of office; empty = off.
        ooo_tag: put on the agent's open tickets then.
        ooo_advanced: on all that are not closed, and taken off when he is back.
        ooo_release: his open tickets go back to their queues.
        ooo_on_idle: also when he is set aside as idle.
        ooo_note: internal note on his open tickets; empty = none.
        idle_minutes: how long an online agent may do nothing; None = for ever.
        idle_status: what he becomes then.
        capacity_units: default capacity of agents; None = no limit.
        rate_limit: default limit of agents in the grammar of `domain.limits`; empty = no limit.
        group_tags: of how many tags such a ticket gets the next instead; 0 = off.
        group_shares: (group, weight): who gets new tickets without a group; empty = off.
        dedicated: how many rules of dedicated support there are.
        statuses: that exist beside the built-in ones.
        role_statuses: (agent, admin or `custom/{id}`, what it may choose); who is not named may choose all.
    """

    same_agent_hours: int | None = None
    same_agent_anchor: str = "oldest"
    same_agent_tag: str = ""
    dedicated: int = 0
    returned: str = "departed"
    skills: bool = False
    ooo_statuses: tuple[str, ...] = ()
    ooo_tag: str = "agent_ooo"
    ooo_advanced: bool = False
    ooo_release: bool = False
    ooo_on_idle: bool = False
    ooo_note: str = ""
    idle_minutes: int | None = None
    idle_status: str = "away"
    group_tags: int = 0
    capacity_units: int | None = None
    rate_limit: str = ""
    group_shares: tuple[tuple[int, int], ...] = ()
    statuses: tuple[str, ...] = ()
    role_statuses: tuple[tuple[str, tuple[str, ...]], ...] = ()
    same_agent_match: tuple[str, ...] = ()
    same_agent_fields: tuple[int, ...] = ()
    same_agent_priorities: tuple[str, ...] = ()
    same_agent_channels: tuple[str, ...] = ()
    same_agent_tags: tuple[str, ...] = ()
    same_agent_excluded_tags: tuple[str, ...] = ()


def criteria_of(options: AccountOptions) -> Criteria:
    """Return which tickets count for the same agent."""
    return Criteria(
        tuple(Match(one) for one in options.same_agent_match),
        options.same_agent_fields,
        options.same_agent_priorities,
        options.same_agent_channels,
        options.same_agent_tags,
        options.same_agent_excluded_tags,
    )


def distributes(options: AccountOptions) -> bool:
    """Tell whether new tickets are distributed to groups."""
    return bool(options.group_shares or options.group_tags)


def plain(options: QueueOptions | AccountOptions) -> dict[str, Any]:
    """Return options as JSON values."""
    found = {f.name: getattr(options, f.name) for f in fields(options)}
    defaults = {f.name: f.default for f in fields(options) if f.default is not MISSING}
    return {name: value for name, value in found.items() if value != defaults.get(name)}


def typed(kind: type[OptionsT], values: Mapping[str, Any]) -> OptionsT:
    """Return options from JSON values; what a newer version wrote besides is left alone."""
    known = {f.name for f in fields(kind)}
    return kind(**{name: _tuples(value) for name, value in values.items() if name in known})


def _tuples(value: Any) -> Any:
    return tuple(_tuples(one) for one in value) if isinstance(value, list) else value
