"""What the OAuth endpoints refuse (facts: Zendesk §1.3).

Texts that the facts leave open are those of the OAuth draft that Zendesk's own first sentence is from (unconfirmed).
"""

from __future__ import annotations

from tools.zendesk_simulator.errors import Refusal


def _refuse(error: str, text: str, status: int = 400) -> Refusal:
    return Refusal(status, {"error": error, "error_description": text})


def invalid_client() -> Refusal:
    """No such client, or it did not prove itself."""
    return _refuse(
        "invalid_client",
        "The client identifier provided is invalid, the client failed to authenticate, the client did not include its "
        "credentials, provided multiple client credentials, or used unsupported credentials type.",
        401,
    )


def invalid_grant() -> Refusal:
    """A used or expired code, a dead refresh token, another redirect address, a wrong verifier."""
    return _refuse(
        "invalid_grant",
        "The provided access grant is invalid, expired, or revoked (e.g. invalid assertion, expired authorization "
        "token, bad end-user password credentials, or mismatching authorization code and redirection URI).",
    )


def invalid_request(text: str) -> Refusal:
    """A malformed request; the text is ours."""
    return _refuse("invalid_request", text)


def unsupported_grant_type() -> Refusal:
    """A grant type that is not simulated, or none."""
    return _refuse(
        "unsupported_grant_type",
        "The access grant included - its type or another attribute - is not supported by the authorization server.",
    )


def unsupported_response_type() -> Refusal:
    """The implicit grant is gone."""
    return _refuse(
        "unsupported_response_type",
        "The requested response type is not supported by the authorization server.",
    )
