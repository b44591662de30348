"""A queue that stands: rounds cost what changed, not what waits.

The same rules as `decide`, on state that is kept between rounds: what waits by kind, sorted; agents by profile
with their free slots. It is a cache: whoever holds it can make it anew from the store at any time, and should now and
then, for kinds of tickets that came once (who declined what) are not forgotten.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from heapq import heapify, heappop, heappush, heapreplace

from services.assignment.domain.compress import Crew
from services.assignment.domain.decide import value_order
from services.assignment.domain.hand_out import hand_out
from services.assignment.domain.matching import Matching
from services.assignment.domain.model import Agent, AgentId, Queue, Restrictions, Ticket, TicketId
from services.assignment.domain.profiles import Entry


class Standing:
    """One queue with its agents.

    Args:
        queue: its rules; the batch size counts from the last time an agent was put.
        restrictions: of the app.
        stretch: whose turns its rotation was so far (`Snapshot`).
    """

    def __init__(self, queue: Queue, restrictions: Restrictions | None = None, stretch: str = "") -> None:
        self.crew = Crew(queue, restrictions or Restrictions())
        if self.crew.stretch is not None:
            self.crew.stretch = stretch
        self.closed = queue.closed
        """Whether the queue rests: nothing is given."""
        self._heaps: dict[int, list[Entry]] = {}
        self._entries: dict[TicketId, Entry] = {}

    @property
    def waiting(self) -> int:
        """How many tickets wait."""
        return len(self._entries)

    def put(self, agent: Agent) -> None:
        """Add an agent, or replace what is known of him."""
        self.crew.put(agent)

    def remove(self, agent: AgentId) -> None:
        """Forget an agent."""
        self.crew.remove(agent)

    def finish(self, agent: AgentId) -> None:
        """Note that one of an agent's open tickets is open no more."""
        self.crew.change(agent, opened=-1)

    def arrive(self, tickets: Iterable[Ticket], at: datetime | None = None) -> None:
        """Let tickets wait, or wait with other facts.

        Args:
            at: the instant whose needs count; put a ticket again when one of its needs is dropped.
        """
        fresh: dict[int, list[Entry]] = {}
        for ticket in tickets:
            entry = self._entries[ticket.id] = value_order(ticket, self.crew.queue)
            fresh.setdefault(self.crew.number(ticket, at), []).append(entry)
        for kind, entries in fresh.items():
            heap = self._heaps.setdefault(kind, [])
            if len(entries) * 8 > len(heap):
                heap.extend(entries)
                heapify(heap)
            else:
                for entry in entries:
                    heappush(heap, entry)

    def withdraw(self, ticket: TicketId) -> None:
        """Forget a ticket: it was taken by hand, solved or moved."""
        self._entries.pop(ticket, None)

    def decide(self, at: datetime) -> list[tuple[TicketId, AgentId]]:
        """Give what can be given; return tickets in value order, each with its agent.

        The tickets wait no more, and the agents have them. Those that wait and these are the same as `decide`
        would find for a snapshot of this state.
        """
        if self.closed or self.crew.queue.pull_only:
            return []
        eligible = self._eligible()
        matching = Matching(eligible, {p: self.crew.profiles[p].free for ps in eligible.values() for p in ps})
        heads = [(self._heaps[kind][0], kind) for kind in eligible]
        heapify(heads)
        tickets, kinds = [], []
        while heads:
            entry, kind = heads[0]
            if not matching.serve(kind):
                heappop(heads)
                continue
            tickets.append(entry[-1])
            kinds.append(kind)
            heappop(self._heaps[kind])
            del self._entries[entry[-1]]
            if self._head(kind):
                heapreplace(heads, (self._heaps[kind][0], kind))
            else:
                heappop(heads)
        agents = hand_out(self.crew, kinds, eligible, matching)
        for agent in dict.fromkeys(agents):
            self.crew.close(self.crew.members[agent], at)
        return list(zip(tickets, agents, strict=True))

    def _head(self, kind: int) -> bool:
        """Bring the most valuable ticket of a kind to the top; return whether there is one."""
        heap = self._heaps[kind]
        while heap and self._entries.get(heap[0][-1]) is not heap[0]:
            heappop(heap)
        return bool(heap)

    def _eligible(self) -> dict[int, list[int]]:
        """Return the profiles with free slots of each kind that waits, from whichever side there are fewer."""
        for kind in [k for k in self._heaps if not self._head(k)]:
            del self._heaps[kind]
        profiles = self.crew.profiles
        if len(self._heaps) <= len(self.crew.open):
            found = {k: [p for p in self.crew.able[k] if profiles[p].free] for k in self._heaps}
            return {kind: able for kind, able in found.items() if able}
        eligible: dict[int, list[int]] = {}
        for index in sorted(self.crew.open):
            for kind in profiles[index].kinds:
                if kind in self._heaps:
                    eligible.setdefault(kind, []).append(index)
        return eligible
