"""Targets: dead since October 2024, but their endpoints still answer (facts: Zendesk §8)."""

from __future__ import annotations

from typing import Any

from tools.zendesk_simulator.bodies import find, wrapped
from tools.zendesk_simulator.clock import stamp
from tools.zendesk_simulator.endpoint import Call, endpoint
from tools.zendesk_simulator.errors import invalid
from tools.zendesk_simulator.paging import page
from tools.zendesk_simulator.rights import require
from tools.zendesk_simulator.state import Row

_RIGHT = "manage_extensions_and_channels"
_FIXED = ("id", "url", "created_at", "updated_at")
_SECRETS = ("password", "token", "secret")


def _shown(row: Row) -> Row:
    return {k: None if k in _SECRETS else v for k, v in row.items()}


async def list_targets(call: Call) -> Row:
    call.require_agent()
    return page(
        call.request,
        call.account,
        "targets",
        list(call.account.tables["targets"].values()),
        "targets",
        _shown,
    )


async def create_target(call: Call) -> tuple[int, Row]:
    """Any member is kept: each type of target has its own."""
    require(call, _RIGHT)
    account, values = call.account, wrapped(call, "target")
    for name in ("title", "type"):
        if not values.get(name):
            raise invalid("BlankValue", **{name: f"{name.title()}: cannot be blank"})
    row_id, now = account.next_id("target"), stamp(account.now())
    fixed: dict[str, Any] = {"id": row_id, "url": account.url(f"targets/{row_id}"), "created_at": now}
    account.tables["targets"][row_id] = {"active": True, **values, **fixed, "updated_at": now}
    return 201, {"target": _shown(account.tables["targets"][row_id])}


async def show_target(call: Call) -> Row:
    call.require_agent()
    return {"target": _shown(find(call.account.tables["targets"], call.path["id"]))}


async def update_target(call: Call) -> Row:
    require(call, _RIGHT)
    row = find(call.account.tables["targets"], call.path["id"])
    row.update({k: v for k, v in wrapped(call, "target").items() if k not in _FIXED})
    row["updated_at"] = stamp(call.account.now())
    return {"target": _shown(row)}


async def delete_target(call: Call) -> tuple[int, None]:
    require(call, _RIGHT)
    rows = call.account.tables["targets"]
    del rows[find(rows, call.path["id"])["id"]]
    return 204, None


ROUTES = [
    endpoint("GET", "targets", list_targets),
    endpoint("POST", "targets", create_target),
    endpoint("GET", "targets/{id:int}", show_target),
    endpoint("PUT", "targets/{id:int}", update_target),
    endpoint("DELETE", "targets/{id:int}", delete_target),
]
