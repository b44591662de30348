"""The client of one account: one attribute per resource."""

from __future__ import annotations

from types import TracebackType
from typing import Self

import httpx2

from libs.kernel.clock import Clock, SystemClock
from libs.zendesk.budget import RateBudget
from libs.zendesk.fields import Fields
from libs.zendesk.groups import Groups, Memberships
from libs.zendesk.installations import Installations
from libs.zendesk.jobs import Jobs
from libs.zendesk.tickets import Tickets
from libs.zendesk.tokens import TokenSupply
from libs.zendesk.transport import Transport
from libs.zendesk.users import Users
from libs.zendesk.views import Views
from libs.zendesk.webhooks import Triggers, Webhooks


def new_pool() -> httpx2.AsyncClient:
    """Return a connection pool for Zendesk; its owner closes it."""
    return httpx2.AsyncClient(timeout=httpx2.Timeout(10.0), follow_redirects=False, trust_env=False)


class ZendeskClient:
    """Everything we do at Zendesk for one account.

    Args:
        base_url: e.g. `https://acme.zendesk.com`.
        tokens: supply of access tokens.
        http: a shared connection pool; without one the client makes and closes its own.
        clock: business time; kept for callers that compute `start_time` of exports from it.
        budget: the account's rate budget within this process.
    """

    def __init__(
        self,
        base_url: str,
        tokens: TokenSupply,
        http: httpx2.AsyncClient | None = None,
        clock: Clock | None = None,
        budget: RateBudget | None = None,
    ) -> None:
        self._own_pool = None if http is not None else new_pool()
        self.clock = clock or SystemClock()
        transport = Transport(base_url, tokens, http or self._own_pool or new_pool(), budget)
        self.users = Users(transport)
        self.groups = Groups(transport)
        self.memberships = Memberships(transport)
        self.views = Views(transport)
        self.tickets = Tickets(transport)
        self.user_fields = Fields(transport, "user_field")
        self.ticket_fields = Fields(transport, "ticket_field")
        self.webhooks = Webhooks(transport)
        self.triggers = Triggers(transport)
        self.jobs = Jobs(transport)
        self.installations = Installations(transport)

    async def close(self) -> None:
        """Close the pool, if this client made it."""
        if self._own_pool is not None:
            await self._own_pool.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
