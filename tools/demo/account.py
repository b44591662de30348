"""The script's people and groups as an account of Zendesk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tools.demo.script import Script

SUBDOMAIN = "acme"
APP_ID = 77
AGENT, GROUP, REQUESTER = 10_000, 20_000, 1_000_000
"""Zendesk's ids are the script's keys plus one of these."""
LATE_REQUESTER = 9_999_999
"""Key of the person whose ticket is pulled and who is then erased."""
PLAN = "high_volume"


@dataclass(frozen=True, slots=True)
class Cast:
    """Who plays which part, by Zendesk user id.

    Attributes:
        admin: installs, authorises, answers requests of people.
        manager: the delegated administrator.
        agent: an ordinary agent with a group; his Autoplay is changed, and he pulls.
        other: an ordinary agent who tries what only the manager may; None in a tiny day.
        group: the group in which `agent` pulls.
        subject: the requester who is erased.
    """

    admin: int
    manager: int
    agent: int
    other: int | None
    group: int
    subject: int


def cast_of(script: Script) -> Cast:
    """Choose the parts of a day.

    Raises:
        ValueError: the day has no admin, manager or ordinary agent with a group.
    """
    admin = next((a for a in script.agents if a.admin), None)
    manager = next((a for a in script.agents if a.manager), None)
    plain = [a for a in script.agents if not a.admin and not a.manager and a.groups]
    if admin is None or manager is None or not plain:
        raise ValueError("the day needs an admin, a delegated administrator and an agent with a group")
    return Cast(
        admin=AGENT + admin.key,
        manager=AGENT + manager.key,
        agent=AGENT + plain[0].key,
        other=AGENT + plain[1].key if len(plain) > 1 else None,
        group=GROUP + plain[0].groups[0],
        subject=REQUESTER + LATE_REQUESTER,
    )


def account_spec(script: Script, edge: str, edge_host: str, client: Mapping[str, object]) -> dict[str, Any]:
    """Return the description from which the simulator makes the account.

    Args:
        script: the day.
        edge: base URL of the edge, where the app's page is.
        edge_host: host that Zendesk's proxy may reach.
        client: our OAuth client.
    """
    requesters = sorted({t.requester for t in script.tickets} | {LATE_REQUESTER})
    staff = [
        {
            "id": AGENT + a.key,
            "role": "admin" if a.admin else "agent",
            "name": f"Agent {a.key}",
            "email": f"agent{a.key}@example.com",
            "groups": [GROUP + g for g in a.groups],
            "user_fields": {"playlist_manager": a.manager},
        }
        for a in script.agents
    ]
    people = [
        {
            "id": REQUESTER + key,
            "role": "end-user",
            "name": f"Requester {key}",
            "email": f"requester{key}@example.com",
        }
        for key in requesters
    ]
    return {
        "subdomain": SUBDOMAIN,
        "plan": PLAN,
        "job_seconds": 0,
        "oauth_clients": [dict(client)],
        "groups": [{"id": GROUP + g, "name": f"Group {g}"} for g in script.groups],
        "users": staff + people,
        "user_fields": [{"key": "playlist_manager", "type": "checkbox", "title": "Playlist Manager"}],
        "views": [
            {
                "title": "Unassigned tickets",
                "all": [
                    {"field": "status", "operator": "less_than", "value": "solved"},
                    {"field": "assignee_id", "operator": "is", "value": ""},
                ],
            }
        ],
        "apps": [
            {
                "id": APP_ID,
                "name": "Setlist",
                "url": f"{edge}/zendesk/app",
                "domain_whitelist": [edge_host],
                "parameters": [{"name": "token", "secure": True, "scopes": ["header"]}],
            }
        ],
    }
