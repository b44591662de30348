"""What every endpoint does: find the account, know the user, spend the budget, obey faults, answer JSON."""

from __future__ import annotations

import base64
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import format_datetime
from hashlib import blake2b
from typing import Any
from uuid import uuid4

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from tools.zendesk_simulator.breakage import break_answer, break_before, keep_stale, stale_answer
from tools.zendesk_simulator.errors import Refusal, forbidden, invalid_token, no_credentials, scope_missing
from tools.zendesk_simulator.faults import jobs_break
from tools.zendesk_simulator.lifecycle import advance
from tools.zendesk_simulator.limits import spend
from tools.zendesk_simulator.state import Account, Row, Token


@dataclass(slots=True)
class Call:
    """One request with what is known of it."""

    request: Request
    account: Account
    user: Row | None
    token: Token | None
    body: Row
    headers: dict[str, str] = field(default_factory=dict)
    """Further headers of the answer."""

    @property
    def path(self) -> dict[str, Any]:
        """Values of the path."""
        return self.request.path_params

    @property
    def query(self) -> Any:
        """Values of the query."""
        return self.request.query_params

    def require_admin(self) -> None:
        """Refuse anybody but admins."""
        if self.user is None or self.user["role"] != "admin":
            raise forbidden()

    def require_agent(self) -> Row:
        """Refuse end users and strangers."""
        if self.user is None:
            raise no_credentials()
        if self.user["role"] == "end-user":
            raise forbidden()
        return self.user


Handler = Callable[[Call], Awaitable[Any]]
"""Returns a JSON value (200), a pair (status, JSON value), or a Response."""


def authenticate(account: Account, header: str | None, now: datetime) -> tuple[Row | None, Token | None]:
    """Return the user and token of an Authorization header.

    Basic `email/token:…` signs the user with that e-mail in: the simulator knows no passwords.
    """
    if header is None:
        return None, None
    scheme, _, value = header.partition(" ")
    if scheme.lower() == "basic":
        try:
            name = base64.b64decode(value).decode().split(":")[0].removesuffix("/token")
        except ValueError:
            raise no_credentials() from None
        user = _by_email(account, name)
        if user is None:
            raise no_credentials()
        return user, None
    token = account.tokens.get(value)
    if token is None or (token.expires_at is not None and token.expires_at <= now):
        raise invalid_token()
    token.used_at = now
    user = account.users.get(token.user_id)
    if user is None or not user["active"] or user.get("suspended"):
        raise invalid_token()
    return user, token


def _by_email(account: Account, email: str) -> Row | None:
    """Return the user with an address; where he was found is remembered, as clients sign in with every call."""
    known = account.users.get(account.by_email.get(email, 0))
    if known is None or known["email"] != email or not known["active"]:
        known = next((u for u in account.users.values() if u["email"] == email and u["active"]), None)
        if known is not None:
            account.by_email[email] = known["id"]
    return known


_COUNTS_AS = {
    "user_fields": "users",
    "deleted_users": "users",
    "deleted_tickets": "tickets",
    "ticket_fields": "tickets",
}
"""Resources without a scope of their own; views, groups, memberships and skills have none at all (facts §1.4)."""


def _require_scope(token: Token | None, method: str, path: str) -> None:
    if token is None:
        return
    need, resource = ("read" if method in ("GET", "HEAD") else "write"), path.split("/")[0]
    allowed = {need, f"{resource}:{need}"}
    if path.startswith("oauth/tokens/current") or allowed & set(token.scopes):
        return
    if f"{_COUNTS_AS.get(resource, '-')}:{need}" in token.scopes:
        return
    raise scope_missing()


async def _body(request: Request) -> Row:
    raw = await request.body()
    if not raw:
        return {}
    kind = request.headers.get("content-type", "")
    if kind.startswith("application/x-www-form-urlencoded"):
        return dict(await request.form())
    if kind and "json" not in kind:  # a file
        return {}
    try:
        parsed = json.loads(raw)
    except ValueError:
        raise Refusal(400, {"error": "Unprocessable", "message": "Server could not parse JSON"}) from None
    return parsed if isinstance(parsed, dict) else {}


