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
_AUDIENCE = re.compile(rf"https://({_LABEL})\.zendesk\.com/api/v2/apps/installations/([0-9]{{1,19}})\.json")
_SUBJECT = re.compile(r"(?:https://[a-z0-9.-]+/api/v2/users/)?([0-9]{1,19})(?:\.json)?")


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
    subject = _SUBJECT.fullmatch(_text(claims, "sub"))
    if audience is None or subject is None:
        raise _refused()
    host = f"{audience[1]}.zendesk.com"
    if _text(claims, "iss") not in (host, f"https://{host}") or origin != f"https://{host}":
        raise _refused()
    issued, expires = _instant(claims, "iat"), _instant(claims, "exp")
    begins = _instant(claims, "nbf") if "nbf" in claims else issued
    if not (
        issued - LEEWAY <= now < expires + LEEWAY and begins - LEEWAY <= now <= issued + MAXIMUM_AGE + LEEWAY
    ):
        raise _refused()
    return SignedUrl(audience[1], int(audience[2]), UserId(int(subject[1])), expires + LEEWAY)


def _refused() -> SignedUrlRefusedError:
    return SignedUrlRefusedError(
        "the signed URL is not valid, too old or was used before; load the app again"
    )


def _text(claims: Mapping[str, object], name: str) -> str:
    value = claims.get(name)
    if not isinstance(value, str):
        raise _refused()
    return value


def _instant(claims: Mapping[str, object], name: str) -> datetime:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < 2**40:
        raise _refused()
    return datetime.fromtimestamp(value, tz=UTC)
