"""Zendesk in memory, as far as erasure goes: trash, soft and permanent deletion, products that take their time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from libs.kernel.ids import AccountId
from services.privacy.app.ports import ParticipantMissingError, StepRefusedError

APPLICATIONS = ("support", "chat", "explore")


@dataclass(slots=True)
class Person:
    """A user; `state` as Zendesk's two levels of deletion leave him."""

    role: str = "end-user"
    state: Literal["active", "deleted", "destroyed"] = "active"
    asked: int = 0


@dataclass(slots=True)
class MemoryZendesk:
    """Implements the port `Zendesk`. One account.

    Attributes:
        people: by user id.
        requesters: ticket id -> user id, for tickets that are neither in the trash nor destroyed.
        trashed: the same for those in the trash.
        destroyed: ids of destroyed tickets.
        asks_until_complete: how often the progress of a deletion is asked before each further product is done.
        away: whether nobody answers.
        refuse_ticket: a ticket that Zendesk will not move to the trash; 0 = none.
        keeps: profiles that Zendesk shows still, whatever it said before.
    """

    people: dict[int, Person] = field(default_factory=dict)
    requesters: dict[int, int] = field(default_factory=dict)
    trashed: dict[int, int] = field(default_factory=dict)
    destroyed: set[int] = field(default_factory=set)
    asks_until_complete: int = 1
    away: bool = False
    refuse_ticket: int = 0
    keeps: set[int] = field(default_factory=set)

    def _person(self, user: int) -> Person | None:
        if self.away:
            raise ParticipantMissingError("zendesk", "UNAVAILABLE")
        return self.people.get(user)

    async def tickets(self, account: AccountId, user: int) -> list[int]:
        person = self._person(user)
        if person is None:
            return []
        return sorted(ticket for ticket, requester in self.requesters.items() if requester == user)

    async def trash(self, account: AccountId, ticket: int) -> None:
        self._person(0)
        if ticket == self.refuse_ticket:
            raise StepRefusedError("ZENDESK_REFUSED: Forbidden")
        if ticket in self.requesters:
            self.trashed[ticket] = self.requesters.pop(ticket)

    async def destroy(self, account: AccountId, tickets: Sequence[int]) -> None:
        self._person(0)
        if len(tickets) > 100:
            raise StepRefusedError("ZENDESK_REFUSED: TooManyValues")
        for ticket in tickets:
            if self.trashed.pop(ticket, None) is not None:
                self.destroyed.add(ticket)

    async def role(self, account: AccountId, user: int) -> str | None:
        person = self._person(user)
        return None if person is None or person.state == "destroyed" else person.role

    async def delete_user(self, account: AccountId, user: int) -> None:
        person = self._person(user)
        if await self.tickets(account, user):
            raise StepRefusedError("ZENDESK_REFUSED: RecordInvalid")
        if person is not None and person.state == "active":
            person.state = "deleted"

    async def destroy_user(self, account: AccountId, user: int) -> None:
        person = self._person(user)
        if person is not None and person.state == "deleted":
            person.state = "destroyed"

    async def compliance(self, account: AccountId, user: int) -> dict[str, bool] | None:
        person = self._person(user)
        if person is None or person.state != "destroyed":
            return None
        person.asked += 1
        if person.asked == 1:
            return {}  # requested, begun nowhere
        done = (person.asked - 1) // self.asks_until_complete
        return {name: place < done for place, name in enumerate(APPLICATIONS)}

    async def left(self, account: AccountId, user: int) -> int:
        person = self._person(user)
        profile = user in self.keeps or (person is not None and person.state != "destroyed")
        return int(profile) + len(await self.tickets(account, user))