def endpoint(
    methods: str, path: str, handler: Handler, *, api: bool = True, prefix: str | None = None
) -> Route:
    """Return a route for a handler.

    Args:
        methods: separated by blanks.
        path: under `/api/v2/` when `api`, else from the root.
        handler: gets a `Call`.
        api: whether tokens, scopes and limits apply.
        prefix: where the path is, other than said above.
    """

    async def serve(request: Request) -> Response:
        account: Account | None = request.scope["zendesk_account"]
        if account is None:
            return PlainTextResponse("No help desk at this address", 404)
        method, where = request.method, request.scope["path"].removeprefix("/api/v2/").lstrip("/")
        headers = {"x-request-id": str(uuid4()), "date": format_datetime(account.now(), usegmt=True)}
        account.counts[f"{method} {path}"] += 1
        answer = await handled(request, account, method, where, headers)
        told = {"at": headers["date"], "method": method, "path": where, "status": answer.status_code}
        account.requests.append(told)
        return answer

    async def handled(
        request: Request, account: Account, method: str, where: str, headers: dict[str, str]
    ) -> Response:
        try:
            if account.faults:
                await request.body()  # so that a caller who gives up on a late answer has asked all the same
                await break_before(account.faults, method, where)
            user, token = None, None
            if api:
                headers["x-zendesk-api-version"] = "v2"
                user, token = authenticate(account, request.headers.get("authorization"), account.now())
                _require_scope(token, method, where)
                headers |= spend(account, method, where, user["id"] if user else None, _page(request))
            advance(account)
            call = Call(request, account, user, token, await _body(request), headers)
            if not account.faults:
                return _answer(await handler(call), headers)
            return await _under_faults(handler, call, where)
        except Refusal as refusal:
            return _refuse(refusal, headers)

    prefix = prefix or ("/api/v2/" if api else "/")
    return Route(prefix + path, serve, methods=methods.split())


def _page(request: Request) -> int:
    text = request.query_params.get("page", "") if b"page=" in request.scope["query_string"] else ""
    return int(text) if text.isdigit() else 1


async def _under_faults(handler: Handler, call: Call, where: str) -> Response:
    """Answer while faults are switched on."""
    account, method, query = call.account, call.request.method, call.request.url.query
    if (stale := stale_answer(account, method, where, query)) is not None:
        return _answer(stale, call.headers)
    with jobs_break(account.faults, method, where):
        answer = _answer(await handler(call), call.headers)
    keep_stale(account, method, where, query, answer)
    refreshed = call.body.get("grant_type") == "refresh_token" and answer.status_code == 201
    return break_answer(account.faults, method, where, answer, refreshed=refreshed)


def _answer(result: Any, headers: dict[str, str]) -> Response:
    if isinstance(result, Response):
        result.headers.update(headers)
        return result
    status, value = result if isinstance(result, tuple) else (200, result)
    if status == 204:
        return Response(status_code=204, headers=headers)
    if status == 201 and isinstance(value, dict):
        first = next(iter(value.values()), None)
        if isinstance(first, dict) and "url" in first:
            headers["location"] = first["url"]
    headers["cache-control"] = "max-age=0, private, must-revalidate"
    answer = JSONResponse(value, status, headers=headers, media_type="application/json; charset=utf-8")
    answer.headers["etag"] = f'W/"{blake2b(answer.body, digest_size=16).hexdigest()}"'
    return answer


def _refuse(refusal: Refusal, headers: dict[str, str]) -> Response:
    headers = {**headers, **refusal.headers}
    if isinstance(refusal.body, str):
        return PlainTextResponse(refusal.body, refusal.status, headers=headers)
    return JSONResponse(refusal.body, refusal.status, headers=headers)
