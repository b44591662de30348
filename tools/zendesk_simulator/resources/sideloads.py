"""Related rows that `include=` adds to an answer (facts: Zendesk §3.2)."""

from __future__ import annotations

from collections.abc import Iterable

from tools.zendesk_simulator.endpoint import Call
from tools.zendesk_simulator.resources.slas import shown
from tools.zendesk_simulator.resources.ticket_rows import show as show_ticket
from tools.zendesk_simulator.resources.users import show as show_user
from tools.zendesk_simulator.state import Account, Row

_PEOPLE = ("requester_id", "submitter_id", "assignee_id", "user_id", "author_id")


def included(call: Call) -> set[str]:
    """Return what is asked for; `include=None`, as a common client sends it, is nothing."""
    return {name for name in str(call.query.get("include", "")).split(",") if name not in ("", "None")}


def add_related(call: Call, answer: Row, rows: Iterable[Row]) -> Row:
    """Add users, groups and organisations that the rows of an answer name."""
    asked, account, listed = included(call), call.account, list(rows)
    if "users" in asked:
        answer["users"] = [show_user(u) for u in _named(account.users, listed, _PEOPLE)]
    if "groups" in asked:
        answer["groups"] = list(_named(account.groups, listed, ("group_id",)))
    if "organizations" in asked:
        answer["organizations"] = list(_named(account.tables["organizations"], listed, ("organization_id",)))
    return answer


def add_slas(account: Account, row: Row) -> Row:
    """Return a ticket as shown with `include=slas`."""
    return {**show_ticket(row), "slas": shown(account, row["id"])}


def _named(known: dict[int, Row], rows: list[Row], members: tuple[str, ...]) -> Iterable[Row]:
    ids = {row[m] for row in rows for m in members if row.get(m) is not None}
    return (known[i] for i in sorted(ids) if i in known)
