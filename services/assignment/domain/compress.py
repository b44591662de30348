"""Agents in profiles, tickets in kinds: rounds search among these, not among tickets and agents.

Tickets with the same requirements are of one kind. Agents whom every kind treats alike are one profile; their
free slots are summed (facts: §5.3). An agent whom a kind names (he declined it, has it for himself, had it before) is a
profile of his own. Inside a profile only load and turns tell agents apart, and a heap keeps
the next one on top, so a decision costs what its profiles cost, however many agents stand in them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from heapq import heapify, heappop, heappush
from itertools import count
from typing import Any

from services.assignment.domain import rotation
from services.assignment.domain.eligibility import Kind, barred, caps, kind_of, quality
from services.assignment.domain.model import Agent, AgentId, Code, Model, Queue, Restrictions, Ticket
from services.assignment.domain.profiles import BY_LOAD, NEVER, UNLIMITED, Entry, Member, Profile, shared
from services.assignment.domain.quality import Best

_STALE_ENTRIES = 64


class Crew:
    """The agents of one queue, kept current.

    Args:
        queue: its rules.
        restrictions: of the app.
        agents: who is there from the start.
    """

    def __init__(self, queue: Queue, restrictions: Restrictions, agents: Iterable[Agent] = ()) -> None:
        self.queue = queue
        self.members: dict[AgentId, Member] = {}
        self.profiles: list[Profile] = []
        self.open: set[int] = set()
        self._restrictions = restrictions
        self._versions = count(1)
        self._index: dict[tuple[Any, ...], int] = {}
        self._named: set[AgentId] = set()
        self._weights = dict(queue.weights) if queue.model is Model.WEIGHTED else {}
        self.stretch: str | None = "" if self._weights else None
        """Members and weights of the turns since the start (`rotation.stretch_of`), or that they changed; empty = it
        starts now, None = not told: no weights, or an engine that did not know.
        """
        self._numbers: dict[Kind, int] = {}
        self._kinds: list[Kind] = []
        self._plain: dict[int | None, int] = {}
        self._bars: list[list[Code | None]] = []
        self.able: list[list[int]] = []
        """By number of the kind: the profiles that may take its tickets."""
        self.best: Best | None = None
        """How the tickets of the last round fit best; None = wherever they go."""
        for agent in agents:
            self.put(agent)

    def put(self, agent: Agent) -> None:
        """Add an agent, or replace what is known of him."""
        self.remove(agent.id)
        profile = self._profile(agent)
        limits = caps(agent, self.queue)
        member = Member(
            agent,
            profile,
            limits.get(Code.INBOX_LIMIT, UNLIMITED),
            limits.get(Code.DAILY_LIMIT, UNLIMITED),
            limits.get(Code.QUEUE_DAILY_LIMIT, UNLIMITED),
            limits.get(Code.RATE_LIMIT, UNLIMITED),
            limits.get(Code.BATCH_SIZE, UNLIMITED),
            min(limits.get(code, UNLIMITED) for code in (Code.CHANNEL_LIMIT, Code.CAPACITY)),
            agent.open_count,
            agent.last_assigned_at or NEVER,
            agent.credit,
        )
        self.members[agent.id] = member
        self._enter(member)

    def remove(self, agent: AgentId) -> None:
        """Forget an agent, if he is known."""
        member = self.members.pop(agent, None)
        if member is not None:
            self._free(member.profile, -member.free)
            self._leave(member)

    def change(
        self, agent: AgentId, *, opened: int = 0, daily: int = 0, queue_daily: int = 0, batch: int = 0
    ) -> None:
        """Count tickets that an agent has more, or less, from outside these rounds.

        What leaves the time of a rate limit is none of these, for it may leave that of the queue and that of the
        agent at different instants: put him anew then.

        Args:
            opened: in status Open, of this queue.
            daily: that queues gave him in the last 12 hours.
            queue_daily: of these, of this queue.
            batch: of this run.
        """
        member = self.members[agent]
        self._free(member.profile, -member.free)
        self._leave(member)
        member.inbox -= opened
        member.daily -= daily
        member.queue_daily -= queue_daily
        member.batch -= batch
        member.room -= opened
        member.open += opened
        self._enter(member)

    def number(self, ticket: Ticket, as_of: datetime | None) -> int:
        """Return the number of a ticket's kind at an instant; tickets of one kind have one number."""
        plain = not (
            ticket.needs or ticket.declined or ticket.dedicated or ticket.overflow or ticket.preferred
        )
        if plain and ticket.group in self._plain:
            return self._plain[ticket.group]
        kind = kind_of(ticket, as_of)
        number = self._numbers.get(kind)
        if number is None:
            self._name(kind)
            number = self._numbers[kind] = len(self._bars)
            self._kinds.append(kind)
            self._bars.append([])
            self.able.append([])
            for profile in self.profiles:
                self._judge(number, kind, profile)
        if plain:
            self._plain[ticket.group] = number
        return number

    def quality(self, eligible: Mapping[int, Sequence[int]]) -> dict[tuple[int, int], int]:
        """Return how well profiles fit kinds where they fit at all; skills are the skills model's alone."""
        kinds = {number: self._kinds[number] for number in eligible}
        if self.queue.model is not Model.SKILLS:
            kinds = {number: replace(kind, liked=()) for number, kind in kinds.items() if kind.preferred}
        found = {
            (number, p): quality(self.profiles[p].example, kind)
            for number, kind in kinds.items()
            if kind.liked or kind.preferred
            for p in eligible[number]
        }
        return {place: fit for place, fit in found.items() if fit}

    def kind(self, number: int) -> Kind:
        """Return the kind of a number."""
        return self._kinds[number]

    def bar(self, kind: int, profile: Profile) -> Code | None:
        """Return why a profile may not take tickets of a kind; None when it may."""
        return self._bars[kind][profile.index]

    def weight(self, profiles: Iterable[int]) -> int:
        """Return the weights of everybody who shares in these profiles, together."""
        found = (self.profiles[index] for index in profiles)
        return sum(profile.sharing * profile.weight for profile in found)

    def accrue(self, profiles: Iterable[int], share: int) -> None:
        """Add one turn's share, of a unit of weight, to everybody who shares in these profiles."""
        for index in profiles:
            self.profiles[index].accrued += share

    def take(self, member: Member, price: int) -> None:
        """Give a ticket to an agent, who pays for the turn."""
        self._free(member.profile, -1)
        member.inbox -= 1
        member.daily -= 1
        member.queue_daily -= 1
        member.rate -= 1
        member.batch -= 1
        member.room -= 1
        member.open += 1
        member.taken += 1
        member.base -= price
        self.refresh(member)
        if member.full:
            self._leave(member)  # who is full shares no turn; who is only held by the batch size still does

    def close(self, member: Member, at: datetime) -> None:
        """End a round in which an agent took tickets."""
        member.taken, member.last = 0, at
        if not member.free:
            self._leave(member)
        self.refresh(member)

    def entry(self, member: Member) -> Entry:
        """Return an agent's place in his profile's heap."""
        order: Entry = (-member.base, member.id, member.version)
        if self.queue.model in BY_LOAD:
            return (member.open, *order)
        if self.queue.model is Model.LONGEST_IDLE:
            return (member.taken, member.last, *order)
        return order

    def rank(self, member: Member, price: int, sharing: int, *, by_credit: bool = False) -> Entry:
        """Return an agent's place among the agents of all profiles.

        Args:
            price: of the turn at hand.
            sharing: how many agents share it.
            by_credit: whether the largest credit goes first, weights or not.
        """
        order: Entry = (-member.credit, member.id)
        if self.queue.model in BY_LOAD:
            return (member.open, *order)
        if self.queue.model is Model.LONGEST_IDLE:
            return (member.taken, member.last, *order)
        if self._weights and not by_credit:
            return (*rotation.urgency(member.credit, member.profile.weight, price, sharing), member.id)
        return order

    def top(self, heap: list[Entry]) -> Member | None:
        """Return who is next in a heap of entries."""
        while heap:
            member = self.members.get(heap[0][-2])
            if member is not None and member.version == heap[0][-1]:
                return member
            heappop(heap)
        return None

    def current(self, profile: Profile) -> list[Entry]:
        """Return the entries of everybody in a profile who has a free slot."""
        return [e for e in profile.heap if self._current(e)]

    def refresh(self, member: Member) -> None:
        """Put an agent where he now belongs in his profile's heap."""
        member.version = next(self._versions)
        if member.free:
            heap = member.profile.heap
            heappush(heap, self.entry(member))
            if len(heap) > _STALE_ENTRIES + 4 * member.profile.sharing:
                heap[:] = self.current(member.profile)
                heapify(heap)

    def _current(self, entry: Entry) -> bool:
        member = self.members.get(entry[-2])
        return member is not None and member.version == entry[-1]

    def _enter(self, member: Member) -> None:
        self._free(member.profile, member.free)
        if member.free:
            member.base -= member.profile.accrued * member.profile.weight
            member.sharing = True
            member.profile.sharing += 1
            self._mark(member, 1)
        self.refresh(member)

    def _leave(self, member: Member) -> None:
        if member.sharing:
            member.base = member.credit
            member.sharing = False
            member.profile.sharing -= 1
            self._mark(member, -1)

    def _mark(self, member: Member, by: int) -> None:
        if self._weights:
            member.profile.marks += by * rotation.mark(member.id, member.profile.weight)

    def _free(self, profile: Profile, by: int) -> None:
        profile.free += by
        if profile.free:
            self.open.add(profile.index)
        else:
            self.open.discard(profile.index)

    def _profile(self, agent: Agent) -> Profile:
        chosen = not self.queue.agents or agent.id in self.queue.agents
        weight = self._weights.get(agent.id, 1)
        key = (*shared(agent), chosen, weight, agent.id if agent.id in self._named else None)
        index = self._index.get(key)
        if index is None:
            index = self._index[key] = len(self.profiles)
            profile = Profile(index, agent, weight)
            self.profiles.append(profile)
            for kind, number in self._numbers.items():
                self._judge(number, kind, profile)
        return self.profiles[index]

    def _name(self, one: Kind) -> None:
        """Give everybody whom a kind names a profile of his own."""
        names = {*one.declined, *(i for i in (one.dedicated, one.preferred) if i is not None)}
        names -= self._named
        self._named |= names
        for agent in names:
            member = self.members.get(agent)
            if member is not None:
                self._free(member.profile, -member.free)
                self._leave(member)
                member.profile = self._profile(member.agent)
                self._enter(member)
        for key, index in list(self._index.items()) if names else ():
            profile = self.profiles[index]
            if profile.example.id in names and key[-1] is None:  # he stands for others no more
                others = (m.agent for m in self.members.values() if m.profile is profile)
                other = next(others, None)
                if other is None:
                    del self._index[key]
                else:
                    profile.example = other

    def _judge(self, number: int, kind: Kind, profile: Profile) -> None:
        code = barred(profile.example, kind, self.queue, self._restrictions)
        self._bars[number].append(code)
        if code is None:
            self.able[number].append(profile.index)
            profile.kinds.append(number)
