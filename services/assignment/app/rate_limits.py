"""Rate limits: how many tickets queues gave an agent lately, and how many they may (facts: §4.1, §5.2).

An agent's own limit replaces the account's, whichever kind either is; a queue's holds beside it, for its own tickets.
What counts is what counts for the daily limit: what queues assigned, by our own log, and what the agent thinks about.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from services.assignment.app.ports import Transaction
from services.assignment.app.rows import Account, QueueRow
from services.assignment.domain.limits import Limit, limit_of
from services.assignment.domain.model import Agent, Snapshot

_NONE = (0, 0)


async def applied(
    tx: Transaction, account: Account, queue: QueueRow, snapshot: Snapshot, as_of: datetime
) -> Snapshot:
    """Return a snapshot whose agents know their rate limits; costs nothing where nobody has one.

    Where no queue gives (dedicated, same agent) only open tickets are limited, as with the daily limits (facts:
    decision 9).
    """
    default, own = limit_of(account.options.rate_limit), await tx.rate_limits.of_agents()
    of_queue = limit_of(queue.options.rate_limit)
    if not snapshot.tickets or (default is None and not own and of_queue is None):
        return snapshot
    windows = [limit.minutes for limit in (default, of_queue, *own.values()) if limit and limit.minutes]
    given: Mapping[int, tuple[int, int]] = {}
    if windows and queue.id:
        given = await tx.rate_limits.given(
            queue.id,
            as_of,
            default=default.minutes or 0 if default else 0,
            of_queue=of_queue.minutes or 0 if of_queue else 0,
            longest=max(windows),
        )
    agents = [
        _limited(agent, own.get(agent.id, default), given.get(agent.id, _NONE), paced=bool(queue.id))
        for agent in snapshot.agents
    ]
    return replace(snapshot, agents=agents)


def _limited(agent: Agent, limit: Limit | None, given: tuple[int, int], *, paced: bool) -> Agent:
    agent = replace(agent, assigned_rate_queue=given[1])
    if limit is None:
        return agent
    if limit.minutes is None:  # the lower of the two holds
        inbox = limit.most if agent.inbox_limit is None else min(limit.most, agent.inbox_limit)
        return replace(agent, inbox_limit=inbox)
    if not paced:
        return agent
    return replace(agent, rate_limit=limit.most, rate_minutes=limit.minutes, assigned_rate=given[0])
