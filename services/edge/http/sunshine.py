"""The four permission endpoints of seed 002, in its exact JSON and media types (facts: policy §1.7).

Faults are answered in one order: 401, 403, 404, 405, 415, 413, 400, 412, 422. Policy knows who may do what and
what there is, so it is asked before a fault of the body is told.
"""

from __future__ import annotations

import json
import re
from urllib.parse import quote

import grpc
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from libs.kernel.errors import DependencyUnavailableError, UnauthenticatedError
from services.edge.http.any_method import AnyMethod
from services.edge.http.bodies import TooLargeError, read_bytes
from services.edge.http.etags import BadConditionError, Condition, condition
from services.edge.http.strict_json import BadJsonError, parse
from services.edge.http.suite import Acting, Suite, suite_of
from services.edge.http.sunshine_errors import (
    RefusedError,
    answer_of,
    refusal_of_call,
    refusal_of_person,
)
from setlist.policy.v1 import policy_service_pb2 as messages

MERGE_PATCH = "application/merge-patch+json"
MAXIMUM_BODY_BYTES = 256 * 1024
MAXIMUM_DEPTH = 16
MAXIMUM_WARNING = 4000
NOTHING = "{}"
_KEY = re.compile(r"[0-9a-z_-]{2,32}")
_NO_TYPE = "objectTypes/type"
"""No account has an object type with this reserved key: whoever asks for it learns whether he may ask."""


async def permissions(request: Request) -> Response:
    """Show or update the policies of a type."""
    try:
        acting = await suite_of(request).acting(request, "policy")
        return await _permitted(request, suite_of(request), acting)
    except RefusedError as error:
        return answer_of(error)
    except ClientDisconnect:
        return answer_of(RefusedError(400, "BadRequest", "the body is not whole"))  # nobody reads this
    except UnauthenticatedError as error:
        return answer_of(refusal_of_person(error))
    except DependencyUnavailableError as error:
        return answer_of(RefusedError(503, "ServiceUnavailable", error.message))
    except grpc.aio.AioRpcError as error:
        return answer_of(refusal_of_call(error))


async def _permitted(request: Request, suite: Suite, acting: Acting) -> Response:
    name = await _name(request, suite, acting)
    if request.method in ("GET", "HEAD"):
        shown = await _show(suite, acting, name)
        unless = _condition(request, "if-none-match")
        etag = shown.permissions.etag
        if unless is not None and (unless.any or etag in unless.strong + unless.weak):
            return Response(status_code=304, headers={"etag": f'"{etag}"'})
        return _answer(shown.permissions_json, etag)
    if request.method != "PATCH":
        await _show(suite, acting, name)
        headers = {"allow": "GET, HEAD, PATCH"}
        raise RefusedError(405, "MethodNotAllowed", "send GET or PATCH", headers=headers)
    return await _patch(request, suite, acting, name)


async def _name(request: Request, suite: Suite, acting: Acting) -> str:
    """Return the name of the type; a key that can be no type's is a missing type, after the role is known."""
    plural = "objectTypes" if "/objects/" in request.url.path else "relationshipTypes"
    key = request.path_params["key"]
    if _KEY.fullmatch(key):
        return f"{acting.parent}/{plural}/{key}"
    name = f"{acting.parent}/{_NO_TYPE}"
    try:
        if request.method == "PATCH":
            await _update(suite, acting, name, NOTHING, "", validate_only=True)
        else:
            await _show(suite, acting, name)
    except grpc.aio.AioRpcError as error:
        if error.code() is not grpc.StatusCode.NOT_FOUND:
            raise
    raise RefusedError(404, "NotFound", f"there is no type `{key[:64]}`")


async def _show(suite: Suite, acting: Acting, name: str) -> messages.GetPermissionsResponse:
    request = messages.GetPermissionsRequest(name=name)
    return await suite.policy.GetPermissions(request, metadata=acting.metadata)


async def _update(
    suite: Suite, acting: Acting, name: str, patch: str, etag: str, *, validate_only: bool = False
) -> messages.UpdatePermissionsResponse:
    request = messages.UpdatePermissionsRequest(
        name=name, merge_patch_json=patch, etag=etag, validate_only=validate_only
    )
    return await suite.policy.UpdatePermissions(request, metadata=acting.metadata)


async def _patch(request: Request, suite: Suite, acting: Acting, name: str) -> Response:
    try:
        body = await _body(request)
        wanted = _condition(request, "if-match")
    except RefusedError:
        await _update(suite, acting, name, NOTHING, "", validate_only=True)  # 403 and 404 come first
        raise
    etag = await _etag(suite, acting, name, wanted)
    if not isinstance(body, dict) or set(body) != {"data"} or not isinstance(body["data"], dict):
        await _update(suite, acting, name, NOTHING, etag, validate_only=True)  # and 412
        raise RefusedError(422, "UnprocessableEntity", "/ must hold the single member `data`, an object")
    updated = await _update(suite, acting, name, _text(body["data"]), etag)
    answer = _answer(updated.permissions_json, updated.permissions.etag)
    if updated.ignored:
        answer.headers["x-zendesk-api-warn"] = _warning(list(updated.ignored))
    return answer


def _text(data: dict[str, object]) -> str:
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))


async def _body(request: Request) -> object:
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media not in (MERGE_PATCH, "application/json"):
        headers = {"accept-patch": MERGE_PATCH}
        raise RefusedError(415, "UnsupportedMediaType", f"send {MERGE_PATCH}", headers=headers)
    try:
        return parse(await read_bytes(request, MAXIMUM_BODY_BYTES), MAXIMUM_DEPTH)
    except TooLargeError:
        raise RefusedError(413, "PayloadTooLarge", "the body is larger than 256 KB") from None
    except BadJsonError as error:
        raise RefusedError(400, "BadRequest", str(error)) from None


def _condition(request: Request, name: str) -> Condition | None:
    try:
        return condition(request, name)
    except BadConditionError as error:
        raise RefusedError(400, "BadRequest", str(error)) from None


async def _etag(suite: Suite, acting: Acting, name: str, wanted: Condition | None) -> str:
    """Return the version that policy compares under its lock; `*` holds for whatever exists.

    Weak tags never match here (RFC 9110 §13.1.1). Of several strong ones the present one is taken, if any.
    """
    if wanted is None or wanted.any:
        return ""
    if len(wanted.strong) > 1:
        present = (await _show(suite, acting, name)).permissions.etag
        return present if present in wanted.strong else wanted.strong[0]
    if wanted.strong:
        return wanted.strong[0] or '""'  # an empty text would mean any version
    return f'W/"{wanted.weak[0]}"'


def _warning(ignored: list[str]) -> str:
    """Return the pointers for a header: member names are the client's text and may hold anything."""
    text = ", ".join(quote(pointer, safe="/~") for pointer in ignored)
    return (
        f"ignored unknown members: {text if len(text) <= MAXIMUM_WARNING else text[:MAXIMUM_WARNING] + '...'}"
    )


def _answer(permissions_json: str, etag: str) -> Response:
    body = f'{{"data":{permissions_json}}}'
    return Response(body, media_type="application/json", headers={"etag": f'"{etag}"'})


ROUTES = [
    Route("/api/sunshine/objects/types/{key}/permissions", AnyMethod(permissions)),
    Route("/api/sunshine/relationships/types/{key}/permissions", AnyMethod(permissions)),
]
