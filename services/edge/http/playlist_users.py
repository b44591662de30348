"""Agents' limits and idle rules for other programs, in Playlist's exact JSON (facts: assignment §2.7)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from google.protobuf.field_mask_pb2 import FieldMask
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from libs.kernel.errors import FieldViolation, InvalidRequestError
from services.edge.http.agents import body_of
from services.edge.http.api_keys import ApiKey, UnprocessableError, acting_with, answers_keys
from services.edge.http.playlist_statuses import MAXIMUM_ID, agents_of, fresh
from services.edge.http.suite import Acting, suite_of
from setlist.assignment.v1 import assignment_resources_pb2 as resources
from setlist.assignment.v1 import assignment_service_pb2 as messages

MAXIMUM_USERS = 100
_ID = re.compile(r"[0-9]{1,19}", re.ASCII)
_RANGES = {"inbox_limit": (1, 10_000), "daily_limit": (1, 10_000), "idle_timeout": (30, 1440)}
_PATHS = {
    "inbox_limit": "inbox_limit",
    "daily_limit": "daily_limit",
    "schedule_id": "schedule_id",
    "idle_timeout_enabled": "idle.enabled",
    "idle_timeout": "idle.timeout_minutes",
}
_READ_ONLY = {
    "id": "cannot be set: name users in `ids`",
    "idle_status": "cannot be set: the account's settings say what idle agents become",
    "manager_id": "cannot be set: Setlist keeps who is a Playlist Manager, not whose; "
    "an admin sets `manager` in the agent's settings",
}


def _user(agent: resources.Agent, account: resources.AccountSettings) -> dict[str, Any]:
    """Return an agent; null = as in the account. A manager of his own nobody has."""
    idle = agent.idle.enabled if agent.idle.HasField("enabled") else account.HasField("idle")
    return {
        "id": agent.user_id,
        "inbox_limit": agent.inbox_limit if agent.HasField("inbox_limit") else None,
        "daily_limit": agent.daily_limit if agent.HasField("daily_limit") else None,
        "schedule_id": int(agent.schedule_id) if agent.schedule_id else None,
        "idle_timeout_enabled": idle,
        "idle_timeout": agent.idle.timeout_minutes if agent.idle.HasField("timeout_minutes") else None,
        "idle_status": (account.idle.status or "away") if idle else None,
        "manager_id": None,
    }


async def _settings(request: Request, acting: Acting) -> resources.AccountSettings:
    answer = await suite_of(request).assignment.GetAccountSettings(
        messages.GetAccountSettingsRequest(parent=acting.parent), metadata=acting.metadata
    )
    return answer.settings


@answers_keys
async def list_users(request: Request, key: ApiKey) -> Response:
    """List active agents who may use the app."""
    acting = await acting_with(request, key)
    account = await _settings(request, acting)
    users = [_user(agent, account) async for agent in agents_of(request, acting) if agent.has_app]
    return fresh({"users": users})


@answers_keys
async def update_many(request: Request, key: ApiKey) -> Response:
    """Change all agents that `ids` names in one way, or none of them; answers what they have now."""
    users = _ids(request)
    given = await body_of(request)
    values = _values(given)
    acting = await acting_with(request, key)
    answer = await suite_of(request).assignment.BatchUpdateAgentLimits(
        messages.BatchUpdateAgentLimitsRequest(
            parent=acting.parent,
            requests=[_change(f"{acting.parent}/agents/{user}", values) for user in users],
        ),
        metadata=acting.metadata,
    )
    account = await _settings(request, acting)
    return fresh({"users": [_user(agent, account) for agent in answer.agents]})


def _ids(request: Request) -> list[int]:
    """Return whom a query names.

    Raises:
        InvalidRequestError: nobody, too many, somebody twice, or no ids.
    """
    strange = [name for name in request.query_params if name != "ids"]
    texts = ",".join(request.query_params.getlist("ids")).split(",")
    fault = ""
    if strange:
        fault = f"stands alone: `{strange[0]}` is not known"
    elif not all(_ID.fullmatch(text) and 0 < int(text) <= MAXIMUM_ID for text in texts):
        fault = "must be ids of users in Zendesk, separated by commas"
    elif len(texts) > MAXIMUM_USERS:
        fault = f"names {len(texts)} users: at most {MAXIMUM_USERS} at once"
    elif len({int(text) for text in texts}) < len(texts):
        fault = "names a user twice"
    if fault:
        raise InvalidRequestError(f"ids {fault}", violations=[FieldViolation("ids", fault)])
    return [int(text) for text in texts]


def _values(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the new values of a body.

    Raises:
        UnprocessableError: it changes nothing, or something that cannot be.
    """
    user = given.get("user")
    faults = [FieldViolation(name, "is not known: only `user` is") for name in given if name != "user"]
    if not isinstance(user, dict) or not user:
        faults.append(FieldViolation("user", f"must be an object with some of {', '.join(_PATHS)}"))
        user = {}
    faults += [
        FieldViolation(f"user.{name}", fault)
        for name, value in user.items()
        if (fault := _fault_of(name, value))
    ]
    if faults:
        raise UnprocessableError(f"{faults[0].field} {faults[0].description}", violations=faults)
    return user


def _fault_of(name: str, value: object) -> str:
    if name in _READ_ONLY:
        return _READ_ONLY[name]
    if name not in _PATHS:
        return f"is not known: only {', '.join(_PATHS)} are"
    if name == "idle_timeout_enabled":
        return "" if isinstance(value, bool) else "must be true or false"
    if value is None:
        return ""
    if name == "schedule_id":
        return (
            "" if type(value) is int and 0 < value <= MAXIMUM_ID else "must be the id of a schedule or null"
        )
    least, most = _RANGES[name]
    if type(value) is not int or not least <= value <= most:
        return f"must be a whole number from {least} to {most}, or null for the account's"
    return ""


def _change(name: str, values: Mapping[str, Any]) -> messages.UpdateAgentLimitsRequest:
    change = messages.UpdateAgentLimitsRequest(
        name=name,
        inbox_limit=values.get("inbox_limit"),
        daily_limit=values.get("daily_limit"),
        update_mask=FieldMask(paths=[_PATHS[one] for one in values]),
        idle=resources.AgentIdle(
            enabled=values.get("idle_timeout_enabled"), timeout_minutes=values.get("idle_timeout")
        ),
    )
    if "schedule_id" in values:
        change.schedule_id = str(values["schedule_id"] or "")
    return change


ROUTES = [
    Route("/zendesk/users", list_users, methods=["GET"]),
    Route("/zendesk/users", update_many, methods=["PUT"]),
]
