"""Agents' statuses for other programs, in Playlist's exact JSON (facts: assignment §2.7)."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import UTC
from typing import Any

import grpc
from google.protobuf.timestamp_pb2 import Timestamp
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from libs.kernel.errors import FieldViolation, InvalidRequestError, NotFoundError
from services.edge.http.agents import body_of
from services.edge.http.api_keys import ApiKey, UnprocessableError, acting_with, answers_keys
from services.edge.http.suite import Acting, suite_of
from setlist.assignment.v1 import assignment_resources_pb2 as resources
from setlist.assignment.v1 import assignment_service_pb2 as messages

MAXIMUM_BODY_BYTES = 256 * 1024
MAXIMUM_STATUSES = 1000
MAXIMUM_ID = 2**63 - 1
_PAGE = 1000
_SECONDS = re.compile(r"[0-9]{1,11}", re.ASCII)
_STATUS = re.compile(r"[a-z_]{1,40}")


def fresh(value: dict[str, Any]) -> JSONResponse:
    """Return an answer that nobody keeps."""
    return JSONResponse(value, headers={"cache-control": "no-store"})


def instant(value: Timestamp) -> str:
    """Return an instant as Playlist writes it: UTC, with milliseconds."""
    return value.ToDatetime(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


async def agents_of(request: Request, acting: Acting) -> AsyncIterator[resources.Agent]:
    """Yield the account's active agents, by id."""
    token = ""
    while True:
        answer = await suite_of(request).assignment.ListAgents(
            messages.ListAgentsRequest(parent=acting.parent, page_size=_PAGE, page_token=token),
            metadata=acting.metadata,
        )
        for agent in answer.agents:
            yield agent
        token = answer.next_page_token
        if not token:
            return


def _status(agent: resources.Agent) -> dict[str, Any]:
    return {
        "user_id": agent.user_id,
        "status": agent.status,
        "updated_at": instant(agent.status_time),
        "updated_by": agent.status_updater_id if agent.HasField("status_updater_id") else None,
    }


@answers_keys
async def list_current(request: Request, key: ApiKey) -> Response:
    """List current statuses."""
    acting = await acting_with(request, key)
    return fresh({"user_statuses": [_status(agent) async for agent in agents_of(request, acting)]})


@answers_keys
async def show_current(request: Request, key: ApiKey) -> Response:
    """Show one agent's current status."""
    user = request.path_params["user"]
    if not 0 < user <= MAXIMUM_ID:
        raise NotFoundError(f"no such agent: `{user}`")
    acting = await acting_with(request, key)
    answer = await suite_of(request).assignment.GetAgent(
        messages.GetAgentRequest(name=f"{acting.parent}/agents/{user}"), metadata=acting.metadata
    )
    if not answer.agent.active:
        raise NotFoundError(f"no such agent: `{user}`")
    return fresh({"user_status": _status(answer.agent)})


@answers_keys
async def create_many(request: Request, key: ApiKey) -> Response:
    """Set statuses of all agents that are named, or of none; answers what they have now."""
    given = await body_of(request, MAXIMUM_BODY_BYTES)
    statuses = _statuses(given)
    acting, assignment = await acting_with(request, key), suite_of(request).assignment
    await assignment.SetStatuses(
        messages.SetStatusesRequest(parent=acting.parent, statuses=statuses), metadata=acting.metadata
    )
    users = list(dict.fromkeys(one.user_id for one in statuses))
    answer = await assignment.ListAgents(
        messages.ListAgentsRequest(parent=acting.parent, user_ids=users, page_size=_PAGE, show_inactive=True),
        metadata=acting.metadata,
    )
    now = {agent.user_id: _status(agent) for agent in answer.agents}
    return fresh({"user_statuses": [now[user] for user in users if user in now]})


