"""Skills of agents and tickets: whole at a sync, and by Zendesk's stream of changes each minute (facts: §2.3)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from libs.kernel.clock import Clock
from libs.kernel.ids import AccountId
from libs.zendesk.client import ZendeskClient
from libs.zendesk.exports import Checkpoint
from libs.zendesk.models import SkillChange
from services.assignment.app.ports import Store, Zendesk
from services.assignment.app.rows import SkillLink

TICKETS_SINCE = timedelta(days=14)
"""How old a change of a ticket that we do not know may be: the vendor's first sync covers as much (facts: §2.3)."""
REST = timedelta(seconds=100)
"""How old the skills may be while nothing else happens in an account: they are followed every second minute then."""
BATCH = 100
"""Agents whose skills one call returns."""


class SyncSkills:
    """Copies skills of accounts that use them; safe to repeat and to run at once."""

    def __init__(self, store: Store, zendesk: Zendesk, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._zendesk = zendesk
        self._followed: dict[AccountId, datetime] = {}

    async def whole(self, account: AccountId) -> None:
        """Copy every skill and who has it, then the changes since the last time; levels stay."""
        client = await self._zendesk.of(account)
        titles = {}
        for attribute in await client.routing.attributes():
            for value in await client.routing.values(attribute.id):
                titles[value.id] = f"{attribute.name}: {value.name}"
        async with self._store.transaction(account) as tx:
            agents = [row.user_id for row in await tx.directory.agents()]
        held: dict[int, set[str]] = {}
        for start in range(0, len(agents), BATCH):
            for one in await client.routing.agent_skills(agents[start : start + BATCH]):
                held.setdefault(one.agent_id, set()).add(one.attribute_value_id)
        # The stream first: what changes while agents are read is told by it once more.
        await self.changes(account, client)
        async with self._store.transaction(account) as tx:
            await tx.decisions.lock()
            await tx.skills.put_known(titles)
            await tx.skills.replace_agents(held)

    async def when_due(self, account: AccountId, *, busy: bool) -> None:
        """Follow the stream, less often while the account is at rest."""
        now, last = self._clock.now(), self._followed.get(account)
        if busy or last is None or abs(now - last) >= REST:  # also when the clock was set back
            await self.changes(account)
            self._followed[account] = now

    async def changes(self, account: AccountId, client: ZendeskClient | None = None) -> int:
        """Follow the stream to its end; return how many changes it told.

        The stream begins with the first skill that was ever given, so that the first time it tells the skills
        of every ticket; of those we do not know only what is young is kept.
        """
        client, told = client or await self._zendesk.of(account), 0
        while True:
            async with self._store.transaction(account) as tx:
                before = await tx.skills.cursor()
            page = await client.routing.changes(Checkpoint(before))
            async with self._store.transaction(account) as tx:
                await tx.decisions.lock()
                if not await tx.skills.move_cursor(before, page.checkpoint.cursor):
                    return told  # another replica is at it
                links = list(_links(page.rows, self._clock.now() - TICKETS_SINCE))
                known = await tx.tickets.known({one.owner for _, one in links if not one.agent})
                await tx.skills.apply(
                    [one for young, one in links if one.agent or young or one.owner in known]
                )
            told += len(page.rows)
            if page.end_of_stream:
                return told


def _links(changes: Iterable[SkillChange], since: datetime) -> Iterable[tuple[bool, SkillLink]]:
    """Yield changes, each with whether it is young: its ticket may become known yet."""
    for change in changes:
        holds, _, owner = change.type.partition("_")
        if change.instance_id is not None and owner in ("agent", "ticket"):
            link = SkillLink(
                owner == "agent", change.instance_id, change.attribute_value_id, holds == "associate"
            )
            yield change.time is None or change.time >= since, link
