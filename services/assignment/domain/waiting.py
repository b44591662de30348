"""What waits in a queue, sorted by kind, so that a round looks at what it may give and not at everything.

A round gives no more tickets than its agents have free slots, and of tickets that the same agents may take it gives
the most valuable. So of each kind the first so many are enough: whoever is not among them cannot be served, and a
ticket that is not served moves nobody (facts: §5.3), hence the round decides the same without it.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator
from heapq import merge
from itertools import islice
from typing import Any, TypeAlias

from services.assignment.domain.decide import value_order
from services.assignment.domain.model import Need, Queue, Ticket, TicketId

BESIDES = 10
"""How many tickets of a kind a round looks at beyond the free slots, so that it notices when their outcome changes."""
NEWCOMERS = 1_000
"""How many tickets that no round looked at yet it looks at for that alone: what they wait for is told once."""

_Kind: TypeAlias = tuple[Any, ...]
_Place: TypeAlias = tuple[tuple[Any, ...], Ticket]


class Waiting:
    """Tickets that wait in one queue.

    Args:
        queue: its rules; they say which ticket is more valuable.
        ages: whether who may take a ticket can change by time alone, for all tickets.
    """

    def __init__(self, queue: Queue, *, ages: bool = False) -> None:
        self._queue = queue
        self._ages = ages
        self._kinds: dict[_Kind, list[_Place]] = {}
        self._fresh: list[_Place] = []
        self._places: dict[TicketId, tuple[_Kind, tuple[Any, ...]]] = {}
        self._news: set[TicketId] = set()

    def __len__(self) -> int:
        return len(self._places)

    def load(self, tickets: Iterable[tuple[Ticket, bool]]) -> None:
        """Take many at once, none of which is here; the flag says whether a round looked at it before."""
        for ticket, known in tickets:
            kind, place = self._remember(ticket, known)
            self._kinds.setdefault(kind, []).append(place)
            if not known:
                self._fresh.append(place)
        for places in (*self._kinds.values(), self._fresh):
            places.sort(key=_order)

    def put(self, ticket: Ticket, *, known: bool) -> None:
        """Take a ticket, or what is now known of it.

        Args:
            known: whether a round looked at it before.
        """
        self.remove(ticket.id)
        kind, place = self._remember(ticket, known)
        insort(self._kinds.setdefault(kind, []), place, key=_order)
        if not known:
            insort(self._fresh, place, key=_order)

    def remove(self, ticket: TicketId) -> None:
        """Forget a ticket, if it is here."""
        if (found := self._places.pop(ticket, None)) is None:
            return
        kind, order = found
        _drop(self._kinds[kind], order)
        if not self._kinds[kind]:
            del self._kinds[kind]
        if ticket in self._news:
            self._news.discard(ticket)
            _drop(self._fresh, order)

    def heads(self, slots: int | None) -> list[Ticket]:
        """Return what a round has to look at, in value order.

        Args:
            slots: free ones of all agents together, or more; None = without a limit.
        """
        looked_at: dict[TicketId, _Place] = {}
        for kind, places in self._kinds.items():
            most = None if slots is None or self._changes(kind) else slots + BESIDES
            looked_at.update((place[1].id, place) for place in islice(places, most))
        looked_at.update((place[1].id, place) for place in islice(self._fresh, NEWCOMERS))
        return [ticket for _, ticket in sorted(looked_at.values(), key=_order)]

    def __iter__(self) -> Iterator[Ticket]:
        """Return everything, in value order."""
        return (ticket for _, ticket in merge(*self._kinds.values(), key=_order))

    def _remember(self, ticket: Ticket, known: bool) -> tuple[_Kind, _Place]:
        kind = (ticket.group, ticket.needs, ticket.declined, ticket.dedicated, ticket.overflow)
        order = value_order(ticket, self._queue)
        self._places[ticket.id] = kind, order
        if not known:
            self._news.add(ticket.id)
        return kind, (order, ticket)

    def _changes(self, kind: _Kind) -> bool:
        """Tell whether tickets of a kind are told apart by their age: then they are many kinds."""
        return self._ages or any(need != Need(need.skill, need.level) for need in kind[1])


def _order(place: _Place) -> tuple[Any, ...]:
    return place[0]


def _drop(places: list[_Place], order: tuple[Any, ...]) -> None:
    """Remove the place with this order; there is one, for it ends with the ticket's id."""
    del places[bisect_left(places, order, key=_order)]
