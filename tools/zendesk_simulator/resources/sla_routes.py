"""Endpoints of service level policies, and the export of metric events (facts: Zendesk §3.2, §7)."""

from __future__ import annotations

from tools.zendesk_simulator.bodies import find, wrapped
from tools.zendesk_simulator.clock import stamp
from tools.zendesk_simulator.conditions import known
from tools.zendesk_simulator.endpoint import Call, endpoint
from tools.zendesk_simulator.errors import bad_request, invalid, number
from tools.zendesk_simulator.paging import page
from tools.zendesk_simulator.resources.rule_definitions import conditions
from tools.zendesk_simulator.resources.slas import METRICS, breaches, follow
from tools.zendesk_simulator.state import Account, Row

_MEMBERS = ("title", "description", "position", "filter", "policy_metrics")
_PRIORITIES = ("low", "normal", "high", "urgent")
_MOST = 1000


def add_policy(account: Account, values: Row) -> Row:
    """Make a policy; tickets that are there already get it when they change."""
    row_id, now, rows = account.next_id("sla_policy"), stamp(account.now()), account.tables["sla_policies"]
    row = {
        "url": account.url(f"slas/policies/{row_id}"),
        "id": row_id,
        "title": values["title"],
        "description": values.get("description", ""),
        "position": values.get("position", len(rows) + 1),
        "filter": {"all": [], "any": [], **(values.get("filter") or {})},
        "policy_metrics": [_metric(m) for m in values.get("policy_metrics") or []],
        "created_at": now,
        "updated_at": now,
    }
    rows[row_id] = row
    return row


def _metric(given: Row) -> Row:
    return {
        "priority": given.get("priority"),
        "metric": given.get("metric"),
        "target": given.get("target"),
        "target_in_seconds": int(given.get("target") or 0) * 60,
        "business_hours": bool(given.get("business_hours", False)),
    }


def _check(values: Row, row: Row | None) -> None:
    if (row is None or "title" in values) and not values.get("title"):
        raise invalid("BlankValue", title="Title: cannot be blank")
    given = values.get("filter") or {}
    for condition in [*(given.get("all") or ()), *(given.get("any") or ())]:
        if not known(condition):
            raise invalid(filter=f"Filter: invalid condition {condition.get('field')}")
    for metric in values.get("policy_metrics") or ():
        if metric.get("metric") not in METRICS:
            raise invalid(policy_metrics=f"Policy metrics: {metric.get('metric')} is not a metric")
        if metric.get("priority") not in _PRIORITIES or not isinstance(metric.get("target"), int):
            raise invalid(policy_metrics="Policy metrics: priority and target are required")


def _policy(call: Call) -> Row:
    return find(call.account.tables["sla_policies"], call.path["id"])


async def list_policies(call: Call) -> Row:
    call.require_agent()
    rows = sorted(call.account.tables["sla_policies"].values(), key=lambda p: p["id"])
    return page(call.request, call.account, "sla_policies", rows, "slas/policies")


async def create_policy(call: Call) -> tuple[int, Row]:
    call.require_admin()
    values = wrapped(call, "sla_policy", _MEMBERS)
    _check(values, None)
    return 201, {"sla_policy": add_policy(call.account, values)}


async def show_policy(call: Call) -> Row:
    call.require_agent()
    return {"sla_policy": _policy(call)}


async def update_policy(call: Call) -> Row:
    call.require_admin()
    row, values = _policy(call), wrapped(call, "sla_policy", _MEMBERS)
    _check(values, row)
    if "policy_metrics" in values:
        values["policy_metrics"] = [_metric(m) for m in values["policy_metrics"] or []]
    row.update(values)
    row["updated_at"] = stamp(call.account.now())
    return {"sla_policy": row}


async def delete_policy(call: Call) -> tuple[int, None]:
    call.require_admin()
    account = call.account
    del account.tables["sla_policies"][_policy(call)["id"]]
    for ticket_id in list(account.tables["sla_states"]):
        follow(account, account.tickets[ticket_id])
    return 204, None


async def reorder(call: Call) -> Row:
    call.require_admin()
    for place, policy_id in enumerate(call.body.get("sla_policy_ids") or [], 1):
        find(call.account.tables["sla_policies"], number(policy_id))["position"] = place
    return {}


async def definitions(call: Call) -> Row:
    call.require_agent()
    rows = conditions(call.account, of_triggers=False)
    return {"definitions": {"all": rows, "any": rows}}


async def metric_events(call: Call) -> Row:
    """Ends as the other time-based exports do; breaches are known once somebody asks."""
    call.require_admin()
    account, text = call.account, str(call.query.get("start_time", ""))
    if not text.isdigit():
        raise bad_request("StartTimeMissing", "start_time parameter is missing")
    for ticket_id in account.tables["sla_states"]:
        breaches(account, ticket_id)
    entries = [e for e in account.streams["metric_events"] if e["at"] >= int(text)]
    shown = entries[:_MOST]
    if len(entries) > _MOST and shown[0]["at"] == shown[-1]["at"]:
        shown = [e for e in entries if e["at"] == shown[0]["at"]]
    end_time = shown[-1]["at"] if shown else int(text)
    return {
        "ticket_metric_events": [{k: v for k, v in e.items() if k != "at"} for e in shown],
        "count": len(shown),
        "next_page": f"{account.base}/api/v2/incremental/ticket_metric_events.json?start_time={end_time}",
        "end_time": end_time,
        "end_of_stream": len(shown) == len(entries),
    }


ROUTES = [
    endpoint("GET", "slas/policies", list_policies),
    endpoint("POST", "slas/policies", create_policy),
    endpoint("GET", "slas/policies/definitions", definitions),
    endpoint("PUT", "slas/policies/reorder", reorder),
    endpoint("GET", "slas/policies/{id:int}", show_policy),
    endpoint("PUT", "slas/policies/{id:int}", update_policy),
    endpoint("DELETE", "slas/policies/{id:int}", delete_policy),
    endpoint("GET", "incremental/ticket_metric_events", metric_events),
]