def _statuses(given: dict[str, Any]) -> list[messages.AgentStatus]:
    """Return what a body asks for.

    Raises:
        UnprocessableError: it asks for nothing that can be done.
    """
    faults = [
        FieldViolation(name, "is not one of user_statuses, notify_app")
        for name in given
        if name not in ("user_statuses", "notify_app")
    ]
    if not isinstance(given.get("notify_app", True), bool):
        faults.append(FieldViolation("notify_app", "must be true or false"))
    rows = given.get("user_statuses")
    if not isinstance(rows, list) or not 0 < len(rows) <= MAXIMUM_STATUSES:
        fault = f"must be a list of 1 to {MAXIMUM_STATUSES} objects with user_id and status"
        faults.append(FieldViolation("user_statuses", fault))
        rows = []
    faults += [
        FieldViolation(f"user_statuses[{place}]", fault)
        for place, row in enumerate(rows)
        if (fault := _fault_of(row))
    ]
    if faults:
        raise UnprocessableError(f"{faults[0].field} {faults[0].description}", violations=faults)
    return [messages.AgentStatus(user_id=row["user_id"], status=row["status"]) for row in rows]


def _fault_of(row: object) -> str:
    if not isinstance(row, dict) or set(row) != {"user_id", "status"}:
        return "must be an object with user_id and status, and nothing else"
    if type(row["user_id"]) is not int or not 0 < row["user_id"] <= MAXIMUM_ID:
        return "must have the id of a user in Zendesk as `user_id`, a number"
    if not isinstance(row["status"], str) or not _STATUS.fullmatch(row["status"]):
        return "must have the name of a status as `status`: lower-case letters and _"
    return ""


@answers_keys
async def list_ended(request: Request, key: ApiKey) -> Response:
    """Export statuses that ended, from an instant or a cursor on; without either from the beginning."""
    wanted = _from(request)
    acting = await acting_with(request, key)
    wanted.parent = acting.parent
    suite = suite_of(request)
    try:
        answer = await suite.assignment.ListStatusRecords(wanted, metadata=acting.metadata)
    except grpc.aio.AioRpcError as error:
        if error.code() is grpc.StatusCode.INVALID_ARGUMENT and wanted.page_token:
            raise _bad("cursor", "is not one that this API gave: begin again with start_time") from None
        raise
    here = f"{suite.public_url}{request.url.path}"
    return fresh(
        {
            "user_statuses": [_record(row) for row in answer.records],
            "end_time": answer.end_time.seconds if answer.HasField("end_time") else None,
            "end_of_stream": answer.end_of_stream,
            "cursor": answer.cursor,
            "next_page": None if answer.end_of_stream else f"{here}?cursor={answer.cursor}",
        }
    )


def _record(row: resources.StatusRecord) -> dict[str, Any]:
    return {
        "id": row.record_id,
        "user_id": row.user_id,
        "status": row.status,
        "duration_in_seconds": row.duration_seconds,
        "updater_id": row.updater_id if row.HasField("updater_id") else None,
        "started_at": instant(row.start_time),
        "ended_at": instant(row.end_time),
    }


def _from(request: Request) -> messages.ListStatusRecordsRequest:
    """Return where a query begins; the account is still to be set.

    Raises:
        InvalidRequestError: it says it in no way, in two ways, or in more.
    """
    given = request.query_params.multi_items()
    for name, value in given:
        if name not in ("start_time", "cursor"):
            raise _bad(name, "is not one of start_time, cursor")
        if name == "start_time" and value and not _SECONDS.fullmatch(value):
            raise _bad(name, "must be seconds since 1970 (Unix time), e.g. 1567776000")
        if name == "cursor" and not value:
            raise _bad(name, "is empty: leave it out to begin with start_time, or at the beginning")
    if len(given) > 1:
        raise _bad(given[1][0], "comes on top of another one: give start_time or cursor, once")
    query = dict(given)
    wanted = messages.ListStatusRecordsRequest(page_token=query.get("cursor", ""))
    if query.get("start_time"):
        wanted.start_time.seconds = int(query["start_time"])
    return wanted


def _bad(name: str, fault: str) -> InvalidRequestError:
    return InvalidRequestError(f"{name} {fault}", violations=[FieldViolation(name, fault)])


ROUTES = [
    Route("/zendesk/user_statuses/current", list_current, methods=["GET"]),
    Route("/zendesk/users/{user:int}/statuses/current", show_current, methods=["GET"]),
    Route("/zendesk/user_statuses/create_many", create_many, methods=["POST"]),
    Route("/zendesk/incremental/user_statuses", list_ended, methods=["GET"]),
]
