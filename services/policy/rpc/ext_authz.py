"""Envoy's external authorization (v3): every request of a route is a check (facts: policy §6).

What is decided about comes from the route's settings, who asks from a verified token. Whatever goes wrong is a
refusal: an error of the call would leave the decision to Envoy's `failure_mode_allow`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from envoy.service.auth.v3 import external_auth_pb2 as envoy
from envoy.service.auth.v3.external_auth_pb2_grpc import AuthorizationServicer
from google.rpc import code_pb2, status_pb2

from libs.decision.rows import User
from libs.kernel.errors import DependencyUnavailableError, UnauthenticatedError
from libs.rpc.identity import Caller, ContextVerifier
from libs.telemetry.logs import get_logger
from services.policy.app.asked import Asked, Question
from services.policy.app.check import Check
from services.policy.app.ports import Answer
from services.policy.rpc.callers import trace_id
from services.policy.rpc.ext_authz_route import (
    MAXIMUM_RECORD,
    STANDARD_HEADER,
    BadPathError,
    BadRouteError,
    Route,
    route_of,
)

AUTHORIZATION = envoy.DESCRIPTOR.services_by_name["Authorization"]
PEER = "envoy"
"""Service account of the proxies."""
DECISION_HEADER = "x-setlist-decision-id"
IDENTITY_HEADERS = (
    "x-setlist-account",
    "x-setlist-user",
    "x-setlist-role",
    "x-setlist-custom-role",
    DECISION_HEADER,
)
"""What the service behind may believe: a client's own are overwritten or taken off."""
DISGUISES = (
    "x-http-method-override",
    "x-http-method",
    "x-method-override",
    "x-original-url",
    "x-rewrite-url",
)
"""By which some servers serve another method or path than the one that was decided on."""
_OVERWRITE = envoy.HeaderValueOption.OVERWRITE_IF_EXISTS_OR_ADD
READ = "read"
_NEEDS_RECORD = ("update", "delete")


class _RefusedError(Exception):
    """A request that does not go on."""

    def __init__(self, status: int, code: int, message: str, reason: str, decision_id: str = "") -> None:
        super().__init__(reason)
        self.status = status
        self.code = code
        self.message = message
        self.reason = reason
        self.decision_id = decision_id


def _unauthenticated(reason: str) -> _RefusedError:
    return _RefusedError(401, code_pb2.UNAUTHENTICATED, "a valid token of a person is needed", reason)


def _forbidden(reason: str, decision_id: str = "") -> _RefusedError:
    return _RefusedError(403, code_pb2.PERMISSION_DENIED, "this is not allowed", reason, decision_id)


def _unavailable(reason: str) -> _RefusedError:
    return _RefusedError(503, code_pb2.UNAVAILABLE, "this cannot be decided now", reason)


class ExtAuthz(AuthorizationServicer):
    """Answers Envoy.

    Args:
        check: decides.
        verifier: of the tokens that clients send.
    """

    def __init__(self, check: Check, verifier: ContextVerifier) -> None:
        self._check = check
        self._verifier = verifier

    async def Check(self, request: envoy.CheckRequest, context: Any) -> envoy.CheckResponse:
        try:
            return await self._decided(request.attributes)
        except _RefusedError as refused:
            return _denied(refused)
        except BadRouteError as error:
            get_logger().error("ext_authz route cannot be used", why=str(error))
            return _denied(_forbidden("BAD_ROUTE"))
        except BadPathError:
            return _denied(_forbidden("BAD_PATH"))
        except DependencyUnavailableError as error:
            get_logger().warning("ext_authz cannot decide", why=error.reason)
            return _denied(_unavailable("UNAVAILABLE"))
        except Exception:
            get_logger().exception("ext_authz failed")
            return _denied(_unavailable("INTERNAL"))

    async def _decided(self, attributes: envoy.AttributeContext) -> envoy.CheckResponse:
        route, http = route_of(attributes.context_extensions), attributes.request.http
        caller, stale = await self._caller(route, http.headers, attributes.source.principal)
        user = caller.user
        if user is None:
            raise _unauthenticated("NO_PERSON")
        if caller.account != route.account:
            raise _forbidden("OTHER_ACCOUNT")
        action, record = _what(route, http)
        if stale and action != READ:  # as for every read of the suite while the feed of revocations is cut
            raise _unavailable("REVOCATIONS_UNKNOWN")
        person = User(user, caller.role or "", caller.custom_role_id)
        (answer,) = await self._check(
            route.account,
            [Question(user, action, route.object_type, record)],
            Asked(person, caller=PEER, trace=trace_id()),
        )
        if not answer.decided.allowed:
            raise _forbidden(answer.decided.reason, answer.decision_id)
        return _allowed(route, caller, answer)

    async def _caller(self, route: Route, headers: Mapping[str, str], principal: str) -> tuple[Caller, bool]:
        """Return whom the client's token proves, and whether it may have been revoked without our knowing.

        Like every token of the suite it is good from one peer only: from the one that the route names, else
        from the one that mTLS proved to Envoy.
        """
        value = headers.get(route.token_header, "")
        scheme, _, token = value.partition(" ")
        if scheme.lower() != "bearer":
            token = value if route.token_header != STANDARD_HEADER else ""
        if not token:
            raise _unauthenticated("NO_TOKEN")
        try:
            said = await self._verifier.verify(token.strip(), route.audience)
        except UnauthenticatedError:
            raise _unauthenticated("BAD_TOKEN") from None
        peer = route.token_peer or _service_account(principal)
        if not peer or said.peer != peer:
            raise _unauthenticated("OTHER_PEER")
        caller = Caller(PEER, said.account, said.installation, said.subject, said.role, said.custom_role_id)
        return caller, said.stale


