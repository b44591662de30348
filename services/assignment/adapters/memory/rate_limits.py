"""Agents' own rate limits, and what queues gave lately, in memory."""

from __future__ import annotations

from datetime import datetime, timedelta

from services.assignment.adapters.memory.tables import Tables
from services.assignment.domain.limits import Limit


class MemoryRateLimits:
    """Implements the port `RateLimits`."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def of_agents(self) -> dict[int, Limit]:
        return dict(self._tables.rate_limits)

    async def put_agent(self, agent: int, limit: Limit | None) -> None:
        self._tables.rate_limits.pop(agent, None)
        if limit is not None:
            self._tables.rate_limits[agent] = limit

    async def given(
        self, queue: str, at: datetime, *, default: int, of_queue: int, longest: int
    ) -> dict[int, tuple[int, int]]:
        found: dict[int, tuple[int, int]] = {}
        for agent, of, when in self._lately(at, timedelta(minutes=longest)):
            own = self._tables.rate_limits.get(agent)
            minutes = default if own is None else own.minutes or 0
            mine, here = found.get(agent, (0, 0))
            found[agent] = (
                mine + (when > at - timedelta(minutes=minutes)),
                here + (of == queue and when > at - timedelta(minutes=of_queue)),
            )
        return found

    def _lately(self, at: datetime, longest: timedelta) -> list[tuple[int, str, datetime]]:
        given = [
            (a.agent, a.queue, a.at)
            for a in self._tables.assignments.values()
            if a.mechanism == "queue" and a.state != "conflict" and a.at > at - longest
        ]
        # What an agent thinks about counts as given this very moment, as for the daily limit.
        return given + [(o.agent_id, o.queue, at) for o in self._tables.live_offers()]
