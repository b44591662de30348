"""Forms of OAuth endpoints, read strictly: small, urlencoded, each parameter once (RFC 6749 §3.2)."""

from __future__ import annotations

from urllib.parse import parse_qsl

from starlette.requests import Request

from services.edge.http.bodies import TooLargeError, read_bytes
from services.edge.http.oauth_clients import OAuthError

MAXIMUM_BYTES = 16 * 1024
MAXIMUM_FIELDS = 16
_TYPE = "application/x-www-form-urlencoded"


async def read_form(request: Request) -> dict[str, str]:
    """Return the parameters of a body; those without a value count as left out (RFC 6749 §3.1).

    Raises:
        OAuthError: `invalid_request`.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _TYPE:
        raise OAuthError("invalid_request", f"the body must be {_TYPE}")
    try:
        body = await read_bytes(request, MAXIMUM_BYTES)
    except TooLargeError:
        raise OAuthError("invalid_request", "the body is too large", 413) from None
    try:
        pairs = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=bool(body),
            errors="strict",
            max_num_fields=MAXIMUM_FIELDS,
        )
    except ValueError:
        raise OAuthError("invalid_request", "the body is no form") from None
    form = dict(pairs)
    if len(form) != len(pairs):
        raise OAuthError("invalid_request", "a parameter is there twice")
    return {name: value for name, value in form.items() if value}
