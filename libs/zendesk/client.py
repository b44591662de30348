"""The client of one account: one attribute per resource."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from http.cookiejar import CookieJar, DefaultCookiePolicy
from types import TracebackType
from typing import Self

import httpx2

from libs.kernel.clock import Clock, SystemClock
from libs.zendesk.budget import Budget
from libs.zendesk.fields import Fields
from libs.zendesk.groups import Groups, Memberships, Organizations
from libs.zendesk.installations import Installations
from libs.zendesk.jobs import Jobs
from libs.zendesk.routing import Routing
from libs.zendesk.schedules import Schedules
from libs.zendesk.search import Search
from libs.zendesk.ticket_deletion import TicketDeletion
from libs.zendesk.tickets import Tickets
from libs.zendesk.tokens import TokenSupply
from libs.zendesk.transport import Patience, Transport
from libs.zendesk.triggers import Triggers
from libs.zendesk.user_deletion import UserDeletion
from libs.zendesk.users import Users
from libs.zendesk.views import Views
from libs.zendesk.webhooks import Webhooks

for _name in ("httpx2", "httpcore2"):  # they log whole addresses, and a query may name a person
    logging.getLogger(_name).setLevel(logging.WARNING)


def new_pool() -> httpx2.AsyncClient:
    """Return a connection pool for Zendesk; its owner closes it. It keeps no cookies: accounts share it."""
    return httpx2.AsyncClient(
        timeout=httpx2.Timeout(10.0),
        follow_redirects=False,
        trust_env=False,
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
    )


class ZendeskClient:
    """Everything we do at Zendesk for one account.

    Args:
        base_url: e.g. `https://acme.zendesk.com`.
        tokens: supply of access tokens.
        http: a shared connection pool; without one the client makes and closes its own.
        clock: business time.
        budget: the account's; without one the client counts for itself.
        patience: how long calls may take.
        sleep: waits for some seconds; tests move their clock instead.
    """

    def __init__(
        self,
        base_url: str,
        tokens: TokenSupply,
        http: httpx2.AsyncClient | None = None,
        clock: Clock | None = None,
        budget: Budget | None = None,
        *,
        patience: Patience | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._own_pool = None if http is not None else new_pool()
        self.clock = clock or SystemClock()
        pool = http or self._own_pool or new_pool()
        budget = budget or Budget(clock=self.clock)
        self.measures = budget.measures
        transport = Transport(
            base_url, tokens, pool, budget, clock=self.clock, patience=patience, sleep=sleep
        )
        self.users = Users(transport)
        self.user_deletion = UserDeletion(transport)
        self.groups = Groups(transport)
        self.memberships = Memberships(transport)
        self.organizations = Organizations(transport)
        self.views = Views(transport)
        self.tickets = Tickets(transport)
        self.ticket_deletion = TicketDeletion(transport)
        self.user_fields = Fields(transport, "user_field")
        self.ticket_fields = Fields(transport, "ticket_field")
        self.routing = Routing(transport)
        self.schedules = Schedules(transport)
        self.search = Search(transport)
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
