"""OAuth grants: the consent page, codes with PKCE, rotating refresh, client credentials (facts: Zendesk §1)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import html
import secrets
from datetime import timedelta
from urllib.parse import urlencode, urlsplit

from starlette.responses import HTMLResponse, RedirectResponse, Response

from tools.zendesk_simulator.endpoint import Call, endpoint
from tools.zendesk_simulator.errors import no_credentials, number
from tools.zendesk_simulator.resources.oauth_errors import (
    invalid_client,
    invalid_grant,
    invalid_request,
    unsupported_grant_type,
    unsupported_response_type,
)
from tools.zendesk_simulator.state import Account, Code, Row, Token

CODE_LIFE = timedelta(seconds=120)
ACCESS_SECONDS, ACCESS_RANGE = 1800, (300, 172_800)
REFRESH_SECONDS, REFRESH_RANGE = 2_592_000, (604_800, 7_776_000)
SESSION_COOKIE = "_zendesk_session"
DENIED = "The end-user or authorization server denied the request"


def _client(account: Account, identifier: object) -> Row:
    """Return a client by its unique identifier; its number is not one (facts §1.1)."""
    client = account.clients.get(str(identifier))
    if client is None:
        raise invalid_client()
    return client


def _require_request(client: Row, asked: Row) -> str:
    """Check an authorisation request and return its redirect address.

    Nothing is redirected to an address that is not registered: the refusal is a page.
    """
    redirect = str(asked.get("redirect_uri") or "")
    parts = urlsplit(redirect)
    local = parts.hostname in ("localhost", "127.0.0.1")
    if redirect not in client["redirect_uri"] or not (
        parts.scheme == "https" or (parts.scheme == "http" and local)
    ):
        raise invalid_request("The redirect URI is not registered on the client")
    if asked.get("response_type", "code") != "code":
        raise unsupported_response_type()
    if asked.get("code_challenge_method", "S256") != "S256":
        raise invalid_request("The code challenge method must be S256")
    if client.get("kind") == "public" and not asked.get("code_challenge"):
        raise invalid_request("A public client needs a code challenge")
    return redirect


async def authorize_page(call: Call) -> Response:
    """Show what the app asks for; Allow and Deny post back."""
    query = dict(call.query)
    client = _client(call.account, query.get("client_id"))
    _require_request(client, {"response_type": "", **query})
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
    client = _client(call.account, form.get("client_id"))
    redirect = _require_request(client, form)
    state = {"state": str(form["state"])} if form.get("state") else {}
    if form.get("decision") != "allow":
        return _redirect(redirect, {"error": "access_denied", "error_description": DENIED, **state})
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
    return _redirect(redirect, {"code": code, **state})


def _redirect(address: str, query: dict[str, str]) -> Response:
    joint = "&" if urlsplit(address).query else "?"
    return RedirectResponse(f"{address}{joint}{urlencode(query)}", 302)


async def grant(call: Call) -> tuple[int, Row]:
    """Answer a token request: 201 with a pair."""
    body, account = call.body, call.account
    client = _client(account, body.get("client_id"))
    kind = body.get("grant_type")
    proved = _secret_fits(client, body.get("client_secret"))
    if kind == "authorization_code":
        if not proved and (body.get("client_secret") is not None or not body.get("code_verifier")):
            raise invalid_client()
        return 201, _by_code(account, client, body)
    if not proved and client.get("kind") != "public":
        raise invalid_client()
    if kind == "refresh_token":
        return 201, _by_refresh(account, client, body)
    if kind == "client_credentials":
        if client.get("kind") == "public" or client.get("user_id") not in account.users:
            raise invalid_client()
        scopes = str(body.get("scope", "read")).split()
        return 201, issue(account, client["user_id"], client["identifier"], scopes, body, refreshable=False)
    raise unsupported_grant_type()


def _secret_fits(client: Row, given: object) -> bool:
    known = client.get("secret")
    return isinstance(known, str) and isinstance(given, str) and hmac.compare_digest(known, given)


def _by_code(account: Account, client: Row, body: Row) -> Row:
    code = account.codes.pop(str(body.get("code", "")), None)  # single use, whatever comes of it
    if code is None or code.expires_at <= account.now() or code.client_id != client["identifier"]:
        raise invalid_grant()
    if code.redirect_uri != body.get("redirect_uri") or not _proves(
        code.challenge, body.get("code_verifier")
    ):
        raise invalid_grant()
    return issue(account, code.user_id, client["identifier"], code.scope.split(), body)


def _by_refresh(account: Account, client: Row, body: Row) -> Row:
    old = account.by_refresh.get(str(body.get("refresh_token", "")))
    now = account.now()
    if old is None or old.client_id != client["identifier"]:
        raise invalid_grant()
    if old.refresh_expires_at is not None and old.refresh_expires_at <= now:
        raise invalid_grant()
    new = issue(account, old.user_id, old.client_id, list(old.scopes), body)
    account.by_refresh.pop(old.refresh or "", None)  # both tokens of the old pair are dead at once
    account.tokens.pop(old.access, None)
    return new


def _proves(challenge: str | None, verifier: object) -> bool:
    if challenge is None:
        return True
    digest = hashlib.sha256(str(verifier or "").encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=") == challenge


def _life(asked: Row, name: str, default: int, allowed: tuple[int, int]) -> int:
    value = asked.get(name)
    if value is None:
        return default
    try:
        seconds = int(value)
    except (TypeError, ValueError):
        seconds = -1
    if not allowed[0] <= seconds <= allowed[1]:
        raise invalid_request(f"{name} must be between {allowed[0]} and {allowed[1]}")
    return seconds


def issue(
    account: Account, user_id: int, client_id: str, scopes: list[str], asked: Row, *, refreshable: bool = True
) -> Row:
    """Make a pair and return the answer of the token endpoint.

    In the legacy regime a token whose life nobody asks for never expires and has no partner (facts §1.2).

    Args:
        scopes: taken as they are: an unknown one is not refused, later calls are (facts §1.3).
        asked: `expires_in` and `refresh_token_expires_in` in seconds.
        refreshable: whether it comes with a refresh token.

    Raises:
        Refusal: a life out of range.
    """
    now, eternal = account.now(), account.regime == "legacy" and asked.get("expires_in") is None
    access_seconds = _life(asked, "expires_in", ACCESS_SECONDS, ACCESS_RANGE)
    refresh_seconds = _life(asked, "refresh_token_expires_in", REFRESH_SECONDS, REFRESH_RANGE)
    paired = refreshable and not eternal
    token = Token(
        account.next_id("token"),
        secrets.token_hex(32),
        secrets.token_hex(32) if paired else None,
        user_id,
        client_id,
        tuple(scopes),
        now,
        None if eternal else now + timedelta(seconds=access_seconds),
        now + timedelta(seconds=refresh_seconds) if paired else None,
    )
    account.tokens[token.access] = token
    answer: Row = {"access_token": token.access, "token_type": "bearer", "scope": " ".join(scopes)}
    if not eternal:
        answer["expires_in"] = access_seconds
    if token.refresh is not None:
        account.by_refresh[token.refresh] = token
        answer |= {"refresh_token": token.refresh, "refresh_token_expires_in": refresh_seconds}
    return answer


ROUTES = [
    endpoint("GET", "oauth/authorizations/new", authorize_page, api=False),
    endpoint("POST", "oauth/authorizations/new", decide, api=False),
    endpoint("POST", "oauth/tokens", grant, api=False),
]
