"""What rounds read and write of one account; every call belongs to a transaction (`ports.Transaction`)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from services.assignment.app.rows import (
    Account,
    DecisionRow,
    OfferRow,
    QueueRow,
    Returned,
    Round,
    SummaryRow,
    TicketRow,
    Write,
)
from services.assignment.domain.model import Decision, Plan, Snapshot
from services.assignment.domain.webhook import TicketFacts


class Tickets(Protocol):
    """Tickets, webhook invocations."""

    async def store(self, facts: Sequence[TicketFacts]) -> int:
        """Keep facts that are newer than what is known; return how many were.

        Facts of the same instant are kept too (Zendesk's times are whole seconds), except that a ticket of
        ours is unassigned again, which is what was true before our own change, and that a parked one is. Closed
        is final, whatever comes out of order. While a change of ours is on its way, assignee and routing are ours
        to say; what is said of the assignee meanwhile is news again afterwards. A requester who was erased stays erased.
        """
        ...

    async def park(self, ticket: int) -> None:
        """Keep a waiting ticket from being routed until the next newer facts about it."""
        ...

    async def put_group(self, ticket: int, group: int) -> None:
        """Put a waiting ticket into a group; whoever knows nothing of it yet does not take it out again."""
        ...

    async def dedicate(self, ticket: int, agent: int) -> None:
        """Keep a ticket for one agent until it is assigned to somebody."""
        ...

    async def unread_slas(self, queue: QueueRow, limit: int, at: datetime) -> list[int]:
        """Return waiting tickets of a queue whose SLA was not read since they changed, oldest first.

        Zendesk applies policies a moment after a change, so a read less than `SLA_SETTLES` after it does not count.
        """
        ...

    async def put_slas(self, breaches: Mapping[int, datetime | None], at: datetime) -> None:
        """Keep when tickets are breached next, as it was read at an instant; forget it of those that wait no more."""
        ...

    async def take_invocation(self, invocation: str, at: datetime) -> bool:
        """Remember a webhook's invocation; False when it was taken before."""
        ...

    async def forget_invocations(self, before: datetime) -> int:
        """Forget invocations taken before an instant; return how many."""
        ...

    async def unknown(self, tickets: Collection[int]) -> set[int]:
        """Return which of some tickets nothing was ever kept of."""
        ...

    async def known(self, tickets: Collection[int]) -> set[int]:
        """Return which of some tickets are known and not at their end."""
        ...

    async def one(self, ticket: int) -> TicketRow | None:
        """Return a ticket."""
        ...

    async def page(self, after: int, limit: int, routing: str | None) -> list[TicketRow]:
        """Return tickets by id."""
        ...

    async def waiting(self) -> int:
        """Count the tickets that wait, in whatever queue."""
        ...

    async def holder(self, ticket: int, at: datetime) -> QueueRow | None:
        """Return the first active queue that holds a waiting ticket (facts: decision 3), or the one that took it over."""
        ...


class Decisions(Protocol):
    """Rounds and decisions."""

    async def lock(self) -> None:
        """One change of rules, turns or assignments at a time in an account, over all replicas, until the
        transaction ends. Taken before any row is touched, so that nobody waits for it with a row in hand.
        """
        ...

    async def snapshot(
        self,
        account: Account,
        queue: QueueRow,
        as_of: datetime,
        only: int | None,
        ticket: int | None = None,
        *,
        agents_anyway: bool = False,
        heads: bool = False,
    ) -> Snapshot:
        """Read everything that a round of a queue looks at; `only` = one agent (pull); `ticket` = this one alone.

        With `heads` tickets may be left out that the round cannot give (`domain/waiting.py`); the caller holds the lock.

        Tickets that an active queue before this one holds are not among them, nor those that an overflow queue
        took over; those that this one took over are. Agents are read where a ticket waits, or anyway.
        """
        ...

    async def claim(self, tickets: Sequence[int]) -> dict[int, int | None]:
        """Keep the tickets that still wait as they are until the transaction ends; return their groups."""
        ...

    async def keep(
        self, account: Account, round_: Round, snapshot: Snapshot, plan: Plan, ids: Sequence[str]
    ) -> list[Decision]:
        """Keep assignments, decisions (a waiting ticket's only when its outcome changed), turns, writes and
        the snapshot; return the decisions that were kept, which have the first of the ids.
        """
        ...

    async def forget_changes(self) -> int:
        """Forget which tickets changed, where every copy of what waits has followed; return how much."""
        ...

    async def forget_inputs(self, before: datetime, limit: int) -> int:
        """Forget at most so many inputs that no decision since an instant was made from; return how many.

        Such as later ones lean on stay as long as these. The decisions stay, with their codes and hashes; they can no
        longer be decided again.
        """
        ...

    async def inputs(self, digest: str) -> Snapshot | None:
        """Return a snapshot that decisions were made from; None = it is not kept, or not as its digest says."""
        ...

    async def one(self, decision: str) -> DecisionRow | None:
        """Return a decision."""
        ...

    async def given(self, agents: Collection[int], since: datetime) -> list[tuple[int, str, datetime]]:
        """Return (agent, queue, instant) of what queues gave some agents after an instant, and of what they think about:
        what their limits of tickets in a time go by.
        """
        ...

    async def live(self, ticket: int) -> str:
        """Return the decision by which a ticket is on its way to an agent, or offered to him; empty = by none."""
        ...

    async def head(self) -> int:
        """Return the sequence of the newest decision; 0 = none."""
        ...

    async def page(self, after: int, limit: int, ticket: int | None) -> list[DecisionRow]:
        """Return decisions after a sequence number, oldest first."""
        ...

    async def summary(self) -> SummaryRow:
        """Return figures."""
        ...


class Offers(Protocol):
    """Tickets that agents may take, and who is not asked again. The caller holds the lock for every change."""

    async def one(self, offer: str) -> OfferRow | None:
        """Return an offer."""
        ...

    async def live(self, ticket: int) -> OfferRow | None:
        """Return the offer that an agent thinks about."""
        ...

    async def due(self, as_of: datetime) -> list[OfferRow]:
        """Return offers that nobody answered in time, oldest first."""
        ...

    async def missed(self, agent: int, since: datetime) -> int:
        """Count the offers, made since an instant, that an agent let expire after the last one that he answered."""
        ...

    async def accept(self, offer: OfferRow, at: datetime) -> None:
        """Make the offer an assignment, with a write under the offer's id."""
        ...

    async def end(self, offer: OfferRow, state: str, at: datetime) -> None:
        """End an offer without work (`declined`, `expired`): the turn is given back, the ticket waits as before."""
        ...

    async def decline(self, ticket: int, agent: int, kind: str, at: datetime) -> bool:
        """Do not ask an agent again about a ticket (`skip`, `decline`, `expire`); return whether Zendesk is to be told."""
        ...

    async def last_decline(self, ticket: int) -> datetime | None:
        """Return when somebody last declined a ticket, of those who are not asked again."""
        ...

    async def told(self, ticket: int, agent: int) -> None:
        """Remember that Zendesk knows of a skip."""
        ...

    async def unskip(self, agent: int) -> int:
        """Forget what an agent skipped; return how much."""
        ...

    async def forget_declines(self, before: datetime, limit: int) -> int:
        """Forget at most so many declines, older than an instant, of tickets that nobody waits for; return how many."""
        ...

    async def lift(self, tickets: Sequence[int], before: datetime) -> int:
        """Ask everybody again about tickets whose last decline is not newer than an instant; return how many."""
        ...


class Preferences(Protocol):
    """New tickets whose preference (`app/prefer.py`) is still to be found: no queue takes them for `PREFERRING`."""

    async def begin(self, tickets: Collection[int], at: datetime, lease_seconds: float) -> None:
        """Mark new tickets, in hand for so long on the store's own clock; 0 = in nobody's."""
        ...

    async def take(self, lease_seconds: float, ticket: int | None = None) -> int | None:
        """Take the ticket marked first that nobody has in hand, or this one alone; None when there is none."""
        ...

    async def since(self, ticket: int) -> datetime | None:
        """Return when a ticket was marked; None when it is not."""
        ...

    async def end(self, ticket: int) -> bool:
        """Take the mark away, in the transaction that decides; False when somebody else did."""
        ...


class Returns(Protocol):
    """Tickets that came back: to their queue, after somebody had them; or to who has them, after they were not open."""

    async def last_agents(self, since: datetime) -> dict[int, tuple[int, datetime]]:
        """Return who had waiting tickets, and until when, where that is after an instant."""
        ...

    async def forget_last(self, ticket: int) -> None:
        """Forget who had a ticket: he gave it back."""
        ...

    async def open_again(self) -> list[Returned]:
        """Return tickets that are open again with the agent whom they had, and that nobody has looked at since."""
        ...

    async def settle(self, tickets: Collection[int]) -> None:
        """Remember that somebody has looked at tickets."""
        ...


class Outbox(Protocol):
    """Changes on their way to Zendesk."""

    async def release_tickets(
        self,
        agent: int,
        ids: Sequence[str],
        at: datetime,
        only: int | None = None,
        tags: tuple[str, ...] = (),
        note: str = "",
    ) -> int:
        """Let an agent's open tickets go back to their queues; return for how many that is on its way now.

        Args:
            ids: of the writes, as many as `releasable` said.
            only: this ticket alone.
            tags: put on the tickets with it.
            note: an internal one, put on them with it too; empty = none.
        """
        ...

    async def tag_tickets(
        self,
        agent: int,
        statuses: Collection[str],
        tag: str,
        new_id: Callable[[], str],
        at: datetime,
        note: str = "",
    ) -> int:
        """Put a tag on an agent's tickets in some statuses, but for those that get it on their way back; return how many.

        Args:
            note: an internal one, put on those that are open then, in the same change; empty = none.
        """
        ...

    async def send_to_group(
        self, ticket: int, place: int, write_id: str, at: datetime, tags: tuple[str, ...] = ()
    ) -> None:
        """Let a ticket go to a group; if it never gets there, the group's turn is given back."""
        ...

    async def untag_tickets(self, agent: int, tag: str, new_id: Callable[[], str], at: datetime) -> int:
        """Take a tag off the tickets that got it because of an agent; tags still on their way are given up."""
        ...

    async def releasable(self, agent: int, only: int | None = None) -> tuple[int, int]:
        """Count an agent's open tickets that can be given back, and those that are on their way back."""
        ...

    async def take(self, limit: int, lease_seconds: float) -> list[Write]:
        """Take pending writes, fenced and leased on the store's own clock, oldest first.

        Nobody waits for another taker: what he has in hand is left out.
        """
        ...

    async def finish(self, write: Write, state: str) -> bool:
        """Record how a write ended (`confirmed`, `conflict`, `failed`); False when another taker was faster.

        Unless confirmed, the turn is given back and the ticket is free for whatever facts come next; the
        caller holds the lock then.
        """
        ...

    async def release(self, write: Write) -> None:
        """Put a write back."""
        ...

    async def pending(self) -> int:
        """Count writes that are not finished."""
        ...
