"""Layer (a) of verification: the text, the header, the key and the signature (rules 1 to 9, 11 to 17)."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from typing import NamedTuple, cast

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from jwt.algorithms import get_default_algorithms

from libs.crypto.errors import InvalidTokenError
from libs.crypto.keys import ALGORITHMS, KeySet, VerificationKey
from libs.crypto.strength import check_strength
from libs.crypto.token_text import TokenText, take_apart

_OWN_MEMBERS = frozenset({"alg", "kid", "typ"})
_FOREIGN_REFUSED = frozenset({"crit", "b64", "zip", "enc"})
_MAX_KID = 256
_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551

_headers: dict[bytes, dict[str, object]] = {}
"""Headers of tokens whose signature held, by their text: all tokens of a key have the same one."""
_MAX_HEADERS = 64

_pyjwt = get_default_algorithms()
_VERIFIERS = {"EdDSA": _pyjwt["EdDSA"], "Ed25519": _pyjwt["EdDSA"], "RS256": _pyjwt["RS256"]}
_ES256 = ECDSA(SHA256())


class SignedText(NamedTuple):
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
    parts = take_apart(text, max_bytes, _headers)
    algorithm = _algorithm(parts, algorithms, own=own)
    kid = _kid(parts, own=own)
    key = keys.find(kid)
    if key is None:
        raise InvalidTokenError("unknown_kid", kid=kid)
    if key.algorithm != algorithm:  # bound again at the moment of use
        raise InvalidTokenError("key_algorithm", kid=key.kid)
    if not _holds(parts, algorithm, key):
        raise InvalidTokenError("signature", kid=kid)
    if parts.header_text not in _headers:
        if len(_headers) >= _MAX_HEADERS:
            _headers.clear()
        _headers[parts.header_text] = parts.header
    return SignedText(parts.header, parts.payload, key.kid)


def _algorithm(parts: TokenText, algorithms: AbstractSet[str], *, own: bool) -> str:
    members = parts.header.keys()
    if members != _OWN_MEMBERS if own else members & _FOREIGN_REFUSED:
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


def _holds(parts: TokenText, algorithm: str, key: VerificationKey) -> bool:
    """Check the signature's form, then the signature."""
    signature, public = parts.signature, key.key
    length = 64
    if algorithm == "RS256" and isinstance(public, RSAPublicKey):
        length = (public.key_size + 7) // 8
    if len(signature) != length:
        raise InvalidTokenError("signature_form", kid=key.kid)
    if algorithm != "ES256":
        check_strength(algorithm, public)
        return _VERIFIERS[algorithm].verify(parts.signing_input, public, signature)
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    if not (0 < r < _P256_ORDER and 0 < s < _P256_ORDER):
        raise InvalidTokenError("signature_form", kid=key.kid)
    try:  # what PyJWT does, without taking r and s apart a second time; a test compares the two
        # The key was bound to its algorithm when it was made: one for ES256 is on P-256.
        cast(EllipticCurvePublicKey, public).verify(encode_dss_signature(r, s), parts.signing_input, _ES256)
    except InvalidSignature:
        return False
    return True
