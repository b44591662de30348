"""What may not be done with agents' data, asked before rounds (facts: privacy §12 and its decision 14)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from libs.kernel.clock import Clock
from libs.kernel.ids import AccountId
from libs.telemetry.logs import get_logger
from services.assignment.app.ports import Privacy, Store
from services.assignment.domain.model import Snapshot

FRESH = timedelta(seconds=5)
"""What is older than this counts as unknown."""


@dataclass(frozen=True, slots=True)
class _Known:
    at: datetime
    revision: int | None = None
    basic: frozenset[int] = frozenset()
    scoring: frozenset[int] = frozenset()


class Restricted:
    """Keeps each account's restrictions of agents for some seconds.

    While privacy does not answer, agents are routed to as before: never stop the helpdesk. What is optional,
    affinity, is asked for each requester and fails closed.
    """

    def __init__(self, store: Store, privacy: Privacy, clock: Clock, fresh: timedelta = FRESH) -> None:
        self._fresh = fresh
        self._store = store
        self._privacy = privacy
        self._clock = clock
        self._known: dict[AccountId, _Known] = {}

    async def refresh(self, account: AccountId) -> None:
        """Ask privacy if it was asked too long ago; called before a transaction, never inside one."""
        now, known = self._clock.now(), self._known.get(account)
        if known is not None and abs(now - known.at) < self._fresh:  # also when the clock was set back
            return
        async with self._store.transaction(account) as tx:
            agents = [row.user_id for row in await tx.directory.agents()]
        try:
            revision, basic, scoring = await self._privacy.agents(account, agents)
        except Exception as error:
            get_logger().warning("restrictions are unknown", account=account, why=type(error).__name__)
            self._known[account] = _Known(now)
        else:
            self._known[account] = _Known(now, revision, frozenset(basic), frozenset(scoring))

    async def fixed(self, account: AccountId) -> Restricted:
        """Return one that knows of an account what holds now and never asks again; this one learns nothing by it."""
        aside = Restricted(self._store, self._privacy, self._clock)
        aside._known = dict(self._known)
        await aside.refresh(account)
        aside._fresh = timedelta.max
        return aside

    async def affinity(self, account: AccountId, requester: int) -> bool:
        """Tell whether a requester may be sent back to an agent; False when nobody knows."""
        try:
            return await self._privacy.may_have_affinity(account, requester)
        except Exception as error:
            get_logger().warning("affinity is unknown, so off", account=account, why=type(error).__name__)
            return False

    def applied(self, account: AccountId, snapshot: Snapshot) -> Snapshot:
        """Return a snapshot with what may not be done, and the revision of the register that says so."""
        known = self._known.get(account)
        if known is None or known.revision is None:
            return snapshot
        touched: Collection[int] = known.basic | known.scoring
        agents = [
            replace(
                agent,
                restricted=agent.id in known.basic,
                skills=() if agent.id in known.scoring else agent.skills,
            )
            if agent.id in touched
            else agent
            for agent in snapshot.agents
        ]
        return replace(snapshot, agents=agents, privacy_revision=known.revision)
