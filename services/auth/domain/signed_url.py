"""What a verified signed URL must say (facts: auth §2.2)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from libs.kernel.ids import UserId
from services.auth.domain.errors import SignedUrlRefusedError

LEEWAY = timedelta(seconds=30)
MAXIMUM_AGE = timedelta(minutes=5)

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_AUDIENCE = re.compile(
    rf"https://({_LABEL})\.zendesk\.com/api/v2/apps/installations/([1-9][0-9]{{0,18}})\.json"
)
_SUBJECT = re.compile(
    rf"(?:https://({_LABEL})\.zendesk\.com/api/v2/users/([1-9][0-9]{{0,18}})\.json|([1-9][0-9]{{0,18}}))"
)
_BIGINT = 2**63
_LAST_SECOND = 2**37
"""In the year 6325: `datetime` can still add a leeway to it."""


@dataclass(frozen=True, slots=True)
class SignedUrl:
    """What the iframe was opened for.

    Attributes:
        subdomain: of the account.
        installation_id: from the audience, never from the query.
        user: who opened it.
        usable_until: until when a second use must be remembered.
    """

    subdomain: str
    installation_id: int
    user: UserId
    usable_until: datetime


def read_signed_url(claims: Mapping[str, object], origin: str, now: datetime) -> SignedUrl:
    """Check the claims of a signed URL whose signature holds.

    Args:
        claims: the payload.
        origin: the query's `origin`.
        now: the instant of use.

    Raises:
        SignedUrlRefusedError: host, issuer, origin, age or form is wrong.
    """
    audience = _AUDIENCE.fullmatch(_text(claims, "aud"))
    if audience is None:
        raise refused()
    subdomain, installation_id = audience[1], int(audience[2])
    user = _user(_text(claims, "sub"), subdomain)
    host = f"{subdomain}.zendesk.com"
    if _text(claims, "iss") not in (host, f"https://{host}") or origin != f"https://{host}":
        raise refused()
    issued, expires = _instant(claims, "iat"), _instant(claims, "exp")
    begins = _instant(claims, "nbf") if "nbf" in claims else issued
    ends = min(expires, issued + MAXIMUM_AGE) + LEEWAY
    if installation_id >= _BIGINT or expires <= issued or not (max(issued, begins) - LEEWAY <= now < ends):
        raise refused()
    return SignedUrl(subdomain, installation_id, user, ends)


def _user(subject: str, subdomain: str) -> UserId:
    """Return the user of `sub`: a bare number, or his address in the account itself."""
    found = _SUBJECT.fullmatch(subject)
    if found is None or found[1] not in (None, subdomain):
        raise refused()
    user = int(found[2] or found[3])
    if user >= _BIGINT:
        raise refused()
    return UserId(user)


def refused() -> SignedUrlRefusedError:
    """Return the one answer to every bad signed URL, whatever is wrong with it."""
    return SignedUrlRefusedError(
        "the signed URL is not valid, too old or was used before; load the app again"
    )


def _text(claims: Mapping[str, object], name: str) -> str:
    value = claims.get(name)
    if not isinstance(value, str):
        raise refused()
    return value


def _instant(claims: Mapping[str, object], name: str) -> datetime:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < _LAST_SECOND:
        raise refused()
    return datetime.fromtimestamp(value, tz=UTC)
