"""Capacities and work in memory."""

from __future__ import annotations

from collections import Counter

from services.assignment.adapters.memory.tables import ROUTABLE, Tables
from services.assignment.app.rows import Work


class MemoryCapacities:
    """Implements the port `Capacities`."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def of_agents(self) -> dict[int, int]:
        return dict(self._tables.capacities)

    async def put_agent(self, agent: int, units: int | None) -> None:
        self._tables.capacities.pop(agent, None)
        if units is not None:
            self._tables.capacities[agent] = units

    async def work(self, queue: str) -> dict[int, Work]:
        given = {(a.ticket, a.agent): a.queue for a in self._tables.assignments.values() if a.live}
        facts = [k.row.facts for k in self._tables.tickets.values()]
        hands = [
            (f.assignee_id, given.get((f.id, f.assignee_id), ""))
            for f in facts
            if f.assignee_id is not None and f.status in ROUTABLE
        ]
        hands += [(offer.agent_id, offer.queue) for offer in self._tables.live_offers()]
        units: Counter[int] = Counter()
        of_queue: Counter[int] = Counter()
        interruptible: Counter[int] = Counter()
        for agent, source in hands:
            row = self._tables.queues.get(source)
            units[agent] += row.options.work_units if row else 1
            interruptible[agent] += row.options.work_units if row and row.options.interruptible else 0
            of_queue[agent] += source == queue
        return {agent: Work(units[agent], of_queue[agent], interruptible[agent]) for agent in units}
