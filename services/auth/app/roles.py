"""Roles of people, asked of Zendesk under the grant and believed for five minutes (facts: auth §2.2.8)."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from datetime import datetime, timedelta

from libs.kernel.clock import Clock
from libs.kernel.errors import DependencyUnavailableError
from libs.kernel.ids import AccountId, UserId
from services.auth.app.ports import GrantDeadError, Zendesk, ZendeskPerson
from services.auth.app.zendesk_access import GetZendeskAccess
from services.auth.domain.installation import Installation

FRESH = timedelta(minutes=5)
_MAXIMUM = 10_000


class Roles:
    """A bounded cache of people's roles."""

    def __init__(self, access: GetZendeskAccess, zendesk: Zendesk, clock: Clock, url_template: str) -> None:
        self._access = access
        self._zendesk = zendesk
        self._clock = clock
        self._template = url_template
        self._known: OrderedDict[tuple[AccountId, UserId], tuple[datetime, ZendeskPerson]] = OrderedDict()

    async def of(self, installation: Installation, user: UserId) -> ZendeskPerson | None:
        """Return an active person with his role, None when Zendesk knows no such person.

        Raises:
            NotAuthorizedError, ReauthorizationNeededError: no grant to ask under.
            DependencyUnavailableError: Zendesk does not answer.
        """
        key, now = (installation.account, user), self._clock.now()
        known = self._known.get(key)
        if known is not None and now - known[0] < FRESH:
            return known[1]
        person = await self._ask(installation, user)
        if person is None or not person.active:
            self._known.pop(key, None)
            return None
        person = replace(person, name="", email="")  # a role is remembered, a person is not
        self._known[key] = (now, person)
        if len(self._known) > _MAXIMUM:
            self._known.popitem(last=False)
        return person

    async def _ask(self, installation: Installation, user: UserId) -> ZendeskPerson | None:
        base = self._template.format(subdomain=installation.subdomain)
        access = await self._access(installation.account)
        try:
            return await self._zendesk.person(base, access.token, user)
        except GrantDeadError:
            newer = await self._access(installation.account, known_version=access.version)
        try:
            return await self._zendesk.person(base, newer.token, user)
        except GrantDeadError:
            raise DependencyUnavailableError(
                "Zendesk refuses the grant just now", metadata={"service": "zendesk"}
            ) from None

    def forget(self, account: AccountId) -> None:
        """Forget everybody of an account."""
        for key in [k for k in self._known if k[0] == account]:
            del self._known[key]
