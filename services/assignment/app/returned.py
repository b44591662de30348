"""Tickets that are open again: with an agent who is there, or back in their queue.

Zendesk reopens a ticket with the assignee that it had, whether he is still there or not. It goes back to him only if
he still has access, else it is nobody's again (facts: §4.1, as osTicket does it; §4.4 ask 2).
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import replace

from libs.kernel.clock import Clock
from libs.kernel.ids import AccountId
from libs.telemetry.logs import get_logger
from services.assignment.app.absences import OUT
from services.assignment.app.copies import agent_of, read_agent
from services.assignment.app.give_back import ReleaseAgentTickets
from services.assignment.app.options import AccountOptions
from services.assignment.app.ports import Store, Transaction, Zendesk
from services.assignment.app.rows import AgentRow, Returned

LIGHT = 1


class ReturnedTickets:
    """Gives back what is open again and belongs to somebody who should not have it, by the account's option.

    A ticket is marked by the transaction that stores that it is open again, and the mark goes in the one that settles
    it: a death in between leaves it to the next run.
    """

    def __init__(
        self, store: Store, zendesk: Zendesk, release: ReleaseAgentTickets, clock: Clock, wake: asyncio.Event
    ) -> None:
        self._store = store
        self._zendesk = zendesk
        self._release = release
        self._clock = clock
        self._wake = wake

    async def __call__(self, account: AccountId) -> int:
        """Return how many tickets go back to their queues.

        Of whoever looks gone Zendesk is asked first, for our copy may be old; while it does not answer, his tickets
        stay marked.
        """
        given, doubted = await self._settle(account, {})
        if doubted:
            more, _ = await self._settle(account, await self._ask(account, doubted))
            given += more
        if given:
            self._wake.set()
        return given

    async def _settle(self, account: AccountId, fresh: Mapping[int, AgentRow]) -> tuple[int, set[int]]:
        """Settle what can be; return how many go back, and the agents who look gone and are not among the fresh."""
        async with self._store.transaction(account) as tx:
            if not await tx.returns.open_again():
                return 0, set()
            await tx.decisions.lock()
            kept, rows = await tx.directory.account(), await tx.returns.open_again()
            options = kept.options if kept is not None else AccountOptions()
            settled: list[int] = []
            doubted: set[int] = set()
            given = 0
            for row in rows:
                agent = fresh.get(row.agent_id) or await tx.directory.agent(row.agent_id)
                gone = agent is None or _gone(agent, row.group_id)
                if options.returned != "keep" and gone and row.agent_id not in fresh:
                    doubted.add(row.agent_id)
                    continue
                settled.append(row.ticket)
                if _leaves(options.returned, agent, gone=gone):
                    given += await self._give_back(tx, row)
            await tx.returns.settle(settled)
        return given, doubted

    async def _give_back(self, tx: Transaction, row: Returned) -> int:
        free, _ = await tx.outbox.releasable(row.agent_id, row.ticket)
        if free:  # else it is on its way back already
            await self._release.within(tx, row.agent_id, free, row.ticket)
        return free

    async def _ask(self, account: AccountId, agents: Collection[int]) -> dict[int, AgentRow]:
        """Return what Zendesk says of agents, and keep it of those whom we know."""
        found: dict[int, AgentRow] = {}
        now = self._clock.now()
        try:
            client = await self._zendesk.of(account)
            for number in sorted(agents):
                user, groups = await read_agent(client, number)
                if user is None:
                    found[number] = AgentRow(number, "", "", None, None, False, False, "", now)
                else:
                    found[number] = agent_of(user, groups, "", now)
        except Exception as error:
            get_logger().warning("who is gone is not known", account=account, why=type(error).__name__)
        async with self._store.transaction(account) as tx:
            await tx.decisions.lock()
            for number, fresh in found.items():
                if (known := await tx.directory.agent(number)) is not None:
                    gone = replace(known, active=False, groups=())
                    told = replace(fresh, status=known.status, status_at=known.status_at)
                    await tx.directory.refresh_agent(told if told.name else gone)
                    found[number] = await tx.directory.agent(number) or fresh
        return found


def _gone(agent: AgentRow, group: int | None) -> bool:
    """Tell whether an agent has no access to a ticket of a group."""
    inside = group is None or group in agent.groups
    return not (agent.active and not agent.suspended and agent.role_type != LIGHT and inside)


def _leaves(option: str, agent: AgentRow | None, *, gone: bool) -> bool:
    """Tell whether a ticket that is open again leaves its agent."""
    if option == "keep":
        return False
    if gone or agent is None:
        return True
    if option == "out_of_office":
        return agent.absence == OUT
    return option == "offline" and agent.status != "online"
