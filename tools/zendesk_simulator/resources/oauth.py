"""OAuth: the consent page, codes with PKCE, rotating refresh, tokens (facts: Zendesk §1)."""

from __future__ import annotations

import base64
import hashlib
import html
import secrets
from datetime import datetime, timedelta
from urllib.parse import urlencode

from starlette.responses import HTMLResponse, RedirectResponse, Response

from tools.zendesk_simulator.clock import stamp
from tools.zendesk_simulator.endpoint import Call, endpoint
from tools.zendesk_simulator.errors import (
    Refusal,
    forbidden,
    invalid_token,
    no_credentials,
    not_found,
    number,
)
from tools.zendesk_simulator.state import Account, Code, Row, Token

CODE_LIFE = timedelta(seconds=120)
ACCESS_SECONDS, REFRESH_SECONDS = 1800, 2_592_000
SESSION_COOKIE = "_zendesk_session"


def _refuse(error: str, text: str, status: int = 400) -> Refusal:
    return Refusal(status, {"error": error, "error_description": text})


def _client(account: Account, identifier: str) -> Row:
    client = account.clients.get(identifier)
    if client is None:
        raise _refuse("invalid_client", "The client identifier provided is invalid", 401)
    return client


async def authorize_page(call: Call) -> Response:
    """Show what the app asks for; Allow and Deny post back."""
    query = call.query
    client = _client(call.account, query.get("client_id", ""))
    if query.get("response_type") != "code" or query.get("redirect_uri") not in client["redirect_uri"]:
        raise _refuse("invalid_request", "The redirect URI is not registered on the client")
    user = call.account.users.get(number(call.request.cookies.get(SESSION_COOKIE, 0)))
    who = html.escape(user["name"]) if user else "nobody (open the app first)"
    hidden = "".join(
        f'<input type="hidden" name="{html.escape(k)}" value="{html.escape(v)}">' for k, v in query.items()
    )
    scopes = "".join(f"<li>{html.escape(s)}</li>" for s in query.get("scope", "").split())
    return HTMLResponse(
        f"""<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Allow access</title><style>
body{{font:16px/1.5 system-ui,sans-serif;max-width:30rem;margin:3rem auto;padding:0 1rem;color:#2f3941}}
button{{font:inherit;padding:.5rem 1.2rem;margin-right:.5rem;border-radius:4px;border:1px solid #1f73b7}}
button[value=allow]{{background:#1f73b7;color:#fff}}</style></head><body>
<h1>{html.escape(client["name"])} asks for access</h1>
<p>to <b>{html.escape(call.account.subdomain)}</b>, signed in as <b>{who}</b>:</p><ul>{scopes}</ul>
<form method="post">{hidden}<button name="decision" value="allow">Allow</button>
<button name="decision" value="deny">Deny</button></form></body></html>"""
    )


async def decide(call: Call) -> Response:
    """Redirect with a code, or with the refusal."""
    form = call.body
    client = _client(call.account, str(form.get("client_id", "")))
    redirect = str(form.get("redirect_uri", ""))
    if redirect not in client["redirect_uri"]:
        raise _refuse("invalid_request", "The redirect URI is not registered on the client")
    state = {"state": form["state"]} if form.get("state") else {}
    if form.get("decision") != "allow":
        text = "The end-user or authorization server denied the request"
        return RedirectResponse(
            f"{redirect}?{urlencode({'error': 'access_denied', 'error_description': text, **state})}", 302
        )
    user = call.account.users.get(number(call.request.cookies.get(SESSION_COOKIE) or form.get("user_id")))
    if user is None:
        raise no_credentials()
    code = secrets.token_hex(24)
    call.account.codes[code] = Code(
        user["id"],
        client["identifier"],
        redirect,
        str(form.get("scope", "")),
        form.get("code_challenge"),
        call.account.now() + CODE_LIFE,
    )
    return RedirectResponse(f"{redirect}?{urlencode({'code': code, **state})}", 302)


