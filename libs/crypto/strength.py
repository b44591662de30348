"""How strong a public key must be, checked when it is loaded."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from libs.crypto.errors import InvalidKeySetError

_MIN_MODULUS, _MAX_MODULUS = 2048, 8192
_MAX_EXPONENT_BITS = 32
_ROCA_GENERATOR = 65537
_ROCA_PRIMES = (11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157)


def check_strength(algorithm: str, key: object) -> None:
    """Refuse a key that does not fit `algorithm` or is weak.

    Raises:
        InvalidKeySetError: naming the rule.
    """
    if algorithm == "ES256":
        if not isinstance(key, EllipticCurvePublicKey) or not isinstance(key.curve, SECP256R1):
            raise InvalidKeySetError("an ES256 key is not on P-256")
    elif algorithm in {"EdDSA", "Ed25519"}:
        if not isinstance(key, Ed25519PublicKey):
            raise InvalidKeySetError("an EdDSA key is not Ed25519")
    elif algorithm == "RS256":
        if not isinstance(key, RSAPublicKey):
            raise InvalidKeySetError("an RS256 key is not RSA")
        _check_rsa(key)
    else:
        raise InvalidKeySetError(f"algorithm `{algorithm}` is not one of ours")


def _check_rsa(key: RSAPublicKey) -> None:
    numbers = key.public_numbers()
    if not _MIN_MODULUS <= key.key_size <= _MAX_MODULUS:
        raise InvalidKeySetError("an RSA modulus is not of 2,048 to 8,192 bits")
    if numbers.e < 3 or numbers.e % 2 == 0 or numbers.e.bit_length() > _MAX_EXPONENT_BITS:
        raise InvalidKeySetError("an RSA exponent is even, below 3 or longer than 32 bits")
    if is_roca(numbers.n):
        raise InvalidKeySetError("an RSA key has the ROCA weakness")


def is_roca(modulus: int) -> bool:
    """Tell whether `modulus` has the fingerprint of ROCA (CVE-2017-15361).

    Its primes are powers of 65537 modulo many small primes, and so is their product; a random modulus passes
    all of these by chance about once in 2^27 (Nemec and others, CCS 2017).
    """
    return all(modulus % prime in _powers(prime) for prime in _ROCA_PRIMES)


def _powers(prime: int) -> set[int]:
    found, value = set(), 1
    while value not in found:
        found.add(value)
        value = value * _ROCA_GENERATOR % prime
    return found
