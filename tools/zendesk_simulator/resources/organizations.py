"""Organisations (facts: Zendesk §7, §10; as far as clients and exports need them)."""

from __future__ import annotations

from typing import Any

from tools.zendesk_simulator.bodies import find, rows_of, wrapped
from tools.zendesk_simulator.clock import stamp
from tools.zendesk_simulator.endpoint import Call, endpoint
from tools.zendesk_simulator.errors import Refusal, invalid, too_many_created, too_many_values
from tools.zendesk_simulator.paging import ids_of, page
from tools.zendesk_simulator.resources.jobs import each, not_created, start_job
from tools.zendesk_simulator.state import Account, Row

MOST = 100
_PERMITTED = (
    "name",
    "shared_tickets",
    "shared_comments",
    "external_id",
    "domain_names",
    "details",
    "notes",
    "group_id",
    "tags",
    "organization_fields",
)


def add_organization(account: Account, spec: Row) -> Row:
    """Make an organisation."""
    row_id, now = int(spec.get("id") or account.next_id("organization")), stamp(account.now())
    account.reserve_id("organization", row_id)
    row = {
        "url": account.url(f"organizations/{row_id}"),
        "id": row_id,
        "name": spec.get("name", f"Organization {row_id}"),
        "shared_tickets": bool(spec.get("shared_tickets", False)),
        "shared_comments": bool(spec.get("shared_comments", False)),
        "external_id": spec.get("external_id"),
        "created_at": now,
        "updated_at": now,
        "domain_names": list(spec.get("domain_names") or []),
        "details": spec.get("details", ""),
        "notes": spec.get("notes", ""),
        "group_id": spec.get("group_id"),
        "tags": list(spec.get("tags") or []),
        "organization_fields": dict(spec.get("organization_fields") or {}),
        "deleted_at": None,
    }
    account.tables["organizations"][row_id] = row
    account.changed("organizations", row)
    return row


def show(row: Row) -> Row:
    """Return an organisation as the API shows it."""
    return {k: v for k, v in row.items() if k not in ("generated_timestamp", "deleted_at")}


def living(account: Account) -> dict[int, Row]:
    """Return the organisations that are not deleted."""
    return {i: r for i, r in account.tables["organizations"].items() if r["deleted_at"] is None}


def _check(account: Account, values: Row, row: Row | None) -> None:
    if (row is None or "name" in values) and not str(values.get("name") or "").strip():
        raise invalid("BlankValue", name="Name: cannot be blank")
    name = str(values.get("name") or "").lower()
    if any(name and str(r["name"]).lower() == name for r in living(account).values() if r is not row):
        raise invalid("DuplicateValue", name=f"Name: {values['name']} has already been taken")


def _write(account: Account, row: Row, values: Row) -> None:
    row.update({k: values[k] for k in _PERMITTED if k in values and k != "organization_fields"})
    row["organization_fields"] |= values.get("organization_fields") or {}
    account.changed("organizations", row)


def _delete(account: Account, row: Row) -> None:
    row["deleted_at"] = stamp(account.now())
    for user in account.users.values():
        if user["organization_id"] == row["id"]:
            user["organization_id"] = None
            account.changed("users", user)
    memberships = account.tables["organization_memberships"]
    for membership in [m for m in memberships.values() if m["organization_id"] == row["id"]]:
        del memberships[membership["id"]]
    account.changed("organizations", row)


async def list_organizations(call: Call) -> Row:
    call.require_agent()
    return page(
        call.request,
        call.account,
        "organizations",
        list(living(call.account).values()),
        "organizations",
        show,
    )


async def of_user(call: Call) -> Row:
    call.require_agent()
    user_id = call.path["id"]
    memberships = call.account.tables["organization_memberships"].values()
    ids = {m["organization_id"] for m in memberships if m["user_id"] == user_id}
    rows = [r for i, r in living(call.account).items() if i in ids]
    return page(call.request, call.account, "organizations", rows, f"users/{user_id}/organizations", show)


async def count_organizations(call: Call) -> Row:
    call.require_agent()
    return {"count": {"value": len(living(call.account)), "refreshed_at": stamp(call.account.now())}}


async def show_organization(call: Call) -> Row:
    call.require_agent()
    return {"organization": show(find(living(call.account), call.path["id"]))}


async def show_many(call: Call) -> Row:
    call.require_agent()
    rows = living(call.account)
    external = str(call.query.get("external_ids", "")).split(",")
    found = [rows[i] for i in ids_of(call.request) if i in rows]
    found += [r for r in rows.values() if r["external_id"] and r["external_id"] in external]
    return {"organizations": [show(r) for r in found], "count": len(found), "next_page": None}


