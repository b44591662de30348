"""ListDecisions: the decision log, newest first."""

from __future__ import annotations

from libs.kernel.ids import AccountId
from services.policy.app.decision_log import DecisionLog
from services.policy.app.ports import LogRow, Store


class ReadLog:
    """Reads what was decided, and why at the time. What waits on other replicas comes within a second."""

    def __init__(self, store: Store, log: DecisionLog) -> None:
        self._store = store
        self._log = log

    async def __call__(
        self, account: AccountId, user: int | None, *, before: str, limit: int
    ) -> tuple[list[LogRow], bool]:
        """Return decisions older than the log id `before`, at most `limit`, and whether there are more.

        Args:
            user: only about this user; None = all.
        """
        await self._log.flush()
        async with self._store.snapshot(account) as tx:
            rows = await tx.logged(before, limit + 1, user)
        return rows[:limit], len(rows) > limit
