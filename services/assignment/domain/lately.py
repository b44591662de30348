"""Which tickets agents got lately, in a replay: what rate limits count."""

from __future__ import annotations

from collections import deque
from datetime import datetime, timedelta

from services.assignment.domain.limits import LONGEST_MINUTES
from services.assignment.domain.model import AgentId

_LONGEST = timedelta(minutes=LONGEST_MINUTES)


class Lately:
    """Tickets by agent, as far back as any limit looks."""

    def __init__(self) -> None:
        self._given: dict[AgentId, deque[tuple[datetime, str]]] = {}

    def give(self, agent: AgentId, queue: str, at: datetime) -> None:
        """Note a ticket; they come in order of time."""
        given = self._given.setdefault(agent, deque())
        given.append((at, queue))
        while given[0][0] <= at - _LONGEST:
            given.popleft()

    def of(self, agent: AgentId, minutes: int | None, at: datetime, queue: str | None = None) -> int:
        """Count an agent's tickets, of one queue or of all, in so many minutes; one that is as old is out."""
        if minutes is None:
            return 0
        since = at - timedelta(minutes=minutes)
        return sum(when > since and queue in (None, of) for when, of in self._given.get(agent, ()))

    def times(self, agent: AgentId) -> list[datetime]:
        """Return when an agent got his tickets."""
        return [when for when, _ in self._given.get(agent, ())]