async def search(call: Call) -> Row:
    call.require_agent()
    name, external = call.query.get("name"), call.query.get("external_id")
    rows = [
        r
        for r in living(call.account).values()
        if (external and r["external_id"] == external) or (name and r["name"].lower() == name.lower())
    ]
    return page(call.request, call.account, "organizations", rows, "organizations/search", show)


async def autocomplete(call: Call) -> Row:
    call.require_agent()
    start = str(call.query.get("name", "")).lower()
    rows = [r for r in living(call.account).values() if r["name"].lower().startswith(start)]
    return page(call.request, call.account, "organizations", rows, "organizations/autocomplete", show)


async def related(call: Call) -> Row:
    call.require_agent()
    row, account = find(living(call.account), call.path["id"]), call.account
    tickets = sum(t["organization_id"] == row["id"] for t in account.tickets.values())
    users = sum(u["organization_id"] == row["id"] for u in account.users.values())
    return {"organization_related": {"tickets_count": tickets, "users_count": users}}


async def create_organization(call: Call) -> tuple[int, Row]:
    call.require_agent()
    values = wrapped(call, "organization", _PERMITTED)
    _check(call.account, values, None)
    return 201, {"organization": show(add_organization(call.account, values))}


async def update_organization(call: Call) -> Row:
    call.require_agent()
    row = find(living(call.account), call.path["id"])
    values = wrapped(call, "organization", _PERMITTED)
    _check(call.account, values, row)
    _write(call.account, row, values)
    return {"organization": show(row)}


async def create_or_update(call: Call) -> Any:
    call.require_agent()
    values, rows = wrapped(call, "organization", (*_PERMITTED, "id")), living(call.account)
    row = rows.get(int(values.get("id") or 0))
    if row is None and values.get("external_id"):
        row = next((r for r in rows.values() if r["external_id"] == values["external_id"]), None)
    _check(call.account, values, row)
    if row is None:
        return 201, {"organization": show(add_organization(call.account, values))}
    _write(call.account, row, values)
    return {"organization": show(row)}


async def delete_organization(call: Call) -> tuple[int, None]:
    call.require_admin()
    _delete(call.account, find(living(call.account), call.path["id"]))
    return 204, None


async def create_many(call: Call) -> Row:
    call.require_agent()
    rows, results = rows_of(call, "organizations"), list[Row]()
    if len(rows) > MOST:
        raise too_many_created(MOST, "organizations")
    for index, values in enumerate(rows):
        try:
            _check(call.account, values, None)
            made = add_organization(call.account, values)
            results.append({"index": index, "id": made["id"], "status": "Created"})
        except Refusal as refusal:
            results.append(not_created(index, refusal))
    return {"job_status": start_job(call.account, "Bulk Create Organization", len(rows), results)}


async def update_many(call: Call) -> Row:
    call.require_agent()
    account = call.account
    if "organizations" in call.body:
        batch = [(int(r.get("id") or 0), r) for r in rows_of(call, "organizations")]
    else:
        values = wrapped(call, "organization", _PERMITTED)
        batch = [(i, values) for i in ids_of(call.request)]
    if len(batch) > MOST:
        raise too_many_values(MOST)

    def one(item: tuple[int, Row]) -> None:
        row = find(living(account), item[0])
        _check(account, item[1], row)
        _write(account, row, item[1])

    results = each([(i, (i, v)) for i, v in batch], "update", "Updated", one)
    return {"job_status": start_job(account, "Bulk Update Organization", len(batch), results)}


async def destroy_many(call: Call) -> Row:
    call.require_admin()
    account, ids = call.account, ids_of(call.request)
    results = each(
        [(i, i) for i in ids], "delete", "Deleted", lambda i: _delete(account, find(living(account), i))
    )
    return {"job_status": start_job(account, "Bulk Delete Organization", len(ids), results)}


ROUTES = [
    endpoint("GET", "organizations", list_organizations),
    endpoint("POST", "organizations", create_organization),
    endpoint("GET", "organizations/count", count_organizations),
    endpoint("GET", "organizations/show_many", show_many),
    endpoint("GET", "organizations/search", search),
    endpoint("GET", "organizations/autocomplete", autocomplete),
    endpoint("POST", "organizations/create_or_update", create_or_update),
    endpoint("POST", "organizations/create_many", create_many),
    endpoint("PUT", "organizations/update_many", update_many),
    endpoint("DELETE", "organizations/destroy_many", destroy_many),
    endpoint("GET", "organizations/{id:int}", show_organization),
    endpoint("PUT", "organizations/{id:int}", update_organization),
    endpoint("DELETE", "organizations/{id:int}", delete_organization),
    endpoint("GET", "organizations/{id:int}/related", related),
    endpoint("GET", "users/{id:int}/organizations", of_user),
]
