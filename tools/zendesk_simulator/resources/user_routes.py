"""Endpoints of single users and their lists (facts: Zendesk §5)."""

from __future__ import annotations

from typing import Any

from tools.zendesk_simulator.bodies import wrapped
from tools.zendesk_simulator.clock import stamp
from tools.zendesk_simulator.endpoint import Call, endpoint
from tools.zendesk_simulator.errors import number
from tools.zendesk_simulator.paging import ids_of, page
from tools.zendesk_simulator.resources.sideloads import add_related
from tools.zendesk_simulator.resources.users import (
    PERMITTED,
    add_user,
    by_email,
    check,
    find,
    may_write,
    show,
    write,
)
from tools.zendesk_simulator.search_query import matcher
from tools.zendesk_simulator.state import Account, Row


def living(account: Account) -> list[Row]:
    """Return the users that are not deleted, by id."""
    return sorted((u for u in account.users.values() if u["active"]), key=lambda u: u["id"])


def _filtered(call: Call) -> list[Row]:
    roles = {r for name in ("role", "role[]") for r in call.query.getlist(name) if r}
    rows = [u for u in living(call.account) if not roles or u["role"] in roles]
    if kind := call.query.get("permission_set"):
        rows = [u for u in rows if str(u["custom_role_id"]) == kind]
    if external := call.query.get("external_id"):
        rows = [u for u in rows if u["external_id"] == external]
    return rows


async def list_users(call: Call) -> Row:
    call.require_agent()
    answer = page(call.request, call.account, "users", _filtered(call), "users", show)
    return add_related(call, answer, answer["users"])


async def count_users(call: Call) -> Row:
    call.require_agent()
    return {"count": {"value": len(_filtered(call)), "refreshed_at": stamp(call.account.now())}}


async def show_user(call: Call) -> Row:
    call.require_agent()
    row = find(call.account, call.path["id"])
    return add_related(call, {"user": show(row)}, [row])


async def show_many(call: Call) -> Row:
    call.require_agent()
    if external := call.query.get("external_ids"):
        wanted = external.split(",")
        found = [u for u in living(call.account) if u["external_id"] in wanted]
    else:
        found = [call.account.users[i] for i in ids_of(call.request) if i in call.account.users]
    rows = [show(u) for u in found if not u.get("permanently_deleted")]
    answer = {"users": rows, "next_page": None, "previous_page": None, "count": len(rows)}
    return add_related(call, answer, rows)


async def me(call: Call) -> Row:
    """The trap: nobody signed in is answered 200 with a user whose id is null."""
    if call.user is None:
        return {
            "user": {"id": None, "name": "Anonymous user", "email": "invalid@example.com", "role": "end-user"}
        }
    return {"user": {**show(call.user), "authenticity_token": "x"}}


async def create_user(call: Call) -> tuple[int, Row]:
    writer, values = call.require_agent(), wrapped(call, "user", PERMITTED)
    may_write(writer, values, None)
    check(call.account, values, None)
    return 201, {"user": show(add_user(call.account, {"email": None, **values}))}


async def update_user(call: Call) -> Row:
    writer, row = call.require_agent(), find(call.account, call.path["id"])
    values = wrapped(call, "user", PERMITTED)
    may_write(writer, values, row)
    check(call.account, values, row)
    write(call.account, row, values)
    return {"user": show(row)}


def same_user(account: Account, values: Row) -> Row | None:
    """Return the user whom create_or_update means: by external id, else by e-mail."""
    if external := values.get("external_id"):
        found = next((u for u in living(account) if u["external_id"] == external), None)
        if found is not None:
            return found
    return by_email(account, values["email"]) if values.get("email") else None


async def create_or_update(call: Call) -> Any:
    writer, values = call.require_agent(), wrapped(call, "user", PERMITTED)
    row = same_user(call.account, values)
    may_write(writer, values, row)
    check(call.account, values, row)
    if row is None:
        return 201, {"user": show(add_user(call.account, {"email": None, **values}))}
    write(call.account, row, values)
    return {"user": show(row)}


async def search(call: Call) -> Row:
    """Words of name and e-mail, `email:`, `external_id:` …; offset pages only."""
    call.require_agent()
    if external := call.query.get("external_id"):
        rows = [u for u in living(call.account) if u["external_id"] == external]
    else:
        fits = matcher(call.account, f"{call.query.get('query', '')} type:user")
        rows = [u for u in living(call.account) if fits("user", u)]
    return page(call.request, call.account, "users", rows, "users/search", show)


async def autocomplete(call: Call) -> Row:
    call.require_agent()
    start = str(call.query.get("name", "")).lower()
    rows = [show(u) for u in living(call.account) if str(u["name"]).lower().startswith(start)][:100]
    return {"users": rows, "next_page": None, "previous_page": None, "count": len(rows)}


async def related(call: Call) -> Row:
    call.require_agent()
    row, account = find(call.account, call.path["id"]), call.account
    alive = [t for t in account.tickets.values() if t["status"] != "deleted"]
    counts = {
        "assigned_tickets": sum(t["assignee_id"] == row["id"] for t in alive),
        "requested_tickets": sum(t["requester_id"] == row["id"] for t in alive),
        "ccd_tickets": sum(row["id"] in t["email_cc_ids"] for t in alive),
        "followed_tickets": sum(row["id"] in t["follower_ids"] for t in alive),
        "organization_subscriptions": 0,
    }
    return {"user_related": counts}


async def of_group(call: Call) -> Row:
    call.require_agent()
    group = number(call.path["id"])
    ids = {m["user_id"] for m in call.account.memberships.values() if m["group_id"] == group}
    rows = [call.account.users[i] for i in sorted(ids)]
    return page(call.request, call.account, "users", rows, f"groups/{group}/users", show)


async def of_organization(call: Call) -> Row:
    call.require_agent()
    wanted = number(call.path["id"])
    rows = [u for u in living(call.account) if u["organization_id"] == wanted]
    return page(call.request, call.account, "users", rows, f"organizations/{wanted}/users", show)


ROUTES = [
    endpoint("GET", "users", list_users),
    endpoint("POST", "users", create_user),
    endpoint("GET", "users/me", me),
    endpoint("GET", "users/count", count_users),
    endpoint("GET", "users/search", search),
    endpoint("GET", "users/autocomplete", autocomplete),
    endpoint("GET", "users/show_many", show_many),
    endpoint("POST", "users/create_or_update", create_or_update),
    endpoint("GET", "users/{id:int}", show_user),
    endpoint("PUT", "users/{id:int}", update_user),
    endpoint("GET", "users/{id:int}/related", related),
    endpoint("GET", "groups/{id:int}/users", of_group),
    endpoint("GET", "organizations/{id:int}/users", of_organization),
]
