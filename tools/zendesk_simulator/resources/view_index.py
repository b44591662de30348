"""Which tickets are in a view: kept, and brought up to date with the tickets that changed since."""

from __future__ import annotations

import bisect
from collections.abc import Callable
from typing import Any

from tools.zendesk_simulator.conditions import Moment, match, moves
from tools.zendesk_simulator.state import STATUSES, Account, Row

_PRIORITIES = ("low", "normal", "high", "urgent")


def _fits(account: Account, ticket: Row, conditions: Row, moment: Moment) -> bool:
    shown = ticket["status"] != "deleted" and "archived" not in ticket
    return shown and match(account, ticket, conditions, moment)


def ids_in(account: Account, view: Row, user_id: int | None = None) -> list[int]:
    """Return the ids of a view's tickets, ascending."""
    conditions, moment = view["conditions"], Moment(user_id=user_id)
    if moves(conditions):
        return [i for i, t in account.tickets.items() if _fits(account, t, conditions, moment)]
    index = account.tables["view_index"].get(view["id"])
    if index is None:
        found = [i for i, t in account.tickets.items() if _fits(account, t, conditions, moment)]
        index = {"seen": len(account.touched), "ids": sorted(found)}
        account.tables["view_index"][view["id"]] = index
    ids: list[int] = index["ids"]
    for ticket_id in set(account.touched[index["seen"] :]):
        place = bisect.bisect_left(ids, ticket_id)
        held = place < len(ids) and ids[place] == ticket_id
        ticket = account.tickets.get(ticket_id)
        fits = ticket is not None and _fits(account, ticket, conditions, moment)
        if fits and not held:
            ids.insert(place, ticket_id)
        elif held and not fits:
            del ids[place]
    index["seen"] = len(account.touched)
    return ids


def _name(rows: dict[int, Row], row_id: Any) -> str:
    return str((rows.get(row_id or 0) or {}).get("name") or "").lower()


def _key(account: Account, column: str) -> Callable[[Row], Any] | None:
    """Return how rows are ordered by a column; None = by id."""
    if column in ("nice_id", "id", "created"):
        return None
    keys: dict[str, Callable[[Row], Any]] = {
        "updated": lambda t: t["updated_at"],
        "status": lambda t: STATUSES.index(t["status"]) if t["status"] in STATUSES else 9,
        "priority": lambda t: _PRIORITIES.index(t["priority"]) if t["priority"] in _PRIORITIES else -1,
        "requester": lambda t: _name(account.users, t["requester_id"]),
        "submitter": lambda t: _name(account.users, t["submitter_id"]),
        "assignee": lambda t: _name(account.users, t["assignee_id"]),
        "group": lambda t: _name(account.groups, t["group_id"]),
        "organization": lambda t: _name(account.tables["organizations"], t["organization_id"]),
        "due_date": lambda t: t["due_at"] or "",
        "description": lambda t: str(t["subject"]).lower(),
        "subject": lambda t: str(t["subject"]).lower(),
    }
    if column in keys:
        return keys[column]
    if column.isdigit():
        wanted = int(column)
        return lambda t: str(next((f["value"] for f in t["custom_fields"] if f["id"] == wanted), "") or "")
    return lambda t: str(t.get(column) or "")


def in_order(account: Account, view: Row, ids: list[int], sort_by: str, sort_order: str) -> list[int]:
    """Return ids in the order in which a view shows them: its groups first, then its sorting; ties by id."""
    execution, ordered = view["execution"], ids
    steps = [(sort_by, sort_order)]
    if execution.get("group_by"):
        steps.append((execution["group_by"], execution.get("group_order") or "asc"))
    for column, order in steps:
        key, descending = _key(account, str(column)), order == "desc"
        if key is None:
            ordered = sorted(ordered, reverse=descending) if len(steps) > 1 or descending else ordered
        else:
            ordered = sorted(ordered, key=lambda i: key(account.tickets[i]), reverse=descending)
    return ordered
