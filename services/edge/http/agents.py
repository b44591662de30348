"""The app's API: agents, their settings and statuses, the next ticket, decisions."""

from __future__ import annotations

import uuid
from typing import Any

from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from libs.kernel.errors import FieldViolation, InvalidRequestError
from services.edge.http.bodies import TooLargeError, read_bytes
from services.edge.http.errors import answers_problems
from services.edge.http.strict_json import BadJsonError, parse
from services.edge.http.suite import suite_of
from setlist.assignment.v1 import assignment_resources_pb2 as resources
from setlist.assignment.v1 import assignment_service_pb2 as messages

MAXIMUM_BODY_BYTES = 64 * 1024
MAXIMUM_DEPTH = 16
_SETTINGS = {"rule_id": int, "manager": bool, "autoplay": bool}


def as_json(message: Message, status: int = 200) -> JSONResponse:
    """Return a message in protobuf's JSON form, with the proto's field names."""
    value = MessageToDict(message, preserving_proto_field_name=True)
    return JSONResponse(value, status, headers={"cache-control": "no-store"})


async def body_of(request: Request, maximum: int = MAXIMUM_BODY_BYTES) -> dict[str, Any]:
    """Return a request's JSON object.

    Args:
        maximum: bytes.

    Raises:
        InvalidRequestError: it is none, too large, or JSON that parsers read differently.
    """
    try:
        value = parse(await read_bytes(request, maximum) or b"{}", MAXIMUM_DEPTH)
    except TooLargeError:
        raise InvalidRequestError(f"the body is larger than {maximum} bytes") from None
    except BadJsonError as error:
        raise InvalidRequestError(str(error)) from None
    if not isinstance(value, dict):
        raise InvalidRequestError("the body is not a JSON object")
    return value


def page_of(request: Request) -> dict[str, Any]:
    """Return page_size and page_token of a query."""
    size = request.query_params.get("page_size", "0")
    if not size.isdigit():
        fault = FieldViolation("page_size", "must be a number")
        raise InvalidRequestError(f"page_size `{size}` is not a number", violations=[fault])
    return {"page_size": int(size), "page_token": request.query_params.get("page_token", "")}


@answers_problems
async def list_agents(request: Request) -> Response:
    """List agents."""
    suite = suite_of(request)
    acting = await suite.acting(request, "assignment")
    answer = await suite.assignment.ListAgents(
        messages.ListAgentsRequest(parent=acting.parent, **page_of(request)), metadata=acting.metadata
    )
    return as_json(answer)


@answers_problems
async def update_settings(request: Request) -> Response:
    """Change another agent's Playlist fields: policy decides, the server writes."""
    suite, given = suite_of(request), await body_of(request)
    faults = [
        FieldViolation(
            name, "is not one of rule_id, manager, autoplay" if name not in _SETTINGS else "has a wrong type"
        )
        for name, value in given.items()
        if name not in _SETTINGS or (value is not None and type(value) is not _SETTINGS[name])
    ]
    if faults or not given:
        raise InvalidRequestError("the settings are not valid", violations=faults)
    acting = await suite.acting(request, "assignment")
    settings = resources.AgentSettings(**{k: v for k, v in given.items() if v is not None})
    answer = await suite.assignment.UpdateAgentSettings(
        messages.UpdateAgentSettingsRequest(
            name=f"{acting.parent}/agents/{request.path_params['agent']}",
            settings=settings,
            update_mask=FieldMask(paths=list(given)),
        ),
        metadata=acting.metadata,
    )
    return as_json(answer)


@answers_problems
async def set_statuses(request: Request) -> Response:
    """Set statuses: one's own, or others' for admins. Body: `{"statuses": [{"user_id", "status"}]}`."""
    suite, given = suite_of(request), await body_of(request)
    try:
        statuses = [
            messages.AgentStatus(user_id=int(s["user_id"]), status=str(s["status"]))
            for s in given["statuses"]
        ]
    except (KeyError, TypeError, ValueError):
        fault = FieldViolation("statuses", "must be a list of {user_id, status}")
        raise InvalidRequestError("the statuses are not valid", violations=[fault]) from None
    acting = await suite.acting(request, "assignment")
    answer = await suite.assignment.SetStatuses(
        messages.SetStatusesRequest(parent=acting.parent, statuses=statuses), metadata=acting.metadata
    )
    return as_json(answer)


@answers_problems
async def next_ticket(request: Request) -> Response:
    """Assign the best waiting ticket to the calling agent. Body: `{request_id?}`, a UUID."""
    suite, given = suite_of(request), await body_of(request)
    acting = await suite.acting(request, "assignment")
    # An id of ours when the caller has none: a call that the channel repeats must not pull twice.
    request_id = str(given.get("request_id") or uuid.uuid4())
    answer = await suite.assignment.AssignNext(
        messages.AssignNextRequest(parent=acting.parent, request_id=request_id),
        metadata=acting.metadata,
        timeout=20.0,
    )
    return as_json(answer)


@answers_problems
async def list_decisions(request: Request) -> Response:
    """List decisions, of one ticket with `ticket_id`."""
    suite = suite_of(request)
    ticket = request.query_params.get("ticket_id", "0")
    acting = await suite.acting(request, "assignment")
    answer = await suite.assignment.ListDecisions(
        messages.ListDecisionsRequest(
            parent=acting.parent, ticket_id=int(ticket) if ticket.isdigit() else 0, **page_of(request)
        ),
        metadata=acting.metadata,
    )
    return as_json(answer)


@answers_problems
async def summary(request: Request) -> Response:
    """Return figures."""
    suite = suite_of(request)
    acting = await suite.acting(request, "assignment")
    answer = await suite.assignment.GetSummary(
        messages.GetSummaryRequest(parent=acting.parent), metadata=acting.metadata
    )
    return as_json(answer.summary)


ROUTES = [
    Route("/v1/agents", list_agents, methods=["GET"]),
    Route("/v1/agents/{agent:int}/settings", update_settings, methods=["PATCH"]),
    Route("/v1/statuses", set_statuses, methods=["POST"]),
    Route("/v1/tickets/next", next_ticket, methods=["POST"]),
    Route("/v1/decisions", list_decisions, methods=["GET"]),
    Route("/v1/summary", summary, methods=["GET"]),
]
