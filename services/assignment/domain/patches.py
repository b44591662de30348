"""A snapshot as text that leans on an earlier one: what changed of its agents, and everything else whole (facts: §7.1).

The earlier one, the *base*, is a whole text (`domain/inputs.py`), never a patch. A patch names it by digest, so that the
digest of the patch, which the decision's hash covers, stands for both.

Each turn gives a share to everybody who could have taken it, so hardly any agent has the credit that he had before; but
agents who may take the same tickets got the same. A patch therefore tells by how much credits grew, kind by kind, and
names who is not as his kind.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from operator import attrgetter
from typing import Any

from services.assignment.domain.inputs import (
    besides_agents,
    canonical,
    plain_agents,
    snapshot_of,
    typed_agents,
)
from services.assignment.domain.model import Agent, AgentId, Snapshot

_STANDING = attrgetter(
    "groups",
    "skills",
    "status",
    "absence",
    "off_shift",
    "suspended",
    "light",
    "active",
    "restricted",
    "custom_role_id",
)
_LIMITED = (("inbox_limit", "open_count"), ("daily_limit", "assigned_12h"), ("capacity", "load"))
_BESIDES_CREDIT = attrgetter(*(f.name for f in fields(Agent) if f.name != "credit"))
_by_id = attrgetter("id")
_NUMBERS = 4
"""How many numbers take the place of an agent in a text, about."""


class Base:
    """A whole snapshot that patches lean on.

    Attributes:
        digest: of its text.
        agents: by id.
    """

    def __init__(self, digest: str, agents: Iterable[Agent]) -> None:
        self.digest = digest
        self.agents: Mapping[AgentId, Agent] = {a.id: a for a in sorted(agents, key=_by_id)}

    def __len__(self) -> int:
        return len(self.agents)

    @cached_property
    def kinds(self) -> Sequence[int]:
        """The kind of each agent, by id; kinds are numbered as they come."""
        numbers: dict[Any, int] = {}
        return [numbers.setdefault(_kind(agent), len(numbers)) for agent in self.agents.values()]

    @cached_property
    def besides_credit(self) -> Mapping[AgentId, Any]:
        """What is compared of each agent."""
        return {agent.id: _BESIDES_CREDIT(agent) for agent in self.agents.values()}


@dataclass(frozen=True, slots=True)
class Difference:
    """What became of a base's agents.

    Attributes:
        changed: who is not in the base, or not as there, by id.
        gone: who is in the base alone, in order.
        grown: by how much the credit grew of those who only have another credit, where nothing else is said.
        kinds: (number, by how much the credits of this kind grew).
        apart: (by how much they grew, whose credits, in order), of who is not as his kind.
    """

    changed: Sequence[Agent]
    gone: Sequence[AgentId]
    grown: int = 0
    kinds: Sequence[tuple[int, int]] = ()
    apart: Sequence[tuple[int, Sequence[AgentId]]] = ()

    @property
    def size(self) -> int:
        """About how many agents take as much place in a text."""
        numbers = len(self.gone) + 2 * len(self.kinds) + sum(1 + len(those) for _, those in self.apart)
        return len(self.changed) + -(-numbers // _NUMBERS)


def _kind(agent: Agent) -> tuple[Any, ...]:
    """Return what tells whose turns an agent shared, most of the time: what he may take, and whether he is full.

    INVARIANT: never changed, for patches that are kept number kinds by it. It is no rule of routing: where it is wrong,
    agents are named who need not be.
    """
    limits = ((getattr(agent, most), getattr(agent, count)) for most, count in _LIMITED)
    return _STANDING(agent), *(most is not None and count >= most for most, count in limits)


def difference(base: Base, agents: Iterable[Agent]) -> Difference:
    """Compare the agents of a snapshot with those of a base."""
    before, now = base.besides_credit, {agent.id: agent for agent in agents}
    changed = [agent for agent in now.values() if before.get(agent.id) != _BESIDES_CREDIT(agent)]
    gone = base.agents.keys() - now.keys()
    others = gone.union(agent.id for agent in changed)
    # Plain numbers in step with the base's agents: containers by the thousand would keep the collector busy.
    grew = [None if i in others else now[i].credit - one.credit for i, one in base.agents.items()]
    total, of_kinds = Counter[int](), dict[int, Counter[int]]()
    for (kind, by), number in Counter(zip(base.kinds, grew, strict=True)).items():
        if by is not None:
            total[by] += number
            of_kinds.setdefault(kind, Counter())[by] = number
    grown = _most(total)
    kinds = {kind: by for kind, many in sorted(of_kinds.items()) if (by := _most(many)) != grown}
    apart: dict[int, list[AgentId]] = {}
    for kind, by, agent_id in zip(base.kinds, grew, base.agents, strict=True):
        if by is not None and by != kinds.get(kind, grown):
            apart.setdefault(by, []).append(agent_id)
    return Difference(
        sorted(changed, key=_by_id), sorted(gone), grown, list(kinds.items()), sorted(apart.items())
    )


def _most(numbers: Mapping[int, int]) -> int:
    """Return the most common number; of several the smallest, of none 0."""
    return min(numbers, key=lambda n: (-numbers[n], n), default=0)


def dump_patch(base: str, news: Difference, snapshot: Snapshot) -> str:
    """Return a snapshot as canonical JSON that leans on a base.

    Args:
        base: its digest.
        news: what `difference` found between the two.
    """
    patch = {
        "base": base,
        # Not `agents`: whoever reads whole texts alone must not take a patch for one.
        "changed": plain_agents(news.changed),
        "gone": news.gone,
        "grown": news.grown,
        "kinds": news.kinds,
        "apart": news.apart,
    }
    return canonical(besides_agents(snapshot) | patch)


def load_patch(text: str, base: Base) -> Snapshot:
    """Return the snapshot of a text that `dump_patch` made.

    Raises:
        ValueError: it is no such text, or it leans on another base.
    """
    try:
        value = json.loads(text)
        if value["base"] != base.digest:
            raise ValueError("the patch of another snapshot")
        return snapshot_of(value, _patched(base, value))
    except (KeyError, TypeError) as error:
        raise ValueError("not the patch of a snapshot") from error


def _patched(base: Base, value: dict[str, Any]) -> list[Agent]:
    changed = {a.id: a for a in typed_agents(value["changed"])}
    gone, grown, kinds = set(value["gone"]), value["grown"], dict(value["kinds"])
    apart = {agent: by for by, those in value["apart"] for agent in those}
    agents = list(changed.values())
    for kind, agent in zip(base.kinds, base.agents.values(), strict=True):
        if agent.id not in changed and agent.id not in gone:
            by = apart.get(agent.id, kinds.get(kind, grown))
            agents.append(replace(agent, credit=agent.credit + by) if by else agent)
    return sorted(agents, key=_by_id)
