"""Capacity: how much work an agent has and can have, where one ticket takes more of him than another (facts: §4.1)."""

from __future__ import annotations

from dataclasses import replace

from services.assignment.app.ports import Transaction
from services.assignment.app.rows import Account, QueueRow, Work
from services.assignment.domain.model import Snapshot

_IDLE = Work()


async def applied(tx: Transaction, account: Account, queue: QueueRow, snapshot: Snapshot) -> Snapshot:
    """Return a snapshot whose agents know their capacity and load; costs nothing where nobody has such a limit."""
    default, own = account.options.capacity_units, await tx.capacities.of_agents()
    if not snapshot.tickets or (default is None and not own and queue.options.open_limit is None):
        return snapshot
    work = await tx.capacities.work(queue.id)
    agents = [
        replace(
            agent,
            capacity=own.get(agent.id, default),
            load=work.get(agent.id, _IDLE).units,
            interruptible=work.get(agent.id, _IDLE).interruptible,
            open_queue=work.get(agent.id, _IDLE).of_queue,
        )
        for agent in snapshot.agents
    ]
    return replace(snapshot, agents=agents)
