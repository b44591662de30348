"""Service levels: which policy, since when, when breached, and the events of it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from tools.zendesk_simulator.tests.machine import AGENT, REQUESTER, Machine

HIGH = {"all": [{"field": "priority", "operator": "is", "value": "high"}], "any": []}


async def _policy(machine: Machine, *metrics: tuple[str, int]) -> int:
    rows = [{"priority": "high", "metric": metric, "target": target} for metric, target in metrics]
    body = {"sla_policy": {"title": "High", "filter": HIGH, "policy_metrics": rows}}
    answer = await machine.call("POST", "slas/policies", body)
    assert answer.status_code == 201, answer.text
    return int(answer.json()["sla_policy"]["id"])


async def _metrics(machine: Machine, ticket: int) -> dict[str, dict[str, Any]]:
    shown = (await machine.call("GET", f"tickets/{ticket}?include=slas")).json()["ticket"]["slas"]
    return {m["metric"]: m for m in shown["policy_metrics"]}


async def _types(machine: Machine) -> list[str]:
    rows = (await machine.call("GET", "incremental/ticket_metric_events?start_time=1")).json()
    return [e["type"] for e in rows["ticket_metric_events"]]


async def test_a_first_reply_is_due_from_creation_until_an_agent_answers(machine: Machine) -> None:
    await _policy(machine, ("first_reply_time", 90), ("total_resolution_time", 600))
    ticket = await machine.ticket(priority="high")
    other = await machine.ticket(priority="low")
    metrics = await _metrics(machine, ticket)
    due = datetime.fromisoformat(metrics["first_reply_time"]["breach_at"])
    assert due == machine.clock.now().replace(microsecond=0) + timedelta(minutes=90)
    assert (metrics["first_reply_time"]["minutes"], metrics["total_resolution_time"]["hours"]) == (90, 10)
    assert await _metrics(machine, other) == {}

    reply = {"ticket": {"comment": {"body": "hello", "public": True}}}
    await machine.call("PUT", f"tickets/{ticket}", reply, user=AGENT)

    assert set(await _metrics(machine, ticket)) == {"total_resolution_time"}
    assert sorted(await _types(machine)) == ["activate", "activate", "apply_sla", "apply_sla", "fulfill"]


async def test_the_next_reply_counts_from_the_requesters_comment(machine: Machine) -> None:
    await _policy(machine, ("next_reply_time", 60), ("periodic_update_time", 240))
    ticket = await machine.ticket(priority="high")
    await machine.call(
        "PUT", f"tickets/{ticket}", {"ticket": {"comment": {"body": "a", "public": True}}}, user=AGENT
    )
    assert set(await _metrics(machine, ticket)) == {"periodic_update_time"}
    machine.clock.advance(timedelta(minutes=5))

    said = {"comment": {"body": "still broken", "author_id": REQUESTER, "public": True}}
    await machine.call("PUT", f"tickets/{ticket}", {"ticket": said})

    due = datetime.fromisoformat((await _metrics(machine, ticket))["next_reply_time"]["breach_at"])
    assert due == machine.clock.now().replace(microsecond=0) + timedelta(minutes=60)


async def test_a_breach_is_an_event_and_solving_ends_all(machine: Machine) -> None:
    policy = await _policy(machine, ("first_reply_time", 30))
    ticket = await machine.ticket(priority="high")
    machine.clock.advance(timedelta(minutes=31))
    assert await _types(machine) == ["activate", "apply_sla", "breach"]
    assert await _types(machine) == ["activate", "apply_sla", "breach"]

    await machine.call("PUT", f"tickets/{ticket}", {"ticket": {"status": "solved"}})

    assert await _metrics(machine, ticket) == {}
    assert (await _types(machine))[-1] == "fulfill"
    assert (await machine.call("DELETE", f"slas/policies/{policy}")).status_code == 204


async def test_unknown_metrics_are_refused(machine: Machine) -> None:
    rows = [{"priority": "high", "metric": "joy", "target": 1}]
    answer = await machine.call(
        "POST", "slas/policies", {"sla_policy": {"title": "x", "policy_metrics": rows}}
    )

    assert answer.status_code == 422
    assert (
        answer.json()["details"]["policy_metrics"][0]["description"] == "Policy metrics: joy is not a metric"
    )
