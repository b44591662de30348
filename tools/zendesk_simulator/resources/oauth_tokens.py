"""The token API: show, list, make, revoke (facts: Zendesk §1.4)."""

from __future__ import annotations

import secrets
from datetime import datetime

from tools.zendesk_simulator.bodies import wrapped
from tools.zendesk_simulator.clock import stamp
from tools.zendesk_simulator.endpoint import Call, endpoint
from tools.zendesk_simulator.errors import forbidden, invalid, invalid_token, not_found
from tools.zendesk_simulator.paging import page
from tools.zendesk_simulator.state import Account, Row, Token

SHOWN_CHARACTERS = 10


def show(account: Account, token: Token) -> Row:
    """Return a token as the token API shows it: only its first ten characters."""

    def time(value: datetime | None) -> str | None:
        return stamp(value) if value else None

    client = account.clients.get(token.client_id)
    return {
        "id": token.id,
        "client_id": client["id"] if client else None,
        "user_id": token.user_id,
        "token": token.access[:SHOWN_CHARACTERS],
        "refresh_token": token.refresh[:SHOWN_CHARACTERS] if token.refresh else None,
        "scopes": list(token.scopes),
        "created_at": stamp(token.created_at),
        "expires_at": time(token.expires_at),
        "refresh_token_expires_at": time(token.refresh_expires_at),
        "used_at": time(token.used_at),
        "url": account.url(f"oauth/tokens/{token.id}"),
    }


def revoke(account: Account, token: Token, *, refresh_too: bool = True) -> None:
    """Kill a pair, or its access token alone (faults)."""
    account.tokens.pop(token.access, None)
    if refresh_too:
        account.by_refresh.pop(token.refresh or "", None)


def _own(call: Call) -> Token:
    if call.token is None:
        raise invalid_token()
    return call.token


async def current(call: Call) -> Row:
    """Show the token that signs this request."""
    return {"token": show(call.account, _own(call))}


async def revoke_current(call: Call) -> tuple[int, None]:
    """Kill the token that signs this request."""
    revoke(call.account, _own(call))
    return 204, None


async def list_tokens(call: Call) -> Row:
    """List tokens: one's own, or all for admins; also by client."""
    user, account, query = call.require_agent(), call.account, call.query
    everything = query.get("all") == "true" and user["role"] == "admin"
    tokens = [t for t in account.tokens.values() if everything or t.user_id == user["id"]]
    for name in ("client_id", "global_client_id"):
        if wanted := query.get(name):
            named = {c["identifier"] for c in account.clients.values() if str(c["id"]) == wanted}
            tokens = [t for t in tokens if t.client_id in named]
    rows = [show(account, t) for t in sorted(tokens, key=lambda t: t.id)]
    return page(call.request, account, "tokens", rows, "oauth/tokens")


async def create_token(call: Call) -> tuple[int, Row]:
    """An admin makes a token of his own that never expires; it is shown in full this once."""
    call.require_admin()
    account, values = call.account, wrapped(call, "token")
    wanted = str(values.get("client_id"))
    client = next((c for c in account.clients.values() if str(c["id"]) == wanted), None)
    if client is None or call.user is None:
        raise invalid(client_id="Client: is invalid")
    scopes = tuple(str(s) for s in values.get("scopes") or ("read",))
    now, number = account.now(), account.next_id("token")
    token = Token(
        number, secrets.token_hex(32), None, call.user["id"], client["identifier"], scopes, now, None, None
    )
    account.tokens[token.access] = token
    return 201, {"token": {**show(account, token), "token": token.access}}


def _token(call: Call) -> Token:
    """Return a token by id: one's own, any for admins."""
    user = call.require_agent()
    token = next((t for t in call.account.tokens.values() if t.id == call.path["id"]), None)
    if token is None:
        raise not_found()
    if token.user_id != user["id"] and user["role"] != "admin":
        raise forbidden()
    return token


async def show_token(call: Call) -> Row:
    return {"token": show(call.account, _token(call))}


async def revoke_one(call: Call) -> tuple[int, None]:
    """Kill a token by id."""
    revoke(call.account, _token(call))
    return 204, None


ROUTES = [
    endpoint("GET", "oauth/tokens/current", current),
    endpoint("DELETE", "oauth/tokens/current", revoke_current),
    endpoint("GET", "oauth/tokens", list_tokens),
    endpoint("POST", "oauth/tokens", create_token),
    endpoint("GET", "oauth/tokens/{id:int}", show_token),
    endpoint("DELETE", "oauth/tokens/{id:int}", revoke_one),
]
