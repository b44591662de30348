"""The four permission endpoints of seed 002, in its exact JSON and media types (facts: policy §1.7)."""

from __future__ import annotations

import json
from typing import Any

import grpc
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from libs.kernel.errors import UnauthenticatedError
from libs.rpc.errors import field_violations, retry_delay_seconds
from services.edge.http.suite import suite_of
from setlist.policy.v1 import policy_service_pb2 as messages

MERGE_PATCH = "application/merge-patch+json"
MAXIMUM_BODY_BYTES = 256 * 1024
MAXIMUM_DEPTH = 16
_CODES = {
    grpc.StatusCode.UNAUTHENTICATED: (401, "Unauthorized"),
    grpc.StatusCode.PERMISSION_DENIED: (403, "Forbidden"),
    grpc.StatusCode.NOT_FOUND: (404, "NotFound"),
    grpc.StatusCode.ABORTED: (412, "PreconditionFailed"),
    grpc.StatusCode.INVALID_ARGUMENT: (422, "UnprocessableEntity"),
    grpc.StatusCode.RESOURCE_EXHAUSTED: (429, "TooManyRequests"),
}


def errors(status: int, code: str, *messages_: str, headers: dict[str, str] | None = None) -> JSONResponse:
    """Return Sunshine's error array, one entry per fault."""
    title = "".join(f" {c}" if c.isupper() and i else c for i, c in enumerate(code))
    entries = [{"code": code, "status": str(status), "title": title, "message": m} for m in messages_]
    return JSONResponse({"errors": entries}, status, headers=headers)


def _failed(error: grpc.aio.AioRpcError) -> JSONResponse:
    status, code = _CODES.get(error.code(), (503, "ServiceUnavailable"))
    faults = [f"{v.field} {v.description}" for v in field_violations(error)] or [error.details() or code]
    headers = {"www-authenticate": "Bearer"} if status == 401 else {}
    if (delay := retry_delay_seconds(error)) is not None:
        headers["retry-after"] = str(max(1, round(delay)))
    return errors(status, code, *faults, headers=headers)


class _BadBodyError(Exception):
    def __init__(self, answer: JSONResponse) -> None:
        super().__init__()
        self.answer = answer


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member name stands twice")
    return members


def _depth(value: object) -> int:
    if isinstance(value, dict):
        return 1 + max((_depth(v) for v in value.values()), default=0)
    if isinstance(value, list):
        return 1 + max((_depth(v) for v in value), default=0)
    return 0


async def _data(request: Request) -> str:
    """Return the value of `data` of a PATCH, as JSON text."""
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media not in (MERGE_PATCH, "application/json"):
        headers = {"accept-patch": MERGE_PATCH}
        raise _BadBodyError(errors(415, "UnsupportedMediaType", f"send {MERGE_PATCH}", headers=headers))
    raw = await request.body()
    if len(raw) > MAXIMUM_BODY_BYTES:
        raise _BadBodyError(errors(413, "PayloadTooLarge", "the body is larger than 256 KB"))
    try:
        body = json.loads(raw.decode("utf-8"), object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise _BadBodyError(errors(400, "BadRequest", f"the body is not valid JSON: {error}")) from None
    if _depth(body) > MAXIMUM_DEPTH:
        raise _BadBodyError(errors(400, "BadRequest", "the body is nested deeper than 16 levels"))
    if not isinstance(body, dict) or set(body) != {"data"} or not isinstance(body["data"], dict):
        raise _BadBodyError(
            errors(422, "UnprocessableEntity", "/ must hold the single member `data`, an object")
        )
    return json.dumps(body["data"])


async def permissions(request: Request) -> Response:
    """Show or update the policies of a type."""
    suite = suite_of(request)
    plural = "objectTypes" if "/objects/" in request.url.path else "relationshipTypes"
    try:
        acting = await suite.acting(request, "policy")
        name = f"{acting.parent}/{plural}/{request.path_params['key']}"
        if request.method == "GET":
            shown = await suite.policy.GetPermissions(
                messages.GetPermissionsRequest(name=name), metadata=acting.metadata
            )
            return _answer(shown.permissions_json, shown.permissions.etag)
        updated = await suite.policy.UpdatePermissions(
            messages.UpdatePermissionsRequest(
                name=name,
                merge_patch_json=await _data(request),
                etag=request.headers.get("if-match", "").strip('"'),
            ),
            metadata=acting.metadata,
        )
        return _answer(updated.permissions_json, updated.permissions.etag)
    except _BadBodyError as bad:
        return bad.answer
    except UnauthenticatedError as error:
        return errors(401, "Unauthorized", error.message, headers={"www-authenticate": "Bearer"})
    except grpc.aio.AioRpcError as error:
        return _failed(error)


def _answer(permissions_json: str, etag: str) -> Response:
    body = f'{{"data":{permissions_json}}}'
    return Response(body, media_type="application/json", headers={"etag": f'"{etag}"'})


ROUTES = [
    Route("/api/sunshine/objects/types/{key}/permissions", permissions, methods=["GET", "PATCH"]),
    Route("/api/sunshine/relationships/types/{key}/permissions", permissions, methods=["GET", "PATCH"]),
]