def _service_account(principal: str) -> str:
    """Return the service account of a SPIFFE id `spiffe://{domain}/ns/{namespace}/sa/{account}`."""
    parts = principal.split("/")
    spiffe = len(parts) == 7 and parts[0] == "spiffe:" and (parts[3], parts[5]) == ("ns", "sa")
    return parts[6] if spiffe else ""


def _what(route: Route, http: envoy.AttributeContext.HttpRequest) -> tuple[str, str]:
    """Return action and record of a request."""
    action = route.actions.get(http.method)
    if action is None or action == "-":
        raise _forbidden("UNKNOWN_METHOD")
    record = route.record(http.path)
    if record is None:
        raise _forbidden("UNKNOWN_PATH")
    if len(record) > MAXIMUM_RECORD or (not record and action in _NEEDS_RECORD):
        raise _forbidden("NO_RECORD")
    return action, record


def _put(key: str, value: str) -> envoy.HeaderValueOption:
    return envoy.HeaderValueOption(header=envoy.HeaderValue(key=key, value=value), append_action=_OVERWRITE)


def _allowed(route: Route, caller: Caller, answer: Answer) -> envoy.CheckResponse:
    known = {
        "x-setlist-account": str(route.account),
        "x-setlist-user": str(caller.user),
        "x-setlist-role": caller.role or "",
        "x-setlist-custom-role": "" if caller.custom_role_id is None else str(caller.custom_role_id),
        DECISION_HEADER: answer.decision_id,
    }
    # Envoy takes off after it has put: what is put here must not be named there.
    off = [name for name in IDENTITY_HEADERS if not known[name]] + list(DISGUISES)
    if not route.forward_token:
        off.append(route.token_header)
    response = envoy.CheckResponse(
        status=status_pb2.Status(code=code_pb2.OK),
        ok_response=envoy.OkHttpResponse(
            headers=[_put(name, value) for name, value in known.items() if value],
            headers_to_remove=off,
        ),
    )
    response.dynamic_metadata.update({"reason": answer.decided.reason, "decision_id": answer.decision_id})
    return response


def _denied(refused: _RefusedError) -> envoy.CheckResponse:
    """Return a refusal; the client learns no more than that, the access log the reason."""
    body = {"error": _WORDS[refused.status], "message": refused.message}
    headers = [_put("content-type", "application/json"), _put("cache-control", "no-store")]
    if refused.status == 401:
        headers.append(_put("www-authenticate", 'Bearer realm="setlist"'))
    if refused.decision_id:
        body["decision_id"] = refused.decision_id
        headers.append(_put(DECISION_HEADER, refused.decision_id))
    response = envoy.CheckResponse(
        status=status_pb2.Status(code=refused.code, message=refused.message),
        denied_response=envoy.DeniedHttpResponse(
            status=envoy.HttpStatus(code=refused.status), headers=headers, body=json.dumps(body)
        ),
    )
    response.dynamic_metadata.update({"reason": refused.reason, "decision_id": refused.decision_id})
    return response


_WORDS = {401: "unauthorized", 403: "forbidden", 503: "unavailable"}
