"""Verifying tokens: one strict profile per kind (facts: RFC 7515, 7519, 8725bis).

    keys = KeySet.from_jwks(document)
    claims = verify(text, keys, context_profile(issuer, "policy"), clock.now())

A library call is not a verifier: PyJWT does the signature, everything else is here and in
`libs.crypto.signature`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, NamedTuple

from libs.crypto.errors import InvalidKeySetError, InvalidTokenError
from libs.crypto.keys import KeySet, VerificationKey, key_from_pem
from libs.crypto.signature import verify_signature
from libs.crypto.signer import Signer
from libs.crypto.token_text import parse_object
from libs.kernel.ids import AccountId

__all__ = [
    "CONTEXT_TYP",
    "INSTALLATION_TYP",
    "Claims",
    "InvalidKeySetError",
    "InvalidTokenError",
    "KeySet",
    "Profile",
    "Signer",
    "VerificationKey",
    "context_profile",
    "installation_profile",
    "key_from_pem",
    "verify",
    "verify_signature",
]

INSTALLATION_TYP: Final = "zai+jwt"
CONTEXT_TYP: Final = "zctx+jwt"
OUR_ALGORITHMS: Final = frozenset({"ES256", "EdDSA", "Ed25519"})
_MAX_TIME = 2**53

MinimumGeneration = Callable[[str, str], int]
"""(account, installation) -> the lowest generation that is not revoked."""


@dataclass(frozen=True, slots=True)
class Profile:
    """What tokens of one kind must be.

    Attributes:
        issuers: exact values of `iss` that are accepted.
        audience: exact value of `aud`, or a pattern for the whole of it.
        typ: explicit type in the header; None for foreign issuers without one.
        algorithms: what is accepted; there is no default.
        max_life_seconds: bound of `exp - iat`.
        max_age_seconds: bound of `now - iat`, whatever `exp` says; None leaves it to `exp`.
        texts: further claims that must be non-empty texts.
        generation: `gen` must be an integer >= 0.
        subjects: pattern for the whole of `sub`.
        leeway_seconds: between two clocks.
        max_bytes: longer tokens are refused unread.
        own: ours: the header holds `alg`, `kid`, `typ` only, and `jti` is there.
    """

    issuers: frozenset[str]
    audience: str | re.Pattern[str]
    typ: str | None
    algorithms: frozenset[str]
    max_life_seconds: float
    max_age_seconds: float | None = None
    texts: tuple[str, ...] = ()
    generation: bool = False
    subjects: re.Pattern[str] | None = None
    leeway_seconds: float = 30.0
    max_bytes: int = 4096
    own: bool = True


class Claims(NamedTuple):
    """What a verified token says.

    Attributes:
        issuer: `iss`.
        audience: `aud`, always one.
        subject: `sub`.
        token_id: `jti`; empty for foreign tokens without one.
        kid: the key that signed it.
        values: every claim, as parsed.
    """

    issuer: str
    audience: str
    subject: str
    token_id: str
    kid: str | None
    values: dict[str, object]

    def __repr__(self) -> str:
        return f"Claims({self.token_id}, {self.subject}, {self.audience}, {self.kid})"

    @property
    def issued_at(self) -> datetime:
        """When it was issued, `iat`."""
        return datetime.fromtimestamp(_time(self.values, "iat"), UTC)

    @property
    def expires_at(self) -> datetime:
        """When it dies, `exp`, without leeway."""
        return datetime.fromtimestamp(_time(self.values, "exp"), UTC)

    @property
    def account(self) -> AccountId:
        """The tenant, `tid`."""
        return AccountId(self._text("tid"))

    @property
    def installation(self) -> str:
        """The installation, `ins`."""
        return self._text("ins")

    @property
    def peer(self) -> str:
        """The service account that a context token was made for, `peer`."""
        return self._text("peer")

    @property
    def generation(self) -> int:
        """The installation's generation, `gen`."""
        value = self.values["gen"]
        if not isinstance(value, int):
            raise KeyError("gen")
        return value

    @property
    def role(self) -> str | None:
        """Role of a user: admin, agent or end_user."""
        return self._text("role") if "role" in self.values else None

    @property
    def custom_role_id(self) -> int | None:
        """Custom role of an agent."""
        value = self.values.get("custom_role_id")
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    def _text(self, name: str) -> str:
        value = self.values[name]
        if not isinstance(value, str):
            raise KeyError(name)
        return value


