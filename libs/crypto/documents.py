"""Signed documents, e.g. a certificate of erasure: an Ed25519 signature over RFC 8785 bytes.

Whoever has the document, the signature and the public key checks it with any tool: RFC 8785, then RFC 8032.
"""

from __future__ import annotations

from collections.abc import Mapping

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from libs.crypto.chain import canonical


class DocumentSigner:
    """Signs documents with one Ed25519 key.

    Args:
        kid: names the key in documents and their register.
        key: the private key.
    """

    def __init__(self, kid: str, key: Ed25519PrivateKey) -> None:
        self.kid = kid
        self._key = key

    @classmethod
    def generate(cls, kid: str) -> DocumentSigner:
        """Make a new key."""
        return cls(kid, Ed25519PrivateKey.generate())

    @classmethod
    def from_pem(cls, kid: str, pem: bytes) -> DocumentSigner:
        """Read a PKCS#8 key.

        Raises:
            ValueError: not an Ed25519 private key.
        """
        key = load_pem_private_key(pem, password=None)
        if not isinstance(key, Ed25519PrivateKey):
            raise ValueError("the PEM text holds no Ed25519 private key")
        return cls(kid, key)

    def private_pem(self) -> bytes:
        """Return the private key as PKCS#8 in clear, to be sealed at once."""
        return self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def public_pem(self) -> bytes:
        """Return the public key, to be handed out with the documents."""
        return self._key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def sign(self, document: Mapping[str, object]) -> bytes:
        """Return the 64-byte signature over the document's canonical bytes.

        Raises:
            ValueError: the document is not canonical JSON.
        """
        return self._key.sign(canonical(dict(document)))


def document_verifies(document: Mapping[str, object], signature: bytes, public_pem: bytes) -> bool:
    """Tell whether `signature` is one of the holder of `public_pem` over exactly this document.

    Raises:
        ValueError: the PEM text holds no Ed25519 public key, or the document is not canonical JSON.
    """
    key = load_pem_public_key(public_pem)
    if not isinstance(key, Ed25519PublicKey):
        raise ValueError("the PEM text holds no Ed25519 public key")
    try:
        key.verify(signature, canonical(dict(document)))
    except InvalidSignature:
        return False
    return True
