"""RefreshAhead: refreshes before anybody waits, and looks after what a dead process left (facts: auth §2.4.2, 2.4.7).

Without it an account that nobody asks for would lose its grant when the refresh token ends, and a refresh whose
holder died would stay `refreshing` until the next caller: here it is settled, or told as lost, within a minute.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from libs.kernel.clock import Clock
from libs.kernel.errors import SetlistError
from libs.kernel.ids import AccountId
from libs.telemetry.logs import get_logger
from services.auth.app.journal import Journal
from services.auth.app.ports import Store
from services.auth.app.refresh_grant import RefreshGrant
from services.auth.app.zendesk_access import GetZendeskAccess

EVERY_SECONDS = 20.0
BATCH = 200
AT_ONCE = 8


class RefreshAhead:
    """A background loop; any number of replicas may run it, the lease of each grant lets one refresh."""

    def __init__(
        self, store: Store, access: GetZendeskAccess, refresh: RefreshGrant, journal: Journal, clock: Clock
    ) -> None:
        self._store = store
        self._access = access
        self._refresh = refresh
        self._journal = journal
        self._clock = clock

    async def run(self) -> None:
        """Turn for ever."""
        while True:
            try:
                await self.once()
            except SetlistError as error:  # the database is away: the next turn finds the same grants
                get_logger().warning("nothing was refreshed ahead", why=error.reason)
            await asyncio.sleep(EVERY_SECONDS)

    async def once(self) -> int:
        """Settle what the journal holds, then refresh what is due; return how many grants were looked after."""
        await self._settle()
        now, count, after = self._clock.now(), 0, None
        # All of them each turn: accounts whose Zendesk is away stay due and must not stand before the others.
        while due := await self._store.due_grants(now, after, BATCH):
            await self._look_after(due)
            count, after = count + len(due), due[-1]
        return count

    async def _look_after(self, due: Sequence[AccountId]) -> None:
        places = asyncio.Semaphore(AT_ONCE)

        async def one(account: AccountId) -> None:
            async with places:
                try:
                    await self._access.refresh_if_due(account)
                except (
                    SetlistError
                ) as error:  # told to the audit where it matters; one account stops no other
                    get_logger().info("a grant was not refreshed ahead", account=account, why=error.reason)

        async with asyncio.TaskGroup() as group:
            for account in due:
                group.create_task(one(account))

    async def _settle(self) -> None:
        for entry in await self._journal.entries():
            if not self._access.refreshing(entry.grant.account):
                await self._refresh.settle(entry)
