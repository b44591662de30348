"""How others hand out one ticket at a time: rings, and a scan of all agents per ticket."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Sequence

from services.assignment.domain.model import Agent, Ticket


class Ring:
    """A list of agents per group: the first who has room is taken, everybody who was looked at goes to the end.

    What `peers/main.py` does in Redis, without Redis: no network, no serialising.
    """

    def __init__(self, agents: Sequence[Agent]) -> None:
        self._rings = defaultdict[int, deque[Agent]](deque)
        for agent in agents:
            for group in agent.groups:
                self._rings[group].append(agent)
        self._open = {a.id: a.open_count for a in agents}

    def give(self, ticket: Ticket) -> int | None:
        """Return the agent; None when nobody has room."""
        ring = self._rings[ticket.group or 0]
        for _ in range(len(ring)):
            agent = ring[0]
            ring.rotate(-1)
            if self._open[agent.id] < (agent.inbox_limit or 0):
                self._open[agent.id] += 1
                return agent.id
        return None

    def finish(self, agent: int) -> None:
        """Free a slot."""
        self._open[agent] -= 1


class Scan:
    """All agents per ticket, the least loaded of those who may, as open-source helpdesks do it."""

    def __init__(self, agents: Sequence[Agent]) -> None:
        self._agents = agents
        self._open = {a.id: a.open_count for a in agents}

    def give(self, ticket: Ticket) -> int | None:
        """Return the agent; None when nobody has room."""
        able = [
            a.id for a in self._agents if ticket.group in a.groups and self._open[a.id] < (a.inbox_limit or 0)
        ]
        if not able:
            return None
        agent = min(able, key=lambda a: (self._open[a], a))
        self._open[agent] += 1
        return agent

    def finish(self, agent: int) -> None:
        """Free a slot."""
        self._open[agent] -= 1
