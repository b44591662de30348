"""Who may introspect and revoke tokens: registered clients with a secret (RFC 6749 §2.3.1, RFC 7662 §2.1, RFC 7009 §2.1)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote_to_bytes

from starlette.requests import Request

from libs.kernel.ids import AccountId
from services.edge.http.entries import read_entries

RIGHTS = frozenset({"introspect", "revoke"})
METHODS = ("client_secret_basic", "client_secret_post")
_NAME = re.compile(r"[0-9A-Za-z._-]{1,63}")
_ACCOUNT = re.compile(r"[0-9a-z-]{1,63}")
_HASH = re.compile(r"[0-9a-f]{64}")
_NEEDED, _MEMBERS = {"client_id", "secret_sha256", "may"}, {"client_id", "secret_sha256", "may", "account"}


@dataclass(frozen=True, slots=True)
class OAuthClient:
    """A program that asks about tokens.

    Attributes:
        client_id: its name.
        secret_hash: SHA-256 of its secret; a secret is 32 random bytes, which no salt makes stronger.
        may: of `RIGHTS`.
        account: the only one whose tokens exist for it; None = all.
    """

    client_id: str
    secret_hash: bytes
    may: frozenset[str]
    account: AccountId | None = None


class OAuthError(Exception):
    """A refusal in the form of RFC 6749 §5.2.

    Attributes:
        code: `error`.
        status: of the answer.
    """

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


def read_oauth_clients(path: Path | None) -> dict[str, OAuthClient]:
    """Return the clients of a file: a JSON array of `{client_id, secret_sha256, may, account?}`.

    Raises:
        ValueError: it cannot be read; the message names the entry, never a hash.
    """
    found = read_entries(path, _client)
    if len({client.client_id for client in found}) != len(found):
        raise ValueError(f"`{path}`: two entries have the same client_id")
    return {client.client_id: client for client in found}


def _client(entry: object, where: str) -> OAuthClient:
    if not isinstance(entry, dict) or not set(entry) >= _NEEDED or set(entry) - _MEMBERS:
        raise ValueError(f"{where}: is no object with client_id, secret_sha256, may and perhaps account")
    for member, form in (("client_id", _NAME), ("secret_sha256", _HASH), ("account", _ACCOUNT)):
        if member in entry and (not isinstance(entry[member], str) or not form.fullmatch(entry[member])):
            raise ValueError(f"{where}: {member} must match {form.pattern}")
    may = entry["may"]
    if not isinstance(may, list) or not may or not all(isinstance(m, str) and m in RIGHTS for m in may):
        raise ValueError(f"{where}: may must list some of {', '.join(sorted(RIGHTS))}")
    account = AccountId(entry["account"]) if "account" in entry else None
    return OAuthClient(entry["client_id"], bytes.fromhex(entry["secret_sha256"]), frozenset(may), account)


def authenticate(
    request: Request, form: Mapping[str, str], clients: Mapping[str, OAuthClient], right: str
) -> OAuthClient:
    """Return the client that sent a request.

    Raises:
        OAuthError: `invalid_client`, of whatever cause; `invalid_request` for two ways at once;
            `unauthorized_client` when it may do something else only.
    """
    headers = request.headers.getlist("authorization")
    if headers and "client_secret" in form:
        raise OAuthError("invalid_request", "use one way of client authentication")
    if headers:
        name, secret = _basic(headers)
    else:
        name, secret = form.get("client_id", ""), form.get("client_secret", "")
    client = clients.get(name)
    given = hashlib.sha256(secret.encode()).digest()
    kept = (
        client.secret_hash if client is not None else bytes(32)
    )  # the time tells nothing of who is registered
    if not hmac.compare_digest(kept, given) or client is None:
        raise _unknown()
    if right not in client.may:
        raise OAuthError("unauthorized_client", f"this client may not {right}", 403)
    return client


def _basic(headers: list[str]) -> tuple[str, str]:
    scheme, _, value = headers[0].partition(" ")
    if len(headers) != 1 or scheme.lower() != "basic":
        raise _unknown()
    try:
        name, colon, secret = base64.b64decode(value.strip(), validate=True).decode("ascii").partition(":")
        if not colon:
            raise _unknown()
        return _decoded(name), _decoded(secret)
    except (binascii.Error, UnicodeDecodeError):
        raise _unknown() from None


def _decoded(text: str) -> str:
    """Undo the form encoding that RFC 6749 §2.3.1 asks for inside of Basic."""
    return unquote_to_bytes(text.replace("+", " ")).decode("utf-8")


def _unknown() -> OAuthError:
    return OAuthError("invalid_client", "the client is not known", 401)
