"""Statuses, and what follows from them: out of office with tags and releases, idle rules (facts: §2.7, §2.8)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime
from functools import partial

from libs.kernel.clock import Clock
from libs.kernel.ids import AccountId, IdSource
from libs.telemetry.logs import get_logger
from services.assignment.app.options import AccountOptions
from services.assignment.app.ports import Store, Transaction
from services.assignment.app.statuses import idle_after, require_choices

IDLE, OUT = "idle", "out_of_office"
OPEN = ("new", "open")
UNCLOSED = (*OPEN, "pending", "hold", "solved")


class Absences:
    """Changes statuses. Tags and releases go the way of every write: through the outbox, once."""

    def __init__(self, store: Store, clock: Clock, ids: IdSource, wake: asyncio.Event) -> None:
        self._store = store
        self._clock = clock
        self._ids = ids
        self._wake = wake

    async def set_statuses(self, account: AccountId, statuses: Mapping[int, str], acting: int | None) -> int:
        """Set statuses; return how many changed.

        Args:
            acting: who does it; his own change is an activity of his. None = an integration.

        Raises:
            NotFoundError: an agent is unknown.
            InvalidRequestError: a status does not exist.
            PermissionDeniedError: his role may not choose his status.
        """
        async with self._store.transaction(account) as tx:
            await tx.decisions.lock()
            kept = await tx.directory.account()
            options = kept.options if kept is not None else AccountOptions()
            rows = await tx.directory.agents(inactive=True, only=statuses)
            require_choices(options, {row.user_id: row for row in rows}, statuses, acting)
            changed = await self.within(tx, statuses, acting)
            if acting is not None and acting in statuses:
                await tx.directory.put_activity(acting, self._clock.now())
        self._wake.set()
        return changed

    async def within(self, tx: Transaction, statuses: Mapping[int, str], updater: int | None = None) -> int:
        """Set statuses inside a transaction that holds the lock; return how many changed.

        Args:
            updater: who does it; None = a rule or an integration.
        """
        kept = await tx.directory.account()
        options = kept.options if kept is not None else AccountOptions()
        absences = {a: OUT for a, status in statuses.items() if status in options.ooo_statuses}
        return await self._change(tx, options, statuses, absences, self._clock.now(), updater)

    async def active(self, account: AccountId, agent: int) -> bool:
        """Keep that an agent did something; False for an unknown one."""
        async with self._store.transaction(account) as tx:
            return await tx.directory.put_activity(agent, self._clock.now())

    async def sweep(self, account: AccountId) -> int:
        """Set aside who did nothing for the account's idle time, or for his own; return how many."""
        async with self._store.transaction(account) as tx:
            kept, rules = await tx.directory.account(), await tx.statuses.idle_rules()
            if kept is None or (kept.options.idle_minutes is None and not rules):
                return 0
            await tx.decisions.lock()
            now = self._clock.now()
            # At the very minute he is idle (facts: decision 20).
            idle = [
                row.user_id
                for row in await tx.directory.agents()
                if row.status == "online"
                and (may_rest := idle_after(kept.options, rules.get(row.user_id))) is not None
                and max(row.active_at or row.status_at, row.status_at) <= now - may_rest
            ]
            if not idle:
                return 0
            statuses, absences = dict.fromkeys(idle, kept.options.idle_status), dict.fromkeys(idle, IDLE)
            await self._change(tx, kept.options, statuses, absences, now)
        get_logger().info("agents are idle", account=account, agents=idle)
        self._wake.set()
        return len(idle)

    async def _change(
        self,
        tx: Transaction,
        options: AccountOptions,
        statuses: Mapping[int, str],
        absences: Mapping[int, str],
        now: datetime,
        updater: int | None = None,
    ) -> int:
        if not options.ooo_statuses:
            return await tx.directory.set_statuses(statuses, now, absences, updater)
        before = {row.user_id: row.absence for row in await tx.directory.agents(inactive=True)}
        changed = await tx.directory.set_statuses(statuses, now, absences, updater)
        counts = {OUT, IDLE} if options.ooo_on_idle else {OUT}
        for agent in statuses.keys() & before.keys():
            was, is_now = before[agent] in counts, absences.get(agent) in counts
            if is_now and not was:
                await self._leaves(tx, options, agent, now)
            elif was and not is_now and options.ooo_advanced:
                await tx.outbox.untag_tickets(agent, options.ooo_tag, lambda: self._ids.new("tag"), now)
        return changed

    async def _leaves(self, tx: Transaction, options: AccountOptions, agent: int, now: datetime) -> None:
        if options.ooo_release:
            free, _ = await tx.outbox.releasable(agent)
            ids = [self._ids.new("rel") for _ in range(free)]
            await tx.outbox.release_tickets(agent, ids, now, tags=(options.ooo_tag,), note=options.ooo_note)
        statuses = UNCLOSED if options.ooo_advanced else OPEN
        new_id = partial(self._ids.new, "tag")
        await tx.outbox.tag_tickets(agent, statuses, options.ooo_tag, new_id, now, options.ooo_note)
