"""The app inside Zendesk: the signed-URL page and the authorisation popup (seed 000, facts: auth §2)."""

from __future__ import annotations

from urllib.parse import parse_qs

import grpc
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from libs.kernel.errors import InvalidRequestError, UnauthenticatedError
from libs.telemetry.logs import get_logger
from services.edge.http.bodies import TooLargeError, read_bytes
from services.edge.http.errors import answers_problems
from services.edge.http.suite import SESSION_HEADER, suite_of
from services.edge.pages.render import embedded_json, page
from setlist.assignment.v1 import assignment_service_pb2 as assignment
from setlist.auth.v1 import auth_resources_pb2 as resources
from setlist.auth.v1 import auth_service_pb2 as auth

COOKIE = "setlist_authorization"
MAXIMUM_FORM_BYTES = 16 * 1024


def _https(request: Request) -> bool:
    """Tell whether browsers reach us over TLS; the connection itself ends at the ingress and is plain."""
    return suite_of(request).public_url.startswith("https://")


def _cookie_name(request: Request) -> str:
    return f"__Host-{COOKIE}" if _https(request) else COOKIE


async def _signed_url(request: Request) -> str:
    """Return the form's `token`, empty when there is none.

    Raises:
        TooLargeError: the form is larger than a signed URL can be.
        ValueError: it is no form.
    """
    body = await read_bytes(request, MAXIMUM_FORM_BYTES)
    return parse_qs(body.decode("ascii"), max_num_fields=20).get("token", [""])[0]


async def open_app(request: Request) -> Response:
    """Zendesk posts the signed URL here, into the app's iframe."""
    try:
        token = await _signed_url(request)
    except TooLargeError:
        return page(
            "message.html", status=413, heading="Too large", text="The request is too large.", outcome=None
        )
    except ValueError:
        token = ""
    origin = request.query_params.get("origin", "")
    if not token:
        return _refused("This page opens inside Zendesk only.", 400)
    try:
        opened = await suite_of(request).auth.OpenSession(
            auth.OpenSessionRequest(
                signed_url_token=token, origin=origin, app_guid=request.query_params.get("app_guid", "")
            )
        )
    except grpc.aio.AioRpcError as error:
        if error.code() is grpc.StatusCode.UNAUTHENTICATED:
            return _refused("This link was used or is too old. Load the app again.", 401)
        return _refused("Setlist cannot be reached just now. Try again in a minute.", 503)
    authorized = opened.installation_state == resources.Installation.STATE_AUTHORIZED
    session = {"token": opened.session_token, "account": opened.account, "user_id": opened.user_id}
    return page(
        "home.html",
        frame_ancestors=f"https://{opened.subdomain}.zendesk.com",
        subdomain=opened.subdomain,
        authorized=authorized,
        can_authorize=not authorized,
        user=opened.user_id,
        role=opened.role,
        session_json=embedded_json(session),
    )


def _refused(text: str, status: int) -> Response:
    return page("message.html", status=status, heading="Setlist cannot open", text=text, outcome=None)


@answers_problems
async def begin_authorization(request: Request) -> Response:
    """The page's button: answers where to open the popup."""
    session = request.headers.get(SESSION_HEADER, "")
    if not session:
        raise UnauthenticatedError(f"`{SESSION_HEADER}` is missing")
    suite = suite_of(request)
    begun = await suite.auth.BeginAuthorization(auth.BeginAuthorizationRequest(session_token=session))
    return JSONResponse(
        {"start_url": f"{suite.public_url}/oauth/start?ticket={begun.ticket}"},
        headers={"cache-control": "no-store"},
    )


async def start_authorization(request: Request) -> Response:
    """The popup, at top level: sets our cookie, then sends the browser to Zendesk."""
    ticket = request.query_params.get("ticket", "")
    try:
        if not ticket:
            raise InvalidRequestError("no ticket")
        started = await suite_of(request).auth.StartAuthorization(
            auth.StartAuthorizationRequest(ticket=ticket)
        )
    except (grpc.aio.AioRpcError, InvalidRequestError):
        return _ended(
            request, False, "This authorisation expired. Close this window and press Authorize again."
        )
    answer = RedirectResponse(started.authorize_url, 302, headers={"referrer-policy": "no-referrer"})
    answer.set_cookie(
        _cookie_name(request),
        started.cookie_value,
        max_age=600,
        httponly=True,
        samesite="lax",
        secure=_https(request),
    )
    return answer


async def complete_authorization(request: Request) -> Response:
    """Zendesk's redirect: auth exchanges the code; assignment copies the account."""
    query, suite = request.query_params, suite_of(request)
    try:
        done = await suite.auth.CompleteAuthorization(
            auth.CompleteAuthorizationRequest(
                state=query.get("state", "-"),
                code=query.get("code", ""),
                error=query.get("error", ""),
                cookie_value=request.cookies.get(_cookie_name(request), ""),
            ),
            timeout=30.0,
        )
    except grpc.aio.AioRpcError as error:
        if error.code() is grpc.StatusCode.FAILED_PRECONDITION:
            return _ended(
                request, False, "The access was not granted. Press Authorize again as an administrator."
            )
        return _ended(request, False, "Setlist could not finish the authorisation. Try again in a minute.")
    account = done.account.removeprefix("accounts/")
    try:
        acting = await suite.job(account, "assignment")  # type: ignore[arg-type]  # an AccountId by contract
        await suite.assignment.SyncAccount(
            assignment.SyncAccountRequest(
                parent=acting.parent, webhook_url=f"{suite.public_url}/zendesk/webhooks/{account}"
            ),
            metadata=acting.metadata,
            timeout=60.0,
        )
    except grpc.aio.AioRpcError as error:
        get_logger().warning("sync after authorisation failed", account=account, code=error.code().name)
        return _ended(request, True, "The access was granted. Copying your agents takes a little longer.")
    return _ended(request, True, "The access was granted and your agents were copied.")


def _ended(request: Request, ok: bool, text: str) -> Response:
    answer = page(
        "message.html",
        status=200 if ok else 400,
        heading="Setlist is connected" if ok else "Not connected",
        text=text,
        outcome=True,
        outcome_json=embedded_json({"ok": ok, "text": text}),
    )
    answer.delete_cookie(_cookie_name(request), secure=_https(request), httponly=True, samesite="lax")
    return answer


ROUTES = [
    Route("/zendesk/app", open_app, methods=["POST"]),
    Route("/v1/authorization", begin_authorization, methods=["POST"]),
    Route("/oauth/start", start_authorization, methods=["GET"]),
    Route("/oauth/callback", complete_authorization, methods=["GET"]),
]
