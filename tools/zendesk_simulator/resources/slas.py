"""Service level policies: which one a ticket has, and when it is breached (facts: Zendesk §3.2).

Calendar time only. Simulated are the reply, update and resolution metrics that order a queue; a metric starts and
ends with the comments and the status of a ticket, and leaves events for the export of metric events.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from tools.zendesk_simulator.clock import stamp
from tools.zendesk_simulator.conditions import match
from tools.zendesk_simulator.state import Account, Row

FIRST, NEXT, PERIODIC, TOTAL = (
    "first_reply_time",
    "next_reply_time",
    "periodic_update_time",
    "total_resolution_time",
)
EVENT_NAMES = {
    FIRST: "reply_time",
    NEXT: "reply_time",
    PERIODIC: "periodic_update_time",
    TOTAL: "resolution_time",
}
METRICS = tuple(EVENT_NAMES)
_OVER = ("solved", "closed", "deleted")


def _policy(account: Account, ticket: Row) -> Row | None:
    """Return the first policy whose filter fits, with a target for the ticket's priority."""
    policies = sorted(account.tables["sla_policies"].values(), key=lambda p: p["position"])
    return next((p for p in policies if match(account, ticket, p["filter"]) and _targets(p, ticket)), None)


def _targets(policy: Row, ticket: Row) -> dict[str, int]:
    """Return minutes by metric for a ticket's priority."""
    wanted = (ticket["priority"] or "", "")
    rows = policy["policy_metrics"]
    return {
        m["metric"]: int(m["target"]) for m in rows if m["priority"] == wanted[0] and m["metric"] in METRICS
    }


def _since(account: Account, ticket: Row) -> dict[str, str]:
    """Return since when each metric runs on a ticket, as its comments and status have it."""
    if ticket["status"] in _OVER:
        return {}
    running = {TOTAL: ticket["created_at"]}
    asked: str | None = ticket["created_at"]
    told: str | None = None
    for comment in account.comments.get(ticket["id"], ()):
        author = account.users.get(comment["author_id"]) or {"role": "end-user"}
        if author["role"] == "end-user":
            asked = asked or comment["created_at"]
        elif comment["public"] and comment is not account.comments[ticket["id"]][0]:
            asked, told = None, comment["created_at"]
    if asked:
        running[NEXT if told else FIRST] = asked
    if told:
        running[PERIODIC] = told
    return running


def follow(account: Account, ticket: Row) -> None:
    """Bring a ticket's metrics up to date after a change; costs nothing in an account without policies."""
    states = account.tables["sla_states"]
    if not account.tables["sla_policies"] and ticket["id"] not in states:
        return
    policy = _policy(account, ticket)
    state = states.setdefault(ticket["id"], {"policy": None, "metrics": {}})
    targets = _targets(policy, ticket) if policy else {}
    since = {m: at for m, at in _since(account, ticket).items() if m in targets}
    breaches(account, ticket["id"])
    for metric in [m for m, held in state["metrics"].items() if held["since"] != since.get(m)]:
        held = state["metrics"].pop(metric)
        _log(account, ticket["id"], metric, "fulfill", held["instance"])
    for metric, at in since.items():
        held = state["metrics"].get(metric)
        if held is None:
            held = {"since": at, "instance": account.next_id("sla_instance"), "breached": False}
            state["metrics"][metric] = held
            _log(account, ticket["id"], metric, "activate", held["instance"])
        if state["policy"] != (policy or {}).get("id") or held.get("target") != targets[metric]:
            held["target"], held["breached"] = targets[metric], False
            sla: Row = {"target": targets[metric], "business_hours": False}
            sla["policy"] = {k: policy[k] for k in ("id", "title", "description")} if policy else None
            _log(account, ticket["id"], metric, "apply_sla", held["instance"], sla=sla)
    state["policy"] = policy["id"] if policy else None


def _due(held: Row) -> datetime:
    return datetime.fromisoformat(held["since"]) + timedelta(minutes=held["target"])


def breaches(account: Account, ticket_id: int) -> None:
    """Write down what was breached since somebody looked."""
    for metric, held in account.tables["sla_states"].get(ticket_id, {"metrics": {}})["metrics"].items():
        if not held["breached"] and _due(held) <= account.now():
            held["breached"] = True
            _log(account, ticket_id, metric, "breach", held["instance"], at=_due(held))


def shown(account: Account, ticket_id: int) -> Row:
    """Return what `include=slas` adds to a ticket; a seed's own value wins."""
    if given := account.tickets[ticket_id].get("slas"):
        return dict(given)
    state = account.tables["sla_states"].get(ticket_id, {"metrics": {}})
    return {"policy_metrics": [_metric(metric, held) for metric, held in state["metrics"].items()]}


def _metric(metric: str, held: Row) -> Row:
    hours, minutes = divmod(held["target"], 60)
    amount = {"minutes": held["target"]} if minutes else {"hours": hours}
    return {"breach_at": stamp(_due(held)), "stage": "active", "metric": metric, **amount}


def _log(
    account: Account,
    ticket_id: int,
    metric: str,
    kind: str,
    instance: int,
    *,
    at: datetime | None = None,
    sla: Row | None = None,
) -> None:
    when = at or account.now()
    row: Row = {
        "id": account.next_id("metric_event"),
        "ticket_id": ticket_id,
        "metric": EVENT_NAMES[metric],
        "instance_id": instance,
        "type": kind,
        "time": stamp(when),
        "at": int(account.now().timestamp()),
    }
    account.streams["metric_events"].append({**row, "sla": sla} if sla else row)
