"""Narrows a search for tickets to those that can fit, so that it need not look at every ticket.

Kept beside the state, made on the first search, and brought up to date with what was touched since.
"""

from __future__ import annotations

import operator
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from weakref import WeakKeyDictionary

from tools.zendesk_simulator.search_query import Term, parse
from tools.zendesk_simulator.state import STATUSES, Account, Row

_MEMBERS = ("status", "group_id", "assignee_id", "requester_id")
_KEYS = {"status": "status", "group": "group_id", "assignee": "assignee_id", "requester": "requester_id"}
_COMPARED: Mapping[str, Callable[[int, int], bool]] = {
    ":": operator.eq,
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
}


class _Index:
    """Ids of tickets by the value of each member."""

    def __init__(self) -> None:
        self._seen = 0
        self._kept: dict[int, tuple[Any, ...]] = {}
        self._by: dict[tuple[str, Any], set[int]] = defaultdict(set)

    def refresh(self, account: Account) -> None:
        """Bring it up to date."""
        for ticket_id in set(account.touched[self._seen :]):
            row: Row = account.tickets.get(ticket_id) or {}
            for place in zip(_MEMBERS, self._kept.pop(ticket_id, ()), strict=False):
                self._by[place].discard(ticket_id)
            if row:
                values = self._kept[ticket_id] = tuple(row[member] for member in _MEMBERS)
                for place in zip(_MEMBERS, values, strict=True):
                    self._by[place].add(ticket_id)
        self._seen = len(account.touched)

    def having(self, member: str, values: Sequence[Any]) -> set[int]:
        """Return the tickets whose member has one of some values."""
        return set().union(*(self._by.get((member, value), ()) for value in values))


_INDEXES: WeakKeyDictionary[Account, _Index] = WeakKeyDictionary()


def candidates(account: Account, text: str, user_id: int | None) -> list[int] | None:
    """Return the ids, ascending, of every ticket that can fit a query; None = any can."""
    alternatives: dict[str, list[Any] | None] = {}
    bounds: list[tuple[str, list[Any]]] = []
    for term in parse(text)[1]:
        if term.negated or term.key not in _KEYS:
            continue
        member, values = _KEYS[term.key], _values(term, user_id)
        if term.operator != ":":
            bounds += [] if values is None else [(member, values)]
            continue
        # The same key again is an or: a name among them, which the index does not know, opens it to everybody.
        known = alternatives.get(member, [])
        alternatives[member] = None if known is None or values is None else [*known, *values]
    wanted = bounds + [(member, values) for member, values in alternatives.items() if values is not None]
    if not wanted:
        return None
    index = _INDEXES.setdefault(account, _Index())
    index.refresh(account)
    found = sorted((index.having(member, values) for member, values in wanted), key=len)
    return sorted(set.intersection(*found))


def _values(term: Term, user_id: int | None) -> list[Any] | None:
    """Return the values that a term asks for; None when the index cannot tell."""
    wanted = term.value.lower()
    if term.key == "status":
        if wanted not in STATUSES:
            return None
        asked, fits = STATUSES.index(wanted), _COMPARED[term.operator]
        return [status for place, status in enumerate(STATUSES) if fits(place, asked)]
    if term.operator != ":":
        return None
    if wanted == "none":
        return [None]
    if wanted == "me":
        return [user_id]
    return [int(wanted)] if wanted.isdigit() else None
