"""Deletion schedules: what is archived and old is destroyed (facts: Zendesk §10)."""

from __future__ import annotations

import re
from datetime import timedelta

from tools.zendesk_simulator.bodies import find, wrapped
from tools.zendesk_simulator.clock import stamp
from tools.zendesk_simulator.endpoint import Call, endpoint
from tools.zendesk_simulator.errors import invalid
from tools.zendesk_simulator.lifecycle import SWEEPS
from tools.zendesk_simulator.resources.ticket_trash import scrub
from tools.zendesk_simulator.state import Account, Row

MOST = 10
FIELD = "duration_since_last_update"
_MEMBERS = ("title", "description", "active", "default", "conditions", "object")
_DURATION = re.compile(r"P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)D)?")


def duration(text: object) -> timedelta | None:
    """Return an ISO 8601 duration of years, months and days; None when it is none."""
    found = _DURATION.fullmatch(str(text))
    if found is None or not any(found.groups()):
        return None
    years, months, days = (int(part or 0) for part in found.groups())
    return timedelta(days=365 * years + 30 * months + days)


def _check(call: Call, values: Row, row: Row | None) -> None:
    rows = call.account.tables["deletion_schedules"]
    if row is None and len(rows) >= MOST:
        raise invalid(base=f"Only {MOST} deletion schedules may exist")
    if (row is None or "title" in values) and not values.get("title"):
        raise invalid("BlankValue", title="Title: cannot be blank")
    for condition in (values.get("conditions") or {}).get("all") or ():
        if condition.get("field") == FIELD and duration(condition.get("value")) is None:
            raise invalid(conditions="Conditions: the value must be an ISO 8601 duration")
    if values.get("active") and any(r["active"] for r in rows.values() if r is not row):
        raise invalid(active="Active: only one deletion schedule may be active")


async def list_schedules(call: Call) -> Row:
    call.require_admin()
    return {"deletion_schedules": list(call.account.tables["deletion_schedules"].values())}


async def create_schedule(call: Call) -> tuple[int, Row]:
    call.require_admin()
    account, values = call.account, wrapped(call, "deletion_schedule", _MEMBERS)
    _check(call, values, None)
    row_id, now = account.next_id("deletion_schedule"), stamp(account.now())
    row = {
        "id": row_id,
        "url": account.url(f"deletion_schedules/{row_id}"),
        "title": values["title"],
        "description": values.get("description", ""),
        "object": "ticket",
        "active": bool(values.get("active", False)),
        "default": bool(values.get("default", False)),
        "conditions": values.get("conditions") or {"all": [], "any": []},
        "created_at": now,
        "updated_at": now,
    }
    account.tables["deletion_schedules"][row_id] = row
    return 201, {"deletion_schedule": row}


async def show_schedule(call: Call) -> Row:
    call.require_admin()
    return {"deletion_schedule": find(call.account.tables["deletion_schedules"], call.path["id"])}


async def update_schedule(call: Call) -> Row:
    call.require_admin()
    row = find(call.account.tables["deletion_schedules"], call.path["id"])
    values = wrapped(call, "deletion_schedule", _MEMBERS)
    _check(call, values, row)
    row.update({k: values[k] for k in _MEMBERS if k in values and k != "object"})
    row["updated_at"] = stamp(call.account.now())
    return {"deletion_schedule": row}


async def delete_schedule(call: Call) -> tuple[int, None]:
    call.require_admin()
    rows = call.account.tables["deletion_schedules"]
    del rows[find(rows, call.path["id"])["id"]]
    return 204, None


def _sweep(account: Account) -> None:
    """Destroy archived tickets that are older than the active schedule says; they are not in the trash then."""
    for schedule in account.tables["deletion_schedules"].values():
        given = schedule["conditions"].get("all") or ()
        ages = [a for c in given if c.get("field") == FIELD and (a := duration(c.get("value"))) is not None]
        if not schedule["active"] or not ages:
            continue
        limit = stamp(account.now() - max(ages))
        for row in account.tickets.values():
            if "archived" in row and row["status"] == "closed" and row["updated_at"] < limit:
                row["status"] = "deleted"
                scrub(account, row)


SWEEPS.append(_sweep)
ROUTES = [
    endpoint("GET", "deletion_schedules", list_schedules),
    endpoint("POST", "deletion_schedules", create_schedule),
    endpoint("GET", "deletion_schedules/{id:int}", show_schedule),
    endpoint("PUT", "deletion_schedules/{id:int}", update_schedule),
    endpoint("DELETE", "deletion_schedules/{id:int}", delete_schedule),
]
