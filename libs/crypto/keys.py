"""Public keys and sets of them (facts: RFC 7517, 7518, 8037; RFC 8725bis).

A key is bound to one algorithm. A set is taken whole or not at all; it belongs to one issuer and one kind of
token.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm
from jwt.exceptions import InvalidKeyError

from libs.crypto.errors import InvalidKeySetError
from libs.crypto.strength import check_strength

PublicKey = EllipticCurvePublicKey | Ed25519PublicKey | RSAPublicKey

ALGORITHMS = {
    "ES256": ("EC", "P-256"),
    "EdDSA": ("OKP", "Ed25519"),
    "Ed25519": ("OKP", "Ed25519"),
    "RS256": ("RSA", None),
}
"""Algorithm -> the `kty` and `crv` that fit it. No symmetric one: a public key is never a secret."""

MAX_KEYS = 32
MAX_DOCUMENT_BYTES = 64 * 1024

_KID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})


@dataclass(frozen=True, slots=True)
class VerificationKey:
    """One public key and the one algorithm it is for.

    Attributes:
        kid: its id; None for the single key of a foreign issuer that names none.
        algorithm: `ES256`, `EdDSA`, `Ed25519` or `RS256`.
        key: the key itself.
    """

    kid: str | None
    algorithm: str
    key: PublicKey

    def __post_init__(self) -> None:
        if self.kid is not None and not _KID.fullmatch(self.kid):
            raise InvalidKeySetError(
                "a key's `kid` is not 1 to 64 characters of letters, digits, `.`, `_`, `-`"
            )
        check_strength(self.algorithm, self.key)

    def jwk(self) -> dict[str, str]:
        """Return the key as a JWK: public members, `kid`, `alg` and `use`."""
        if isinstance(self.key, EllipticCurvePublicKey):
            members = ECAlgorithm.to_jwk(self.key, as_dict=True)
        elif isinstance(self.key, Ed25519PublicKey):
            members = OKPAlgorithm.to_jwk(self.key, as_dict=True)
        else:
            members = {
                name: value
                for name, value in RSAAlgorithm.to_jwk(self.key, as_dict=True).items()
                if name in {"kty", "n", "e"}
            }
        return {**members, "kid": self.kid or "", "alg": self.algorithm, "use": "sig"}


class KeySet:
    """The keys of one issuer for one kind of token.

    Args:
        keys: not empty, with unique ids; a key without an id only when it is the only one.

    Raises:
        InvalidKeySetError: a rule is broken; nothing of the set may be used.
    """

    def __init__(self, keys: Iterable[VerificationKey]) -> None:
        listed = list(keys)
        self._keys = {key.kid: key for key in listed}
        if not listed:
            raise InvalidKeySetError("the key set is empty")
        if len(listed) > MAX_KEYS:
            raise InvalidKeySetError(f"the key set has more than {MAX_KEYS} keys")
        if len(self._keys) != len(listed):
            raise InvalidKeySetError("two keys of the set have the same `kid`")
        if None in self._keys and len(listed) > 1:
            raise InvalidKeySetError("a key without `kid` must be the only one")

    @classmethod
    def from_jwks(cls, document: str | bytes | Mapping[str, object]) -> KeySet:
        """Read a JWK Set of our own: every key has `kid`, `alg` and `use: sig`, and no private member.

        Raises:
            InvalidKeySetError: naming the rule.
        """
        if isinstance(document, (str, bytes)):
            if len(document) > MAX_DOCUMENT_BYTES:
                raise InvalidKeySetError("the key set is longer than 64 KiB")
            try:
                document = json.loads(document)
            except ValueError as error:
                raise InvalidKeySetError("the key set is not JSON") from error
        entries = document.get("keys") if isinstance(document, Mapping) else None
        if not isinstance(entries, list) or not all(isinstance(entry, Mapping) for entry in entries):
            raise InvalidKeySetError("the key set has no list `keys`")
        return cls(_read(entry) for entry in entries)

    @classmethod
    def from_pem(cls, pem: bytes, *, algorithm: str, kid: str | None = None) -> KeySet:
        """Return the set of a foreign issuer with one key, bound to `algorithm` by our configuration.

        Raises:
            InvalidKeySetError: not a public key, or one that does not fit.
        """
        return cls([key_from_pem(pem, algorithm=algorithm, kid=kid)])

    def find(self, kid: str | None) -> VerificationKey | None:
        """Return the key for a header's `kid`, None when there is not exactly one."""
        if None in self._keys:
            return self._keys[None]
        if kid is None:
            return next(iter(self._keys.values())) if len(self._keys) == 1 else None
        return self._keys.get(kid)

    def __contains__(self, kid: object) -> bool:
        return kid in self._keys

    def __iter__(self) -> Iterator[VerificationKey]:
        return iter(self._keys.values())

    def __len__(self) -> int:
        return len(self._keys)

    def without(self, kids: Iterable[str]) -> KeySet | None:
        """Return the set without distrusted keys, None when nothing is left."""
        distrusted = set(kids)
        left = [key for key in self if key.kid not in distrusted]
        return KeySet(left) if left else None

    def jwks(self) -> dict[str, list[dict[str, str]]]:
        """Return the set as a JWK Set document."""
        return {"keys": [key.jwk() for key in self]}


def key_from_pem(pem: bytes, *, algorithm: str, kid: str | None) -> VerificationKey:
    """Read a public key in PEM.

    Raises:
        InvalidKeySetError: not a public key, or one that does not fit `algorithm`.
    """
    try:
        key = load_pem_public_key(pem)
    except ValueError as error:
        raise InvalidKeySetError("the PEM text holds no public key") from error
    if not isinstance(key, (EllipticCurvePublicKey, Ed25519PublicKey, RSAPublicKey)):
        raise InvalidKeySetError("the public key is of a kind we do not use")
    return VerificationKey(kid, algorithm, key)


def _read(entry: Mapping[str, object]) -> VerificationKey:
    if _PRIVATE & entry.keys():
        raise InvalidKeySetError("the key set holds private or symmetric key material")
    kid, algorithm = entry.get("kid"), entry.get("alg")
    if not isinstance(kid, str) or not isinstance(algorithm, str) or entry.get("use") != "sig":
        raise InvalidKeySetError("a key lacks `kid`, `alg` or `use: sig`")
    operations = entry.get("key_ops", ["verify"])
    if not isinstance(operations, list) or "verify" not in operations:
        raise InvalidKeySetError("a key's `key_ops` lacks `verify`")
    kind, curve = ALGORITHMS.get(algorithm, (None, None))
    if kind is None or entry.get("kty") != kind or (curve is not None and entry.get("crv") != curve):
        raise InvalidKeySetError("a key's `kty` or `crv` does not fit its `alg`")
    try:
        key = _PARSERS[kind](dict(entry))
    except (InvalidKeyError, ValueError, TypeError, KeyError) as error:
        raise InvalidKeySetError("a key cannot be read") from error
    return VerificationKey(kid, algorithm, key)  # type: ignore[arg-type]  # private members were refused above


_PARSERS = {"EC": ECAlgorithm.from_jwk, "OKP": OKPAlgorithm.from_jwk, "RSA": RSAAlgorithm.from_jwk}
