"""What people do after the day: a delegated administrator, an agent who pulls, a person who is erased."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

import httpx2

from setlist.assignment.v1 import assignment_resources_pb2 as resources
from tools.demo.account import AGENT, GROUP, LATE_REQUESTER, SUBDOMAIN, Cast
from tools.demo.failures import DemoError
from tools.demo.house import House
from tools.demo.people import Helpdesk
from tools.demo.player import Player
from tools.demo.script import Script, TicketPart
from tools.demo.suite import Suite

ERASURE_SECONDS = 90.0
_ENDED = (
    "STATE_COMPLETED",
    "STATE_COMPLETED_WITH_RETENTION",
    "STATE_REFUSED",
    "STATE_CANCELLED",
    "STATE_STUCK",
)


@dataclass(slots=True)
class Scenes:
    """What the scenes showed.

    Attributes:
        delegated: `{manager, agent, policy_decision, refused}`; `refused` is the agent whom policy refused.
        pulled: `{agent, ticket, decision}`, and why the ticket waited although an agent was free.
        erasure: `{state, certificate}` and what was found at Zendesk afterwards.
    """

    delegated: dict[str, Any] = field(default_factory=dict)
    pulled: dict[str, Any] = field(default_factory=dict)
    erasure: dict[str, Any] = field(default_factory=dict)


async def delegate(house: House, desk: Helpdesk, cast: Cast) -> dict[str, Any]:
    """The delegated administrator changes another agent's Autoplay; a plain agent may not.

    Raises:
        DemoError: policy decided otherwise, or Zendesk does not show the change.
    """
    path = f"/v1/agents/{cast.agent}/settings"
    shown: dict[str, Any] = {"manager": cast.manager, "agent": cast.agent}
    if cast.other is not None:
        status, answer = await desk.person(cast.other).call("PATCH", path, {"autoplay": True})
        if status != 403:
            raise DemoError(f"a plain agent changed another agent's settings: the edge answered {status}")
        shown["refused"] = {"agent": cast.other, "reason": answer.get("reason", "")}
    changed = await desk.person(cast.manager).require("PATCH", path, {"autoplay": True})
    shown["policy_decision"] = changed.get("policy_decision", "")
    async with httpx2.AsyncClient(trust_env=False, timeout=30.0) as http:
        token = await house.control(http, "POST", f"{SUBDOMAIN}/tokens", {"user_id": cast.admin})
        answer2 = await http.get(
            f"{desk.zendesk}/api/v2/users/{cast.agent}.json",
            headers={"authorization": f"Bearer {token['access_token']}"},
        )
    if answer2.json()["user"]["user_fields"].get("playlist_autoplay") is not True:
        raise DemoError("Zendesk does not show the changed Autoplay")
    return shown


async def pull(suite: Suite, desk: Helpdesk, cast: Cast, script: Script, player: Player) -> dict[str, Any]:
    """The group's queue gives to who asks alone: a ticket waits though an agent is free, until he takes the next one.

    Raises:
        DemoError: the ticket was pushed, or the agent got nothing.
    """
    admin, agent = desk.person(cast.admin), desk.person(cast.agent)
    await suite.give_to_who_asks(cast.group, alone=True)
    others = [AGENT + a.key for a in script.agents if a.online and AGENT + a.key != cast.agent]
    statuses = [_status(cast.agent, "away"), *(_status(user, "online") for user in others)]
    await admin.require("POST", "/v1/statuses", {"statuses": statuses})
    await player.round()  # what was decided before is in Zendesk
    await player.finish(cast.agent)
    key = max(t.key for t in script.tickets) + 1 if script.tickets else 1
    part = TicketPart(
        key - key % 10 + 11,  # not one of those that are imported
        script.end,
        LATE_REQUESTER,
        cast.group - GROUP,
        "urgent",
        script.end - script.start,
    )
    ticket = await player.arrive(part)
    await agent.require("POST", "/v1/statuses", {"statuses": [_status(cast.agent, "online")]})
    why = await suite.why_waiting(ticket)
    pulled = await agent.require("POST", "/v1/tickets/next")
    if "ticket" not in pulled:
        raise DemoError(f"the agent pulled and got nothing although ticket {ticket} waits")
    await suite.give_to_who_asks(cast.group, alone=False)
    await player.round()
    return {
        "agent": cast.agent,
        "ticket": int(pulled["ticket"]["ticket_id"]),
        "decision": pulled["decision"]["name"],
        "waited_because": resources.Decision.Outcome.Name(why.decision.outcome).removeprefix("OUTCOME_"),
        "waited_with_free_agent": why.free_eligible_agent,
    }


def _status(user: int, status: str) -> dict[str, Any]:
    return {"user_id": user, "status": status}


async def erase(house: House, desk: Helpdesk, cast: Cast, request_id: str) -> dict[str, Any]:
    """The admin has a requester erased: plan, approval, deletion in Zendesk, verification, certificate.

    Raises:
        DemoError: the request does not end in time, or Zendesk still knows the person.
    """
    admin = desk.person(cast.admin)
    body = {"kind": "erasure", "zendesk_user_id": cast.subject, "request_id": request_id}
    request = await admin.require("POST", "/v1/privacy/requests", body)
    path = f"/v1/privacy/requests/{request['name'].rpartition('/')[2]}"
    request = await _until(admin, path, ("STATE_AWAITING_APPROVAL", *_ENDED))
    if request["state"] == "STATE_AWAITING_APPROVAL":
        await admin.require("POST", f"{path}/approve", {"plan_hash": request["plan_hash"]})
        request = await _until(admin, path, _ENDED)
    state = request["state"].removeprefix("STATE_")
    if not state.startswith("COMPLETED"):
        raise DemoError(f"the erasure ended as {state}: see privacy.log")
    certificate = await admin.require("GET", f"{path}/certificate")
    async with httpx2.AsyncClient(trust_env=False, timeout=30.0) as http:
        dump = await house.control(http, "GET", f"{SUBDOMAIN}/dump")
    users = dump["users"] if isinstance(dump["users"], list) else []
    if any(u["id"] == cast.subject and u["active"] for u in users):
        raise DemoError("Zendesk still knows the person who was erased")
    return {
        "state": state,
        "request": request["name"],
        "steps": {node["id"]: node["state"].removeprefix("STATE_") for node in request.get("nodes", [])},
        "certificate": {**certificate, "certificate_json": json.loads(certificate["certificate_json"])},
    }


async def _until(admin: Any, path: str, states: tuple[str, ...]) -> dict[str, Any]:
    loop = asyncio.get_running_loop()
    end = loop.time() + ERASURE_SECONDS
    while True:
        request: dict[str, Any] = await admin.require("GET", path)
        if request["state"] in states:
            return request
        if loop.time() > end:
            raise DemoError(
                f"the erasure is {request['state']} since {ERASURE_SECONDS:.0f} s: see privacy.log"
            )
        await asyncio.sleep(0.05)