async def grant(call: Call) -> tuple[int, Row]:
    """Answer a token request: 201 with a pair."""
    body, account = call.body, call.account
    client = _client(account, str(body.get("client_id", "")))
    kind = body.get("grant_type")
    if body.get("client_secret") != client["secret"] and not (
        kind == "authorization_code" and body.get("code_verifier")
    ):
        raise _refuse("invalid_client", "The client failed to authenticate", 401)
    if kind == "authorization_code":
        code = account.codes.pop(str(body.get("code", "")), None)
        if code is None or code.expires_at <= account.now() or code.client_id != client["identifier"]:
            raise _refuse("invalid_grant", "The provided authorization grant is invalid, expired or revoked")
        if code.redirect_uri != body.get("redirect_uri") or not _proves(
            code.challenge, body.get("code_verifier")
        ):
            raise _refuse("invalid_grant", "The provided authorization grant does not match")
        return 201, issue(account, code.user_id, client["identifier"], code.scope.split(), body)
    if kind == "refresh_token":
        old = account.by_refresh.pop(str(body.get("refresh_token", "")), None)
        if old is None or (old.refresh_expires_at and old.refresh_expires_at <= account.now()):
            raise _refuse("invalid_grant", "The provided refresh token is invalid, expired or revoked")
        account.tokens.pop(old.access, None)  # the old pair is dead at once
        return 201, issue(account, old.user_id, old.client_id, list(old.scopes), body)
    raise _refuse("unsupported_grant_type", "The authorization grant type is not supported")


def _proves(challenge: str | None, verifier: object) -> bool:
    if challenge is None:
        return True
    digest = hashlib.sha256(str(verifier or "").encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=") == challenge


def issue(account: Account, user_id: int, client_id: str, scopes: list[str], asked: Row) -> Row:
    """Make a pair and return the answer of the token endpoint."""
    now = account.now()

    def life(name: str, default: int, least: int, most: int) -> int:
        value = asked.get(name)
        return min(most, max(least, int(value))) if value else default

    access_seconds = life("expires_in", ACCESS_SECONDS, 300, 172_800)
    refresh_seconds = life("refresh_token_expires_in", REFRESH_SECONDS, 604_800, 7_776_000)
    token = Token(
        account.next_id("token"),
        secrets.token_hex(32),
        secrets.token_hex(32),
        user_id,
        client_id,
        tuple(scopes),
        now,
        now + timedelta(seconds=access_seconds),
        now + timedelta(seconds=refresh_seconds),
    )
    account.tokens[token.access] = token
    account.by_refresh[token.refresh or ""] = token
    return {
        "access_token": token.access,
        "refresh_token": token.refresh,
        "token_type": "bearer",
        "scope": " ".join(scopes),
        "expires_in": access_seconds,
        "refresh_token_expires_in": refresh_seconds,
    }


def show_token(account: Account, token: Token) -> Row:
    """Return a token as the token API shows it: only its first ten characters."""

    def time(value: datetime | None) -> str | None:
        return stamp(value) if value else None

    return {
        "id": token.id,
        "client_id": token.client_id,
        "user_id": token.user_id,
        "token": token.access[:10],
        "scopes": list(token.scopes),
        "created_at": stamp(token.created_at),
        "expires_at": time(token.expires_at),
        "refresh_token_expires_at": time(token.refresh_expires_at),
        "used_at": stamp(account.now()),
        "url": account.url(f"oauth/tokens/{token.id}"),
    }


def revoke(account: Account, token: Token) -> None:
    """Kill a pair."""
    account.tokens.pop(token.access, None)
    account.by_refresh.pop(token.refresh or "", None)


async def current(call: Call) -> Row:
    """Show the token that signs this request."""
    if call.token is None:
        raise invalid_token()
    return {"token": show_token(call.account, call.token)}


async def revoke_current(call: Call) -> tuple[int, None]:
    """Kill the token that signs this request."""
    if call.token is None:
        raise invalid_token()
    revoke(call.account, call.token)
    return 204, None


async def list_tokens(call: Call) -> Row:
    """List tokens: one's own, or all for admins."""
    user = call.require_agent()
    everything = call.query.get("all") == "true" and user["role"] == "admin"
    mine = [t for t in call.account.tokens.values() if everything or t.user_id == user["id"]]
    return {
        "tokens": [show_token(call.account, t) for t in mine],
        "next_page": None,
        "previous_page": None,
        "count": len(mine),
    }


async def revoke_one(call: Call) -> tuple[int, None]:
    """Kill a token by id."""
    user = call.require_agent()
    token = next((t for t in call.account.tokens.values() if t.id == number(call.path["id"])), None)
    if token is None:
        raise not_found()
    if token.user_id != user["id"] and user["role"] != "admin":
        raise forbidden()
    revoke(call.account, token)
    return 204, None


ROUTES = [
    endpoint("GET", "oauth/authorizations/new", authorize_page, api=False),
    endpoint("POST", "oauth/authorizations/new", decide, api=False),
    endpoint("POST", "oauth/tokens", grant, api=False),
    endpoint("GET", "oauth/tokens/current", current),
    endpoint("DELETE", "oauth/tokens/current", revoke_current),
    endpoint("GET", "oauth/tokens", list_tokens),
    endpoint("DELETE", "oauth/tokens/{id:int}", revoke_one),
]
