"""OAuth clients of an account (facts: Zendesk §1.4). Admins only; a secret is shown in full once."""

from __future__ import annotations

import secrets

from tools.zendesk_simulator.bodies import wrapped
from tools.zendesk_simulator.clock import stamp
from tools.zendesk_simulator.endpoint import Call, endpoint
from tools.zendesk_simulator.errors import invalid, not_found
from tools.zendesk_simulator.paging import page
from tools.zendesk_simulator.resources.oauth_tokens import SHOWN_CHARACTERS, revoke
from tools.zendesk_simulator.state import Account, Row

KINDS = ("public", "confidential", "unknown")
_WRITABLE = ("name", "company", "description", "redirect_uri", "kind")


def add_client(account: Account, values: Row, user_id: int | None = None) -> Row:
    """Register a client.

    Raises:
        Refusal: 422, a member is missing or taken.
    """
    identifier, kind = str(values.get("identifier") or ""), values.get("kind", "confidential")
    if not identifier or not values.get("name"):
        missing = "identifier" if not identifier else "name"
        raise invalid("BlankValue", **{missing: f"{missing.title()}: cannot be blank"})
    if identifier in account.clients:
        raise invalid("DuplicateValue", identifier="Unique identifier: has already been taken")
    if kind not in KINDS:
        raise invalid(kind="Kind: is invalid")
    client_id, now = account.next_id("client"), stamp(account.now())
    secret = None if kind == "public" else values.get("secret") or secrets.token_hex(32)
    row: Row = {
        "id": client_id,
        "url": account.url(f"oauth/clients/{client_id}"),
        "identifier": identifier,
        "name": values["name"],
        "company": values.get("company"),
        "description": values.get("description"),
        "redirect_uri": _addresses(values.get("redirect_uri")),
        "kind": kind,
        "secret": secret,
        "user_id": user_id,
        "created_at": now,
        "updated_at": now,
    }
    account.clients[identifier] = row
    return row


def _addresses(given: object) -> list[str]:
    """Return redirect addresses, which come as an array or one to a line."""
    return [str(a) for a in given] if isinstance(given, list) else str(given or "").split()


def _shown(row: Row) -> Row:
    return {**row, "secret": row["secret"][:SHOWN_CHARACTERS] if row["secret"] else None}


def _client(call: Call) -> Row:
    call.require_admin()
    row = next((c for c in call.account.clients.values() if c["id"] == call.path["id"]), None)
    if row is None:
        raise not_found()
    return row


async def list_clients(call: Call) -> Row:
    call.require_admin()
    rows = sorted(call.account.clients.values(), key=lambda c: int(c["id"]))
    return page(call.request, call.account, "clients", rows, "oauth/clients", _shown)


async def create_client(call: Call) -> tuple[int, Row]:
    call.require_admin()
    user_id = call.user["id"] if call.user else None
    return 201, {"client": dict(add_client(call.account, wrapped(call, "client"), user_id))}


async def show_client(call: Call) -> Row:
    return {"client": _shown(_client(call))}


async def update_client(call: Call) -> Row:
    row, values = _client(call), wrapped(call, "client")
    row.update({k: values[k] for k in _WRITABLE if k in values})
    row["redirect_uri"] = _addresses(row["redirect_uri"])
    row["updated_at"] = stamp(call.account.now())
    return {"client": _shown(row)}


async def delete_client(call: Call) -> tuple[int, None]:
    """Its tokens die with it."""
    row = _client(call)
    for token in list(call.account.tokens.values()):
        if token.client_id == row["identifier"]:
            revoke(call.account, token)
    del call.account.clients[row["identifier"]]
    return 204, None


async def generate_secret(call: Call) -> Row:
    row = _client(call)
    row["secret"], row["updated_at"] = secrets.token_hex(32), stamp(call.account.now())
    return {"client": dict(row)}


ROUTES = [
    endpoint("GET", "oauth/clients", list_clients),
    endpoint("POST", "oauth/clients", create_client),
    endpoint("GET", "oauth/clients/{id:int}", show_client),
    endpoint("PUT", "oauth/clients/{id:int}", update_client),
    endpoint("DELETE", "oauth/clients/{id:int}", delete_client),
    endpoint("PUT", "oauth/clients/{id:int}/generate_secret", generate_secret),
]
