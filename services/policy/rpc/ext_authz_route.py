"""What the operator of an Envoy says about a route, and what a request means on it (facts: policy §6).

Everything here comes from the route's `context_extensions`: nothing of it can be sent by a client.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from libs.decision.rows import ACTIONS
from libs.kernel.ids import AccountId

METHODS = {
    "GET": "read",
    "HEAD": "read",
    "POST": "create",
    "PUT": "update",
    "PATCH": "update",
    "DELETE": "delete",
}
"""Facts: policy, decision 17; a route may say otherwise."""
STANDARD_HEADER = "authorization"
NO_ACTION = "-"
ID = "{id}"
MAXIMUM_RECORD = 200
_KEYS = {
    "account",
    "object_type",
    "path",
    "actions",
    "token_header",
    "token_peer",
    "audience",
    "forward_token",
}
_ACCOUNT = re.compile(r"[0-9a-z-]{1,63}")
_TYPE = re.compile(r"(relationship:)?[0-9a-z_-]{2,32}")
_HEADER = re.compile(r"[0-9a-z!#$%&'*+.^_`|~-]{1,100}")
_VARIABLE = re.compile(r"\{[a-z_]+\}")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_ESCAPE = re.compile(r"%[0-9A-Fa-f]{2}")


class BadRouteError(Exception):
    """The operator's settings cannot be used; the message names the one at fault."""


class BadPathError(Exception):
    """A path that two servers could read differently."""


@dataclass(frozen=True, slots=True)
class Route:
    """One route.

    Attributes:
        account: the tenant.
        object_type: key of an object type, or `relationship:{key}`.
        templates: of whole paths, by segment; `{id}` is the record, other names are any segment.
        actions: method -> action; what is not in here is refused.
        token_header: in which the client sends his context token.
        token_peer: service account that tokens must be made for; empty = the one that mTLS proved to Envoy.
        audience: that tokens must be made for.
        forward_token: whether the token goes on to the service behind.
    """

    account: AccountId
    object_type: str
    templates: tuple[tuple[str, ...], ...]
    actions: Mapping[str, str]
    token_header: str
    token_peer: str
    audience: str
    forward_token: bool

    def record(self, path: str) -> str | None:
        """Return the record that a path names: empty for all of them, None when no template fits.

        Raises:
            BadPathError: it is ambiguous.
        """
        segments = path_segments(path)
        for template in self.templates:
            if len(template) == len(segments) and all(
                _VARIABLE.fullmatch(wanted) or wanted == segment
                for wanted, segment in zip(template, segments, strict=True)
            ):
                return segments[template.index(ID)] if ID in template else ""
        return None


def route_of(extensions: Mapping[str, str]) -> Route:
    """Return the route that `context_extensions` describe.

    Raises:
        BadRouteError: one is missing, unknown or malformed: a misspelt one must not be passed over.
    """
    return _route(frozenset(extensions.items()))


@functools.lru_cache(maxsize=1024)
def _route(items: frozenset[tuple[str, str]]) -> Route:
    given = dict(items)
    if unknown := sorted(set(given) - _KEYS):
        raise BadRouteError(f"`{unknown[0]}` is not one of {', '.join(sorted(_KEYS))}")
    account, object_type = given.get("account", ""), given.get("object_type", "")
    header = given.get("token_header", STANDARD_HEADER).lower()
    forward = given.get("forward_token", "false")
    for name, value, form in (
        ("account", account, _ACCOUNT),
        ("object_type", object_type, _TYPE),
        ("token_header", header, _HEADER),
    ):
        if not form.fullmatch(value):
            raise BadRouteError(f"`{name}` must match {form.pattern}")
    if forward not in ("true", "false"):
        raise BadRouteError("`forward_token` must be true or false")
    return Route(
        AccountId(account),
        object_type,
        _templates(given.get("path", "")),
        METHODS | _actions(given.get("actions", "")),
        header,
        given.get("token_peer", ""),
        given.get("audience", "policy"),
        forward == "true",
    )


def _templates(text: str) -> tuple[tuple[str, ...], ...]:
    """Return the templates of a text that are separated by blanks."""
    templates = []
    for one in text.split():
        segments = tuple(one.strip("/").split("/")) if one.strip("/") else ()
        whole = all(s and (_VARIABLE.fullmatch(s) or not set(s) & set("{}%*")) for s in segments)
        if not one.startswith("/") or not whole or segments.count(ID) > 1:
            raise BadRouteError(f"`path`: `{one}` is no template such as /products/{ID}")
        templates.append(segments)
    if not templates:
        raise BadRouteError("`path` must hold a template")
    return tuple(templates)


def _actions(text: str) -> dict[str, str]:
    """Return the actions of a text such as `POST=update, OPTIONS=read, DELETE=-`."""
    actions = {}
    for one in text.replace(",", " ").split():
        method, _, action = one.partition("=")
        if not method.isalpha() or not method.isupper() or action not in (*ACTIONS, NO_ACTION):
            raise BadRouteError(
                f"`actions`: `{one}` is no METHOD=action with one of {', '.join(ACTIONS)} or -"
            )
        actions[method] = action
    return actions


def path_segments(path: str) -> tuple[str, ...]:
    """Return the decoded segments of a request's path, without empty ones, `.` and `..`.

    Whoever serves the request may decode, merge and resolve in another order: where that could lead elsewhere,
    the path is refused.

    Raises:
        BadPathError: it is not absolute, leads above the root, holds an escaped slash, a backslash, a control
            character, an escape that is malformed or escapes another one, or bytes that are not UTF-8.
    """
    plain = re.split(r"[?#]", path, maxsplit=1)[0]
    if not plain.startswith("/") or _BAD_ESCAPE.search(plain) or "%2f" in plain.lower():
        raise BadPathError("the path is not absolute, or an escape in it is ambiguous")
    try:
        decoded = unquote_to_bytes(plain).decode("utf-8")
    except UnicodeDecodeError:
        raise BadPathError("the path is not UTF-8") from None
    if _ESCAPE.search(decoded) or "\\" in decoded or any(ord(c) < 32 or ord(c) == 127 for c in decoded):
        raise BadPathError("the path holds a character that servers read differently")
    segments: list[str] = []
    for segment in decoded.split("/"):
        bare = segment.partition(";")[0]  # some servers cut parameters off before they resolve dots
        if bare != segment and bare in ("", ".", ".."):
            raise BadPathError("the path hides dots behind a parameter")
        if segment == "..":
            if not segments:
                raise BadPathError("the path leads above the root")
            segments.pop()
        elif segment not in ("", "."):
            segments.append(segment)
    return tuple(segments)
