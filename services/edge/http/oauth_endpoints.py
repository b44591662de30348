"""OAuth's standard endpoints: metadata (RFC 8414), introspection (RFC 7662), revocation (RFC 7009)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import wraps

import grpc
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from libs.kernel.errors import DependencyUnavailableError
from libs.rpc.errors import reason_of
from libs.telemetry.logs import get_logger
from services.edge.http.oauth_clients import METHODS, OAuthClient, OAuthError, authenticate
from services.edge.http.oauth_form import read_form
from services.edge.http.suite import suite_of
from setlist.auth.v1 import auth_service_pb2 as messages

MAXIMUM_AGE_SECONDS = 300
_NO_STORE = {"cache-control": "no-store", "pragma": "no-cache"}
Handler = Callable[[Request], Awaitable[Response]]


def _clients(request: Request) -> Mapping[str, OAuthClient]:
    clients: Mapping[str, OAuthClient] = request.app.state.oauth_clients
    return clients


def _refusal(error: OAuthError) -> Response:
    headers = dict(_NO_STORE)
    if error.status == 401:
        headers["www-authenticate"] = 'Basic realm="setlist", charset="UTF-8"'
    body = {"error": error.code, "error_description": str(error)}
    return JSONResponse(body, error.status, headers=headers)


def _away() -> Response:
    body = {"error": "temporarily_unavailable", "error_description": "try again in a moment"}
    return JSONResponse(body, 503, headers={**_NO_STORE, "retry-after": "1"})


def _answers_oauth(handler: Handler) -> Handler:
    @wraps(handler)
    async def wrapped(request: Request) -> Response:
        try:
            return await handler(request)
        except OAuthError as error:
            return _refusal(error)
        except grpc.aio.AioRpcError as error:
            if reason_of(error) == "TOKEN_NOT_REVOCABLE":
                return _refusal(OAuthError("unsupported_token_type", error.details() or ""))
            return _away()
        except DependencyUnavailableError:
            return _away()

    return wrapped


async def metadata(request: Request) -> Response:
    """What this authorisation server offers; the address is the one of the settings, never the Host header's.

    Tokens are not given out here (an app gets its own by Zendesk's proxy), so there is no token endpoint and
    no grant.
    """
    suite = suite_of(request)
    public = suite.public_url
    document: dict[str, object] = {
        "issuer": request.app.state.issuer,
        "jwks_uri": f"{public}/.well-known/jwks.json",
        "introspection_endpoint": f"{public}/oauth/introspect",
        "introspection_endpoint_auth_methods_supported": METHODS,
        "revocation_endpoint": f"{public}/oauth/revoke",
        "revocation_endpoint_auth_methods_supported": METHODS,
        "response_types_supported": [],
        "grant_types_supported": [],
    }
    return JSONResponse(document, headers={"cache-control": f"public, max-age={MAXIMUM_AGE_SECONDS}"})


@_answers_oauth
async def introspect(request: Request) -> Response:
    """Tell whether a token is alive and what it says; of a dead one nothing but that, whatever the cause."""
    form = await read_form(request)
    client = authenticate(request, form, _clients(request), "introspect")
    found = await _found(request, client, _token(form))
    if found is None:
        return JSONResponse({"active": False}, headers=_NO_STORE)
    said: dict[str, object] = {
        "active": True,
        "token_type": "Bearer",
        "iss": found.issuer,
        "sub": found.subject,
        "aud": found.audience,
        "iat": found.issue_time.seconds,
        "exp": found.expire_time.seconds,
        "tid": found.account.removeprefix("accounts/"),
        "ins": found.installation,
    }
    if found.token_id:
        said["jti"] = found.token_id
    return JSONResponse(said, headers=_NO_STORE)


@_answers_oauth
async def revoke(request: Request) -> Response:
    """Revoke what a token stands for; 200 once that is committed, and also when there was nothing to revoke."""
    form = await read_form(request)
    client = authenticate(request, form, _clients(request), "revoke")
    token = _token(form)
    if client.account is None or await _found(request, client, token) is not None:
        await suite_of(request).auth.RevokeToken(messages.RevokeTokenRequest(token=token))
        get_logger().info("a client revoked a token", client=client.client_id)
    return Response(status_code=200, headers=_NO_STORE)


def _token(form: Mapping[str, str]) -> str:
    """Return the token. `token_type_hint` is a hint: whatever it says, every kind is looked at."""
    token = form.get("token")
    if token is None:
        raise OAuthError("invalid_request", "`token` is missing")
    return token


async def _found(request: Request, client: OAuthClient, token: str) -> messages.VerifyTokenResponse | None:
    """Return what a living token says, None when it is dead or not of the client's account."""
    answer = await suite_of(request).auth.VerifyToken(messages.VerifyTokenRequest(token=token))
    if not answer.active or client.account not in (None, answer.account.removeprefix("accounts/")):
        return None
    return answer


ROUTES = [
    Route("/.well-known/oauth-authorization-server", metadata, methods=["GET"]),
    Route("/oauth/introspect", introspect, methods=["POST"]),
    Route("/oauth/revoke", revoke, methods=["POST"]),
]
