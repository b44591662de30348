"""Requests of people about their data: one call returns a request and its address (seed 001's button)."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from libs.kernel.errors import FieldViolation, InvalidRequestError
from services.edge.http.agents import as_json, body_of, page_of
from services.edge.http.errors import answers_problems
from services.edge.http.suite import suite_of
from setlist.privacy.v1 import participant_service_pb2 as participant
from setlist.privacy.v1 import privacy_resources_pb2 as resources
from setlist.privacy.v1 import privacy_service_pb2 as messages

_KINDS = {
    name.removeprefix("REQUEST_KIND_").lower(): number for name, number in resources.RequestKind.items()
}


@answers_problems
async def create(request: Request) -> Response:
    """Take a request: `{kind, zendesk_user_id, request_id?, auto_approve?, validate_only?}`."""
    suite, given = suite_of(request), await body_of(request)
    kind = _KINDS.get(str(given.get("kind", "erasure")).lower(), resources.REQUEST_KIND_UNSPECIFIED)
    user = given.get("zendesk_user_id")
    faults = []
    if not kind:
        faults.append(FieldViolation("kind", f"must be one of {', '.join(_KINDS)}"))
    if not isinstance(user, int) or isinstance(user, bool) or user <= 0:
        faults.append(FieldViolation("zendesk_user_id", "must be a Zendesk user id"))
    if faults:
        raise InvalidRequestError("the request is not valid", violations=faults)
    acting = await suite.acting(request, "privacy")
    identity = participant.SubjectIdentity(
        type=participant.SubjectIdentity.TYPE_ZENDESK_USER_ID, value=str(user)
    )
    answer = await suite.privacy.CreateRequest(
        messages.CreateRequestRequest(
            parent=acting.parent,
            kind=kind,
            identities=[identity],
            auto_approve=bool(given.get("auto_approve")),
            validate_only=bool(given.get("validate_only")),
            request_id=str(given.get("request_id", "")),
        ),
        metadata=acting.metadata,
        timeout=30.0,
    )
    response = as_json(answer.request, 201)
    response.headers["location"] = f"/v1/privacy/requests/{answer.request.name.rpartition('/')[2]}"
    return response


@answers_problems
async def list_requests(request: Request) -> Response:
    """List requests."""
    suite = suite_of(request)
    acting = await suite.acting(request, "privacy")
    answer = await suite.privacy.ListRequests(
        messages.ListRequestsRequest(parent=acting.parent, **page_of(request)), metadata=acting.metadata
    )
    return as_json(answer)


@answers_problems
async def show(request: Request) -> Response:
    """Show a request with its steps."""
    suite = suite_of(request)
    acting = await suite.acting(request, "privacy")
    name = f"{acting.parent}/requests/{request.path_params['id']}"
    answer = await suite.privacy.GetRequest(messages.GetRequestRequest(name=name), metadata=acting.metadata)
    return as_json(answer.request)


@answers_problems
async def approve(request: Request) -> Response:
    """Approve a plan: `{plan_hash}`."""
    suite, given = suite_of(request), await body_of(request)
    acting = await suite.acting(request, "privacy")
    answer = await suite.privacy.ApproveRequest(
        messages.ApproveRequestRequest(
            name=f"{acting.parent}/requests/{request.path_params['id']}",
            plan_hash=str(given.get("plan_hash", "")),
        ),
        metadata=acting.metadata,
    )
    return as_json(answer.request)


@answers_problems
async def certificate(request: Request) -> Response:
    """Show the certificate of a completed request."""
    suite = suite_of(request)
    acting = await suite.acting(request, "privacy")
    name = f"{acting.parent}/requests/{request.path_params['id']}"
    answer = await suite.privacy.GetCertificate(
        messages.GetCertificateRequest(name=name), metadata=acting.metadata
    )
    return as_json(answer.certificate)


ROUTES = [
    Route("/v1/privacy/requests", create, methods=["POST"]),
    Route("/v1/privacy/requests", list_requests, methods=["GET"]),
    Route("/v1/privacy/requests/{id}", show, methods=["GET"]),
    Route("/v1/privacy/requests/{id}/approve", approve, methods=["POST"]),
    Route("/v1/privacy/requests/{id}/certificate", certificate, methods=["GET"]),
]
