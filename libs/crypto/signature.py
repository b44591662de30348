"""Layer (a) of verification: the text, the header, the key and the signature (rules 1 to 9, 11 to 17)."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt.algorithms import get_default_algorithms

from libs.crypto.errors import InvalidTokenError
from libs.crypto.keys import ALGORITHMS, KeySet, VerificationKey
from libs.crypto.strength import check_strength
from libs.crypto.token_text import TokenText, take_apart

_OWN_MEMBERS = frozenset({"alg", "kid", "typ"})
_FOREIGN_REFUSED = frozenset({"crit", "b64", "zip", "enc"})
_MAX_KID = 256
_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551

_pyjwt = get_default_algorithms()
_VERIFIERS = {
    "ES256": _pyjwt["ES256"],
    "EdDSA": _pyjwt["EdDSA"],
    "Ed25519": _pyjwt["EdDSA"],
    "RS256": _pyjwt["RS256"],
}


@dataclass(frozen=True, slots=True)
class SignedText:
    """A token whose signature holds; its claims are not yet checked."""

    header: dict[str, object]
    payload: bytes
    kid: str | None


def verify_signature(
    text: str, keys: KeySet, algorithms: AbstractSet[str], *, max_bytes: int = 4096, own: bool = True
) -> SignedText:
    """Check text, header, key and signature of a token.

    Args:
        text: the token as received.
        keys: the set of the one issuer.
        algorithms: the caller's list of what it accepts; there is no default.
        max_bytes: longer texts are refused unread.
        own: the header must hold `alg`, `kid`, `typ` and nothing else; False for foreign issuers, whose
            unknown members are ignored.

    Raises:
        InvalidTokenError: whose cause says which rule refused.
    """
    parts = take_apart(text, max_bytes)
    algorithm = _algorithm(parts, algorithms, own=own)
    kid = _kid(parts, own=own)
    key = keys.find(kid)
    if key is None:
        raise InvalidTokenError("unknown_kid", kid=kid)
    _check_key(key, algorithm)
    _check_form(parts.signature, algorithm, key)
    if not _VERIFIERS[algorithm].verify(parts.signing_input, key.key, parts.signature):
        raise InvalidTokenError("signature", kid=kid)
    return SignedText(parts.header, parts.payload, key.kid)


def _algorithm(parts: TokenText, algorithms: AbstractSet[str], *, own: bool) -> str:
    members = parts.header.keys()
    if (own and members != _OWN_MEMBERS) or members & _FOREIGN_REFUSED:
        raise InvalidTokenError("header")
    algorithm = parts.header.get("alg")
    if not isinstance(algorithm, str) or algorithm not in algorithms or algorithm not in ALGORITHMS:
        raise InvalidTokenError("algorithm")
    return algorithm


def _kid(parts: TokenText, *, own: bool) -> str | None:
    kid = parts.header.get("kid")
    if kid is None and not own and "kid" not in parts.header:
        return None
    if not isinstance(kid, str) or not 1 <= len(kid) <= _MAX_KID:
        raise InvalidTokenError("kid")
    return kid


def _check_key(key: VerificationKey, algorithm: str) -> None:
    """Bind key and algorithm again at the moment of use."""
    if key.algorithm != algorithm:
        raise InvalidTokenError("key_algorithm", kid=key.kid)
    check_strength(algorithm, key.key)


def _check_form(signature: bytes, algorithm: str, key: VerificationKey) -> None:
    length = 64
    if algorithm == "RS256" and isinstance(key.key, RSAPublicKey):
        length = (key.key.key_size + 7) // 8
    if len(signature) != length:
        raise InvalidTokenError("signature_form", kid=key.kid)
    if algorithm == "ES256":
        r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
        if not (0 < r < _P256_ORDER and 0 < s < _P256_ORDER):
            raise InvalidTokenError("signature_form", kid=key.kid)
