"""Making tokens."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from libs.crypto.keys import VerificationKey
from libs.crypto.token_text import encode_segment


@dataclass(frozen=True, slots=True, repr=False)
class Signer:
    """One private key that signs one kind of token.

    Attributes:
        kid: id of the key.
        algorithm: `ES256` (deterministic, RFC 6979) or `EdDSA`.
        key: the private key; never leaves the process in clear.
    """

    kid: str
    algorithm: str
    key: ec.EllipticCurvePrivateKey | Ed25519PrivateKey

    def __post_init__(self) -> None:
        self.public_key()  # checks kid, algorithm and curve

    @classmethod
    def generate(cls, kid: str, algorithm: str = "ES256") -> Signer:
        """Make a new key.

        Raises:
            InvalidKeySetError: bad `kid` or an algorithm we do not sign with.
        """
        key = (
            Ed25519PrivateKey.generate() if algorithm == "EdDSA" else ec.generate_private_key(ec.SECP256R1())
        )
        return cls(kid, algorithm, key)

    @classmethod
    def from_pem(cls, kid: str, pem: bytes) -> Signer:
        """Read a PKCS#8 key; its kind decides the algorithm.

        Raises:
            ValueError: not a private key of P-256 or Ed25519.
        """
        key = load_pem_private_key(pem, password=None)
        if isinstance(key, Ed25519PrivateKey):
            return cls(kid, "EdDSA", key)
        if isinstance(key, ec.EllipticCurvePrivateKey):
            return cls(kid, "ES256", key)
        raise ValueError("the PEM text holds no private key of P-256 or Ed25519")

    def __repr__(self) -> str:
        return f"Signer({self.kid}, {self.algorithm})"

    def private_pem(self) -> bytes:
        """Return the private key as PKCS#8 in clear, to be sealed at once."""
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def public_key(self) -> VerificationKey:
        """Return the key that verifies what this one signs."""
        return VerificationKey(self.kid, self.algorithm, self.key.public_key())

    def sign(self, claims: Mapping[str, object], typ: str) -> str:
        """Return the token with these claims and the header members `alg`, `kid`, `typ`.

        Args:
            claims: JSON values; times as whole seconds.
            typ: explicit type of the token, e.g. `zctx+jwt`.
        """
        header = {"alg": self.algorithm, "kid": self.kid, "typ": typ}
        signing_input = f"{_segment(header)}.{_segment(claims)}"
        return f"{signing_input}.{encode_segment(self.sign_bytes(signing_input.encode()))}"

    def sign_bytes(self, message: bytes) -> bytes:
        """Return the signature of `message` in JOSE's form: 64 bytes."""
        if isinstance(self.key, Ed25519PrivateKey):
            return self.key.sign(message)
        der = self.key.sign(message, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))
        r, s = decode_dss_signature(der)
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def _segment(value: Mapping[str, object]) -> str:
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return encode_segment(text.encode("utf-8"))
