"""Which tickets are served: the largest possible set that is also lexicographically best (facts: §5.3).

Sets of tickets that can be served together form a matroid (a gammoid), so the greedy over tickets in
value order, with augmenting paths that move earlier tickets of the same round to other agents but never
drop one, is exact. Tickets with the same eligibility are one class; the search is on classes and profiles.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Generic, TypeVar

C = TypeVar("C")


class Matching(Generic[C]):
    """A flow from classes to agents, or to profiles of agents.

    Args:
        eligible: agents of each class.
        free: tickets that each agent may take.
        flow: tickets of each class that each agent has already; no part of `free`.
    """

    def __init__(
        self,
        eligible: Mapping[C, Sequence[int]],
        free: Mapping[int, int],
        flow: Mapping[C, Mapping[int, int]] = MappingProxyType({}),
    ) -> None:
        self._eligible = eligible
        self._free = dict(free)
        self._flow: dict[C, dict[int, int]] = defaultdict(dict)
        self._users: dict[int, dict[C, None]] = defaultdict(dict)
        self._dead: set[C] = set()
        self._cursor: dict[C, int] = {}
        for one, units in flow.items():
            for agent, number in units.items():
                self._move(one, agent, number)

    def serve(self, one: C) -> bool:
        """Serve one more ticket of a class; False when no rearrangement makes room."""
        if one in self._dead:
            return False
        agents, at = self._eligible.get(one, ()), self._cursor.get(one, 0)
        while at < len(agents) and self._free[agents[at]] <= 0:
            at += 1
        self._cursor[one] = at
        if at < len(agents):
            self._free[agents[at]] -= 1
            self._move(one, agents[at], 1)
            return True
        reached = self._augment(one)
        if reached is not None:
            # The span only grows: no class reached in a failed search can be served again in this round.
            self._dead |= reached
            return False
        return True

    def settle(self, one: C, agent: int) -> bool:
        """Give a served ticket of a class to an agent for good, if all other served tickets keep a place."""
        mine = next(iter(self._flow[one]), None)
        if mine is None:
            raise ValueError("no served ticket of this class is left to settle")
        if self._flow[one].get(agent, 0):
            self._move(one, agent, -1)
            return True
        self._move(one, mine, -1)
        self._free[mine] += 1
        if self._free[agent] > 0:
            self._free[agent] -= 1
            return True
        # Whether one of them finds another place does not depend on the flow at hand, so neither does the answer.
        for other in list(self._users[agent]):
            self._move(other, agent, -1)  # its place goes to the settled ticket; find it another one
            if self._augment(other) is None:
                return True
            self._move(other, agent, 1)
        self._free[mine] -= 1
        self._move(one, mine, 1)
        return False

    def _move(self, one: C, agent: int, by: int) -> None:
        units = self._flow[one].get(agent, 0) + by
        if units:
            self._flow[one][agent] = units
            self._users[agent][one] = None
        else:
            del self._flow[one][agent]
            del self._users[agent][one]

    def _augment(self, start: C) -> set[C] | None:
        """Find room for one more ticket of a class; return None, or the classes reached in vain."""
        came: dict[C, tuple[C, int] | None] = {start: None}
        seen: dict[int, C] = {}
        waiting = deque([start])
        while waiting:
            one = waiting.popleft()
            for agent in self._eligible.get(one, ()):
                if agent in seen:
                    continue
                seen[agent] = one
                if self._free[agent] > 0:
                    self._push(agent, one, came)
                    return None
                for other in self._users[agent]:
                    if other not in came:
                        came[other] = (one, agent)
                        waiting.append(other)
        return set(came)

    def _push(self, agent: int, one: C, came: Mapping[C, tuple[C, int] | None]) -> None:
        self._free[agent] -= 1
        self._move(one, agent, 1)
        step = came[one]
        while step is not None:
            before, given_up = step
            self._move(one, given_up, -1)
            self._move(before, given_up, 1)
            one, step = before, came[before]
