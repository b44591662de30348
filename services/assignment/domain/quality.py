"""Who fits best: the served tickets handed out with the most quality of all ways (facts: §5.4).

Quality (the preferred agent, skills that are wished for) depends on kind and profile, so a flow between these is
enough. Where it is as large as it can be, the flows that are as good are those along arcs without reduced cost
(complementary slackness); among them the loads are balanced, so that quality comes first and balance second, both
exact.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise

_SINK = ("sink", 0)
Node = tuple[str, int]


@dataclass(frozen=True)
class Best:
    """What every way of the best quality has in common.

    Attributes:
        eligible: profiles that tickets of each kind may go to.
        full: profiles whose slots are all taken.
        flow, height: one such way and its potentials; None where everything is as good.
    """

    eligible: dict[int, list[int]]
    full: frozenset[int] = frozenset()
    flow: _Flow | None = None
    height: Mapping[Node, int] = field(default_factory=dict)

    @cached_property
    def unfit(self) -> frozenset[tuple[int, int]]:
        """(kind, profile) where a ticket could go, but goes in none of these ways; found when it is asked for."""
        if self.flow is None:
            return frozenset()
        # A ticket can move to a place where a circle of arcs leads through it.
        part, fine = (_components(self.flow.moves(self.height, costless=only)) for only in (False, True))
        return frozenset(
            (kind, p)
            for kind, profiles in self.flow.eligible.items()
            for p in profiles
            if p not in self.flow.flow[kind]
            and part["kind", kind] == part["profile", p]
            and (p not in self.eligible[kind] or fine["kind", kind] != fine["profile", p])
        )


class _Flow:
    """A cheapest flow by successive shortest paths; the cost of a ticket is its lack of quality."""

    def __init__(
        self,
        demand: Mapping[int, int],
        eligible: Mapping[int, Sequence[int]],
        free: Mapping[int, int],
        quality: Mapping[tuple[int, int], int],
    ) -> None:
        self.eligible = {kind: eligible[kind] for kind in demand}
        self.free = dict(free)
        self.used = dict.fromkeys(free, 0)
        self.quality = quality
        self.flow: dict[int, dict[int, int]] = {kind: {} for kind in demand}
        self.wanted = dict(demand)

    def place(self, given: Mapping[tuple[int, int], int]) -> None:
        """Serve tickets as they were given, by (kind, profile)."""
        for (kind, profile), number in given.items():
            self.flow[kind][profile] = number
            self.wanted[kind] -= number
            self.free[profile] -= number
            self.used[profile] += number

    def run(self) -> None:
        """Serve the whole demand."""
        self._begin()
        while True:
            open_kinds = {("kind", kind): 0 for kind, number in self.wanted.items() if number}
            if not open_kinds:
                return
            costs, before = self._paths(open_kinds)
            ends = [(costs["profile", p], p) for p, n in self.free.items() if n and ("profile", p) in costs]
            self._push(min(ends)[1], before)

    def _begin(self) -> None:
        """Send tickets where they fit best of all while there is room: to move such a ticket gains nothing, so this
        is a cheapest flow already, for what it serves.
        """
        for kind, profiles in self.eligible.items():
            height = max(self.quality.get((kind, p), 0) for p in profiles)
            for p in profiles:
                most = min(self.wanted[kind], self.free[p])
                if most and self.quality.get((kind, p), 0) == height:
                    self.flow[kind][p] = most
                    self.wanted[kind] -= most
                    self.free[p] -= most
                    self.used[p] += most

    def potentials(self) -> dict[Node, int]:
        """Return a potential of each node under which no arc that is left has a negative cost."""
        nodes = [("kind", k) for k in self.eligible] + [("profile", p) for p in self.free]
        return self._paths(dict.fromkeys([*nodes, _SINK], 0), sink=True)[0]

    def moves(self, height: Mapping[Node, int], *, costless: bool) -> dict[Node, list[Node]]:
        """Return the arcs along which tickets can move; `costless` = those alone that cost no quality."""
        return {
            node: [
                other
                for other, cost in self._arcs(node, sink=True)
                if not costless or height[node] + cost == height[other]
            ]
            for node in height
        }

    def _paths(
        self, costs: dict[Node, int], *, sink: bool = False
    ) -> tuple[dict[Node, int], dict[Node, Node]]:
        """Return the cheapest costs from given nodes, and each node's predecessor (Bellman and Ford's)."""
        before: dict[Node, Node] = {}
        waiting = dict.fromkeys(costs)
        while waiting:
            node = next(iter(waiting))
            del waiting[node]
            for other, cost in self._arcs(node, sink=sink):
                if other not in costs or costs[node] + cost < costs[other]:
                    costs[other], before[other] = costs[node] + cost, node
                    waiting[other] = None
        return costs, before

    def _arcs(self, node: Node, *, sink: bool) -> list[tuple[Node, int]]:
        kind, number = node
        if kind == "kind":
            return [(("profile", p), -self.quality.get((number, p), 0)) for p in self.eligible[number]]
        if kind == "sink":
            return [(("profile", p), 0) for p, used in self.used.items() if used]
        back = [
            (("kind", k), self.quality.get((k, number), 0))
            for k, units in self.flow.items()
            if number in units
        ]
        return [*back, (_SINK, 0)] if sink and self.free[number] else back

    def _push(self, profile: int, before: Mapping[Node, Node]) -> None:
        """Send as much as fits along the path that ends at a profile."""
        path: list[Node] = [("profile", profile)]
        while path[-1] in before:
            path.append(before[path[-1]])
        path.reverse()
        given_up = [(b[1], a[1]) for a, b in pairwise(path) if a[0] == "profile"]
        most = min([self.wanted[path[0][1]], self.free[profile], *(self.flow[k][p] for k, p in given_up)])
        for a, b in pairwise(path):
            kind, other, by = (a[1], b[1], most) if a[0] == "kind" else (b[1], a[1], -most)
            units = self.flow[kind].get(other, 0) + by
            if units:
                self.flow[kind][other] = units
            else:
                del self.flow[kind][other]
        self.wanted[path[0][1]] -= most
        self.free[profile] -= most
        self.used[profile] += most


def best(
    demand: Mapping[int, int],
    eligible: Mapping[int, Sequence[int]],
    free: Mapping[int, int],
    quality: Mapping[tuple[int, int], int],
) -> Best:
    """Return where served tickets may go when their quality together is to be the largest.

    Args:
        demand: tickets of each kind; they can all be served.
        free: slots of each profile.
        quality: of a ticket of a kind at a profile; 0 where there is none.
    """
    flow = _Flow(demand, eligible, free, quality)
    flow.run()
    height = flow.potentials()
    may = {
        kind: [
            p
            for p in profiles
            if height["kind", kind] - quality.get((kind, p), 0) == height["profile", p] <= height[_SINK]
        ]
        for kind, profiles in flow.eligible.items()
    }
    full = frozenset(p for p in free if height["profile", p] < height[_SINK])
    return Best(may, full, flow, height)


def out_of_reach(
    eligible: Mapping[int, Sequence[int]], free: Mapping[int, int], given: Mapping[tuple[int, int], int]
) -> frozenset[tuple[int, int]]:
    """Return (kind, profile) where no ticket of the kind can go, whichever way the same tickets are served: other
    tickets need the slots.

    Args:
        free: slots of each profile before anything was given.
        given: tickets by (kind, profile), in any way that serves them.
    """
    demand: dict[int, int] = {}
    for (kind, _), number in given.items():
        demand[kind] = demand.get(kind, 0) + number
    profiles = {p for kind in demand for p in eligible[kind]}
    flow = _Flow(demand, eligible, {p: free[p] for p in profiles}, {})
    flow.place(given)
    nodes: list[Node] = [("kind", k) for k in demand] + [("profile", p) for p in profiles] + [_SINK]
    part = _components(flow.moves(dict.fromkeys(nodes, 0), costless=False))
    return frozenset(
        (kind, p)
        for kind in demand
        for p in eligible[kind]
        if p not in flow.flow[kind] and part["kind", kind] != part["profile", p]
    )


def _components(arcs: Mapping[Node, Sequence[Node]]) -> dict[Node, int]:
    """Return the strongly connected component of each node (Kosaraju's)."""
    back: dict[Node, list[Node]] = {node: [] for node in arcs}
    for node, others in arcs.items():
        for other in others:
            back[other].append(node)
    order: list[Node] = []
    seen: set[Node] = set()
    for start in arcs:
        path = [(start, iter(arcs[start]))] if start not in seen else []
        seen.add(start)
        while path:
            for other in path[-1][1]:
                if other not in seen:
                    seen.add(other)
                    path.append((other, iter(arcs[other])))
                    break
            else:
                order.append(path.pop()[0])
    found: dict[Node, int] = {}
    for number, start in enumerate(reversed(order)):
        waiting = [] if start in found else [start]
        while waiting:
            node = waiting.pop()
            if node not in found:
                found[node] = number
                waiting += back[node]
    return found
