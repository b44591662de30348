"""How many of the served tickets each agent gets: the best balanced way of all (facts: §5.4).

The numbers of tickets that agents may get when a fixed set is served are the bases of a polymatroid. Over
these, the greedy that takes one slot after the other, cheapest first, and keeps each for which an augmenting
path exists, minimises every sum of convex costs at once: loads cannot be closer to each other, nor turns.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Generic, TypeVar

C = TypeVar("C")


class Balance(Generic[C]):
    """Serves a fixed number of tickets of each class, slot by slot.

    Args:
        demand: tickets of each class.
        eligible: profiles of each class.
    """

    def __init__(self, demand: Mapping[C, int], eligible: Mapping[C, Sequence[int]]) -> None:
        self.flow: dict[C, dict[int, int]] = {one: {} for one in demand}
        """Tickets of each class by profile."""
        self.left = sum(demand.values())
        """Tickets that no slot was found for yet."""
        self._wanted = dict(demand)
        self._classes: dict[int, list[C]] = {}
        self._dead: set[int] = set()
        for one in demand:
            for profile in eligible[one]:
                self._classes.setdefault(profile, []).append(one)

    @property
    def profiles(self) -> Iterable[int]:
        """Profiles that may get something."""
        return self._classes

    def accept(self, profile: int) -> bool:
        """Give one more ticket to a profile, if all slots accepted before keep one each."""
        if profile in self._dead:
            return False
        for one in self._classes[profile]:
            if self._wanted[one]:
                self._wanted[one] -= 1
                self.flow[one][profile] = self.flow[one].get(profile, 0) + 1
                self.left -= 1
                return True
        came: dict[int, tuple[int, C] | None] = {profile: None}
        seen: set[C] = set()
        waiting = deque([profile])
        while waiting:
            mine = waiting.popleft()
            for one in self._classes[mine]:
                if one in seen:
                    continue
                seen.add(one)
                if self._wanted[one]:
                    self._wanted[one] -= 1
                    self._push(mine, one, came)
                    self.left -= 1
                    return True
                for other in self.flow[one]:
                    if other not in came:
                        came[other] = (mine, one)
                        waiting.append(other)
        # What can be accepted only shrinks: no profile reached in vain gets another ticket.
        self._dead |= came.keys()
        return False

    def _push(self, mine: int, one: C, came: Mapping[int, tuple[int, C] | None]) -> None:
        self._add(one, mine, 1)
        step = came[mine]
        while step is not None:
            before, given_up = step
            self._add(given_up, mine, -1)
            self._add(given_up, before, 1)
            mine, step = before, came[before]

    def _add(self, one: C, profile: int, by: int) -> None:
        units = self.flow[one].get(profile, 0) + by
        if units:
            self.flow[one][profile] = units
        else:
            del self.flow[one][profile]
