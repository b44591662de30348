"""The steps at Zendesk: tickets, then the person, then a look whether anything is left (facts: Zendesk §10)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from libs.kernel.clock import Clock
from libs.kernel.ids import AccountId
from services.privacy.app.make_plan import END_USER, count
from services.privacy.app.ports import StepRefusedError, Store, Zendesk
from services.privacy.app.work import Done, Intents, Work
from services.privacy.domain.backoff import wait_seconds

BATCH = 100
"""Zendesk destroys at most this many tickets per call."""
TICKETS = "zendesk/tickets"


class ZendeskSteps:
    """Each method is one step.

    Args:
        quiet_seconds: how long no product may begin anew after all are complete, before the deletion counts
            as done (the list of products is not published; facts: privacy §24.15).
    """

    def __init__(
        self, store: Store, zendesk: Zendesk, intend: Intents, clock: Clock, quiet_seconds: float = 0.0
    ) -> None:
        self._store = store
        self._zendesk = zendesk
        self._intend = intend
        self._clock = clock
        self._quiet_seconds = quiet_seconds

    async def tickets(self, work: Work) -> Done:
        """Move every ticket of the person to the trash."""
        found = await self._found(work)
        # A trashed ticket is in no list any more: its id must be safe before it goes.
        known = sorted({*work.step.data.get("tickets", ()), *found})
        if not known:
            return Done(data={"tickets": []})
        await self._intend(work, {"tickets": known})
        for ticket in found:
            await self._zendesk.trash(work.account, ticket)
        return Done(data={"tickets": known}, destroyed=True)

    async def tickets_permanent(self, work: Work) -> Done:
        """Destroy those tickets."""
        async with self._store.transaction(work.account) as tx:
            steps = await tx.steps(work.request.id)
        tickets: list[int] = next(list(s.data["tickets"]) for s in steps if s.id == TICKETS)
        if tickets:
            await self._intend(work)
            await self._destroy(work.account, tickets)
        return Done([count("zendesk.tickets", erased=len(tickets))], destroyed=bool(tickets))

    async def user(self, work: Work) -> Done:
        """Delete the person softly, and tickets that came meanwhile.

        Raises:
            StepRefusedError: the person is no end user any more.
        """
        late = sorted({*work.step.data.get("tickets", ()), *await self._found(work)})
        present = []
        for user in work.users:
            role = await self._zendesk.role(work.account, user)
            if role not in (None, END_USER):
                raise StepRefusedError(f"NOT_AN_END_USER: {role}")
            if role is not None:
                present.append(user)
        if not present and not late:
            return Done()
        await self._intend(work, {"tickets": late})
        for ticket in late:
            await self._zendesk.trash(work.account, ticket)
        await self._destroy(work.account, late)
        for user in present:
            await self._zendesk.delete_user(work.account, user)
        counts = [count("zendesk.tickets", erased=len(late))] if late else []
        return Done(counts, {"tickets": late}, destroyed=True)

    async def user_permanent(self, work: Work) -> Done:
        """Delete the person for good, then ask until every product is done."""
        data = {k: v for k, v in work.step.data.items() if k != "missing"}
        if "present" not in data:  # places in work.users: an id must not stand here
            roles = [await self._zendesk.role(work.account, user) for user in work.users]
            data["present"] = [place for place, role in enumerate(roles) if role is not None]
        present = [work.users[place] for place in data["present"]]
        destroyed = bool(present) and not data.get("destroyed")
        if destroyed:
            await self._intend(work, data)
            for user in present:
                await self._zendesk.destroy_user(work.account, user)
            data["destroyed"] = True
        complete = await self._complete(work, data, present)
        if not complete:
            data.pop("complete_since", None)
            return self._again(data, "ZENDESK_DELETES", destroyed=destroyed)
        now = self._clock.now()
        since = datetime.fromisoformat(data.setdefault("complete_since", now.isoformat()))
        if present and (now - since).total_seconds() < self._quiet_seconds:
            return self._again(data, "ZENDESK_MAY_BEGIN_ANEW", destroyed=destroyed)
        return Done([count("zendesk.users", erased=len(present))], data, destroyed=destroyed)

    async def _complete(self, work: Work, data: dict[str, Any], present: Sequence[int]) -> bool:
        """Tell whether every product is done with everybody; who was gone before may be unknown."""
        applications: set[str] = set()
        complete = True
        for user in work.users:
            progress = await self._zendesk.compliance(work.account, user)
            applications |= (progress or {}).keys()
            gone_before = progress is None and user not in present
            complete = complete and (gone_before or (bool(progress) and all((progress or {}).values())))
        data["applications"] = sorted(applications)
        return complete

    async def verify(self, work: Work) -> Done:
        """Look whether Zendesk shows anything of the person still.

        Raises:
            StepRefusedError: it does.
        """
        left = sum([await self._zendesk.left(work.account, user) for user in work.users])
        if left:
            raise StepRefusedError(f"LEFT_AT_ZENDESK: {left}")
        return Done(data={"searched": len(work.users), "present": 0})

    async def _found(self, work: Work) -> list[int]:
        return sorted({t for user in work.users for t in await self._zendesk.tickets(work.account, user)})

    async def _destroy(self, account: AccountId, tickets: Sequence[int]) -> None:
        for begin in range(0, len(tickets), BATCH):
            await self._zendesk.destroy(account, tickets[begin : begin + BATCH])

    @staticmethod
    def _again(data: dict[str, Any], why: str, *, destroyed: bool) -> Done:
        asked = int(data.get("asked", 0))
        data["asked"] = asked + 1
        return Done(data=data, wait_seconds=wait_seconds(asked), why=why, destroyed=destroyed)
