"""Zendesk's search language, the parts that clients use (sources: the search reference; facts: Zendesk §2.3).

Words and "phrases", `key:value` (the same key twice is an or), `key<value`, `key>value` and their `=` forms, `-`
before a term for its opposite, `none`, `me`, `*` at a word's end, `type:`. Dates are days, instants, or spans that
count back from now (`2days`).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from tools.zendesk_simulator.clock import stamp
from tools.zendesk_simulator.state import STATUSES, Account, Row

Fits = Callable[[str, Row], bool]
_TERM = re.compile(r'(-?)(?:([A-Za-z_][\w.]*)(:|>=|<=|>|<))?(?:"([^"]*)"|(\S+))')
_SPAN = re.compile(r"(\d+)(minute|hour|day|week|month|year)s?")
_SPANS = {"minute": 60, "hour": 3600, "day": 86_400, "week": 604_800, "month": 2_592_000, "year": 31_536_000}
_PRIORITIES = ("low", "normal", "high", "urgent")
_DATES = {"created": "created_at", "updated": "updated_at", "due_date": "due_at", "solved": "updated_at"}
_PEOPLE = {"assignee": "assignee_id", "requester": "requester_id", "submitter": "submitter_id"}
_WORDS = re.compile(r"[\w@.+-]+")


@dataclass(frozen=True, slots=True)
class Term:
    """One term of a query."""

    negated: bool
    key: str | None
    operator: str
    value: str


def parse(text: str) -> tuple[set[str], list[Term]]:
    """Return the types that a query asks for, and its other terms."""
    kinds: set[str] = set()
    terms: list[Term] = []
    for minus, key, operator, phrase, word in _TERM.findall(text):
        term = Term(bool(minus), key.lower() or None, operator, phrase or word)
        if term.key == "type" and not minus:
            kinds.add(term.value)
        elif term.key not in ("order_by", "sort"):
            terms.append(term)
    return kinds, terms


def matcher(account: Account, text: str, user_id: int | None = None) -> Fits:
    """Return what tells whether a row of a kind (ticket, user, organization, group) fits a query."""
    kinds, terms = parse(text)
    groups: dict[object, list[Term]] = defaultdict(list)
    for place, term in enumerate(terms):
        joined = term.key and term.operator == ":" and not term.negated
        groups[term.key if joined else place].append(term)

    def fits(kind: str, row: Row) -> bool:
        if kinds and kind not in kinds:
            return False
        return all(
            any(_holds(account, kind, row, t, user_id) is not t.negated for t in some)
            for some in groups.values()
        )

    return fits


def _holds(account: Account, kind: str, row: Row, term: Term, user_id: int | None) -> bool:
    if term.key is None:
        return _says(_text(kind, row), term.value)
    if term.key in _DATES:
        return _dated(account, row.get(_DATES[term.key]), term)
    if term.key in ("status", "priority") and kind == "ticket" and term.operator != ":":
        order = STATUSES if term.key == "status" else _PRIORITIES
        return _ranked(order, row[term.key], term)
    value = _value(account, kind, row, term.key)
    if term.value.lower() == "none":
        return value in (None, "", [], set())
    if term.key in _PEOPLE or term.key in ("group", "organization"):
        return _names(account, term, value, user_id)
    if isinstance(value, list):
        return term.value.lower() in {str(v).lower() for v in value}
    if term.key in ("subject", "description", "name", "email", "notes", "details", "comment"):
        return _says(str(value or ""), term.value)
    return str(value).lower() == term.value.lower()


def _text(kind: str, row: Row) -> str:
    members = {"ticket": ("subject", "description"), "user": ("name", "email", "notes", "details", "phone")}
    words = [str(row.get(m) or "") for m in members.get(kind, ("name", "details", "notes", "description"))]
    return " ".join([*words, *(row.get("tags") or [])])


def _says(text: str, wanted: str) -> bool:
    wanted, text = wanted.lower(), text.lower()
    if wanted in ("*", ""):
        return True
    if " " in wanted:
        return wanted in text
    words = _WORDS.findall(text)
    if wanted.endswith("*"):
        return any(w.startswith(wanted[:-1]) for w in words)
    return wanted in words or any(wanted in re.split(r"[@.+_-]", w) for w in words)


def _value(account: Account, kind: str, row: Row, key: str) -> Any:
    renamed = {
        "ticket_type": "type",
        "id": "id",
        "form": "ticket_form_id",
        "brand": "brand_id",
        "tag": "tags",
    }
    if key.startswith("custom_field_") and kind == "ticket":
        wanted = key.removeprefix("custom_field_")
        return next((f["value"] for f in row["custom_fields"] if str(f["id"]) == wanted), None)
    if key == "fieldvalue":
        return [f["value"] for f in row.get("custom_fields") or ()]
    if key == "via":
        return (row.get("via") or {}).get("channel")
    if key == "is_suspended":
        return row.get("suspended")
    if key in _PEOPLE:
        return row.get(_PEOPLE[key])
    if key == "group":
        return row.get("group_id") if kind == "ticket" else account.groups_of(row["id"])
    if key == "organization":
        return row.get("organization_id")
    if key == "cc":
        return row.get("email_cc_ids")
    value = row.get(renamed.get(key, key))
    return row["user_fields"].get(key) if value is None and kind == "user" else value


def _names(account: Account, term: Term, value: Any, user_id: int | None) -> bool:
    """Tell whether a person, group or organisation is the one named by id, name or e-mail."""
    wanted = term.value.lower()
    if wanted == "me":
        return bool(value == user_id)
    known = {"group": account.groups, "organization": account.tables["organizations"]}
    rows = known.get(str(term.key), account.users)
    for row_id in value if isinstance(value, set) else {value}:
        row = rows.get(row_id or 0) or {}
        if wanted == str(row_id) or wanted in (str(row.get("name")).lower(), str(row.get("email")).lower()):
            return True
        if _says(str(row.get("name") or ""), wanted):
            return True
    return False


def _ranked(order: tuple[str, ...], value: str | None, term: Term) -> bool:
    if value not in order or term.value.lower() not in order:
        return False
    return _compared(order.index(value), order.index(term.value.lower()), term.operator)


def _compared(left: Any, right: Any, operator: str) -> bool:
    found = {
        ">": left > right,
        "<": left < right,
        ">=": left >= right,
        "<=": left <= right,
        ":": left == right,
    }
    return bool(found[operator])


def _dated(account: Account, value: str | None, term: Term) -> bool:
    if value is None:
        return term.value.lower() == "none" and term.operator == ":"
    if span := _SPAN.fullmatch(term.value.lower()):
        limit = stamp(account.now() - timedelta(seconds=int(span[1]) * _SPANS[span[2]]))
        return _compared(value, limit, ">=" if term.operator == ":" else term.operator)
    wanted = term.value.replace("+00:00", "Z")
    return _compared(value[: len(wanted)] if len(wanted) <= 10 else value, wanted, term.operator)