def context_profile(issuer: str, audience: str) -> Profile:
    """Return the profile of context tokens for the service `audience`: at most 60 s, one callee, one peer."""
    return Profile(
        issuers=frozenset({issuer}),
        audience=audience,
        typ=CONTEXT_TYP,
        algorithms=OUR_ALGORITHMS,
        max_life_seconds=60,
        texts=("tid", "ins", "peer"),
        generation=True,
        subjects=re.compile(r"user:[1-9][0-9]{0,18}|service:[a-z][a-z0-9-]{0,62}"),
    )


def installation_profile(issuer: str, audience: str, *, max_life_seconds: float = 90 * 86_400) -> Profile:
    """Return the profile of installation tokens: they name the account, never a person."""
    return Profile(
        issuers=frozenset({issuer}),
        audience=audience,
        typ=INSTALLATION_TYP,
        algorithms=OUR_ALGORITHMS,
        max_life_seconds=max_life_seconds,
        texts=("tid", "ins"),
        generation=True,
        subjects=re.compile(r"zendesk:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"),
    )


def verify(
    text: str,
    keys: KeySet,
    profile: Profile,
    now: datetime,
    minimum_generation: MinimumGeneration | None = None,
) -> Claims:
    """Return what `text` says, or refuse it.

    Args:
        text: the token as received, without `Bearer`.
        keys: of the profile's issuer and of this kind of token alone.
        profile: what is accepted.
        now: aware.
        minimum_generation: tells what is revoked; needs `profile.generation`.

    Raises:
        InvalidTokenError: for whatever cause, also an unexpected one: the check fails closed.
    """
    try:
        signed = verify_signature(
            text, keys, profile.algorithms, max_bytes=profile.max_bytes, own=profile.own
        )
        _check_typ(signed.header, profile)
        claims = _claims(parse_object(signed.payload), signed.kid, profile, now)
        if minimum_generation is not None and claims.generation < minimum_generation(
            claims.account, claims.installation
        ):
            raise InvalidTokenError("revoked", kid=signed.kid)
    except InvalidTokenError:
        raise
    except Exception as error:
        raise InvalidTokenError("unexpected") from error
    return claims


def _check_typ(header: dict[str, object], profile: Profile) -> None:
    if profile.typ is None:
        return
    typ = header.get("typ")
    if not isinstance(typ, str) or typ.lower().removeprefix("application/") != profile.typ:
        raise InvalidTokenError("typ")


def _claims(values: dict[str, object], kid: str | None, profile: Profile, now: datetime) -> Claims:
    issuer = _text(values, "iss")
    if issuer not in profile.issuers:
        raise InvalidTokenError("issuer", kid=kid)
    subject = _text(values, "sub")
    if profile.subjects is not None and not profile.subjects.fullmatch(subject):
        raise InvalidTokenError("subject", kid=kid)
    for name in profile.texts:
        _text(values, name)
    if profile.generation:
        generation = values.get("gen")
        if type(generation) is not int or generation < 0:
            raise InvalidTokenError("generation", kid=kid)
    audience = _audience(values, profile)
    _check_times(values, profile, now.timestamp())
    token_id = _text(values, "jti") if profile.own or "jti" in values else ""
    return Claims(issuer, audience, subject, token_id, kid, values)


def _text(values: dict[str, object], name: str) -> str:
    value = values.get(name)
    if not isinstance(value, str) or not value:
        raise InvalidTokenError(f"claim_{name}")
    return value


def _audience(values: dict[str, object], profile: Profile) -> str:
    given = values.get("aud")
    if isinstance(given, list) and len(given) == 1:
        given = given[0]
    if not isinstance(given, str):
        raise InvalidTokenError("audience")
    wanted = profile.audience
    fits = given == wanted if isinstance(wanted, str) else wanted.fullmatch(given) is not None
    if not fits:
        raise InvalidTokenError("audience")
    return given


def _check_times(values: dict[str, object], profile: Profile, now: float) -> None:
    issued, expires = _time(values, "iat"), _time(values, "exp")
    leeway = profile.leeway_seconds
    if now >= expires + leeway:
        raise InvalidTokenError("expired")
    not_before = _time(values, "nbf") if "nbf" in values else issued
    if issued > now + leeway or not_before > now + leeway:
        raise InvalidTokenError("not_yet")
    if expires <= issued or expires - issued > profile.max_life_seconds:
        raise InvalidTokenError("life")
    if profile.max_age_seconds is not None and now > issued + profile.max_age_seconds + leeway:
        raise InvalidTokenError("age")


def _time(values: dict[str, object], name: str) -> float:
    value = values.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < _MAX_TIME:
        raise InvalidTokenError(f"claim_{name}")
    return value
