"""A description of an account makes everything that it names."""

from __future__ import annotations

from typing import Any

from tools.zendesk_simulator.tests.machine import AGENT, REQUESTER, Machine

MORE: dict[str, Any] = {
    "subdomain": "acme",
    "organizations": [{"id": 900, "name": "Initech"}],
    "skills": [{"name": "Language", "values": ["German", "French"]}],
    "schedules": [{"name": "Berlin", "time_zone": "Europe/Berlin"}],
    "sla_policies": [
        {
            "title": "All",
            "filter": {"all": [{"field": "status", "operator": "less_than", "value": "solved"}]},
            "policy_metrics": [{"priority": "high", "metric": "first_reply_time", "target": 60}],
        }
    ],
    "custom_statuses": [{"status_category": "hold", "agent_label": "At supplier"}],
    "users": [
        {"id": 50, "role": "agent", "name": "Lu", "skills": ["French"], "groups": [20]},
        {"id": 51, "role": "end-user", "name": "Org", "organization_id": 900},
    ],
}


async def test_the_smaller_things(machine: Machine) -> None:
    answer = await machine.control("POST", "/accounts", MORE)
    assert answer.status_code == 201, answer.text
    made = answer.json()
    french = made["skills"]["Language"]["values"]["French"]
    ticket = await machine.ticket(requester_id=51, priority="high", attribute_value_ids=[french])

    skills = (await machine.call("GET", "routing/agents/50/instance_values")).json()["attribute_values"]
    needs = (await machine.call("GET", f"routing/tickets/{ticket}/instance_values")).json()[
        "attribute_values"
    ]
    shown = (await machine.call("GET", f"tickets/{ticket}?include=slas,organizations")).json()

    assert [s["name"] for s in skills] == ["French"]
    assert [n["attribute_id"] for n in needs] == [made["skills"]["Language"]["id"]]
    assert [m["metric"] for m in shown["ticket"]["slas"]["policy_metrics"]] == ["first_reply_time"]
    assert [o["name"] for o in shown["organizations"]] == ["Initech"]
    assert (await machine.call("GET", "organizations/900/users")).json()["count"] == 1
    statuses = (await machine.call("GET", "custom_statuses?status_categories=hold")).json()["custom_statuses"]
    assert [s["agent_label"] for s in statuses] == ["On-hold", "At supplier"]
    assert (await machine.call("GET", "business_hours/schedules")).json()["schedules"][0]["name"] == "Berlin"


async def test_a_second_description_adds_to_the_account(machine: Machine) -> None:
    again = {"subdomain": "acme", "users": [{"id": 60, "role": "agent", "name": "Ny"}]}
    await machine.control("POST", "/accounts", again)

    users = (await machine.call("GET", "users")).json()["users"]

    assert {u["id"] for u in users} >= {AGENT, REQUESTER, 60}
