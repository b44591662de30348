"""What a view's conditions say about a ticket whose routing facts alone are known (facts: Zendesk §4).

Most conditions ask about things that are not kept here (tags, fields, text), so that an answer is "no" or
"perhaps". That is enough: a view is asked again only after a change that it may have noticed.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from services.assignment.domain.webhook import TicketFacts

STATUSES = ("new", "open", "pending", "hold", "solved", "closed")
"""In Zendesk's order, for `less_than` and `greater_than`."""
SOMEBODY = "somebody"
"""Stands for the agent whom a condition names: who it is does not matter for a ticket that waits."""
_ORDERED = ("is", "is_not", "less_than", "greater_than")
_OF_TICKETS = re.compile(
    r"status|type|priority|group_id|assignee_id|requester_id|organization_id|brand_id|ticket_form_id|via_id"
    r"|custom_status_id|current_tags|ticket_is_public|subject_includes_word|recipient|custom_fields_\d+"
)
"""Fields of the ticket itself, in which nothing changes without a change of the ticket."""
_STEADY = (*_ORDERED, "includes", "not_includes", "present", "not_present")
_PERSONAL = ("current_user", "current_groups")
"""Their meaning depends on who looks: on our own user, who may change groups."""

Condition = tuple[str, str, str]
"""Field, operator, value."""


@dataclass(frozen=True, slots=True)
class ViewFilter:
    """What is kept of a view's conditions: no text, and no person.

    Attributes:
        all: those of the conditions that must all hold which the routing facts decide.
        any: the conditions of which one must hold, if the routing facts decide each of them; else empty.
        moves: whether its content may change without a change of a ticket, by time or by who looks.
        grouped: whether its tickets come in groups, so that the latest cannot be asked for first.
        digest: SHA-256 (hex) of all conditions; empty = they are not known.
    """

    all: tuple[Condition, ...] = ()
    any: tuple[Condition, ...] = ()
    moves: bool = True
    digest: str = ""
    grouped: bool = True

    @classmethod
    def of(cls, conditions: Mapping[str, Any], *, grouped: bool = True) -> ViewFilter:
        """Read Zendesk's `conditions`; without any (Zendesk demands one) nothing is known of the view."""
        every = [dict(c) for c in conditions.get("all") or ()]
        some = [dict(c) for c in conditions.get("any") or ()]
        if not every and not some:
            return cls()
        kept, one_of = [_kept(c) for c in every], [_kept(c) for c in some]
        text = json.dumps([every, some], sort_keys=True, separators=(",", ":"), default=str)
        return cls(
            tuple(c for c in kept if c is not None),
            tuple(c for c in one_of if c is not None) if None not in one_of else (),
            any(_moves(c) for c in (*every, *some)),
            hashlib.sha256(text.encode()).hexdigest(),
            grouped,
        )

    def may_hold(self, facts: TicketFacts) -> bool:
        """Tell whether a view may hold a ticket; False = it certainly does not."""
        return all(_holds(c, facts) for c in self.all) and (
            not self.any or any(_holds(c, facts) for c in self.any)
        )

    def plain(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {name: getattr(self, name) for name in ("all", "any", "moves", "digest", "grouped")}

    @classmethod
    def typed(cls, values: Mapping[str, Any]) -> ViewFilter:
        """Read what `plain` returned."""
        every, some = _conditions(values["all"]), _conditions(values["any"])
        return cls(every, some, values["moves"], values["digest"], values.get("grouped", True))


def _conditions(rows: Iterable[Iterable[str]]) -> tuple[Condition, ...]:
    return tuple((field, operator, value) for field, operator, value in rows)


def _parts(condition: Mapping[str, Any]) -> Condition:
    value = condition.get("value")
    return (
        str(condition.get("field")),
        str(condition.get("operator") or "is"),
        "" if value is None else str(value).lower(),
    )


def _moves(condition: Mapping[str, Any]) -> bool:
    field, operator, value = _parts(condition)
    return not _OF_TICKETS.fullmatch(field) or operator not in _STEADY or value in _PERSONAL


def _kept(condition: Mapping[str, Any]) -> Condition | None:
    """Return a condition that the routing facts of a waiting ticket decide."""
    field, operator, value = _parts(condition)
    if field == "status" and operator in _ORDERED and value in STATUSES:
        return field, operator, value
    if field == "group_id" and operator in ("is", "is_not") and (not value or value.isdigit()):
        return field, operator, value
    if field == "assignee_id" and operator in ("is", "is_not"):
        return field, operator, SOMEBODY if value else ""
    return None


def _holds(condition: Condition, facts: TicketFacts) -> bool:
    """Tell whether a kept condition may hold."""
    field, operator, value = condition
    if field == "status":
        if facts.status not in STATUSES:
            return True
        mine, asked = STATUSES.index(facts.status), STATUSES.index(value)
        return {
            "is": mine == asked,
            "is_not": mine != asked,
            "less_than": mine < asked,
            "greater_than": mine > asked,
        }[operator]
    if field == "group_id":
        same = value == ("" if facts.group_id is None else str(facts.group_id))
        return same if operator == "is" else not same
    if value and facts.assignee_id is not None:
        return True  # it may be the agent who was named
    same = (facts.assignee_id is not None) == bool(value)
    return same if operator == "is" else not same
