"""A key set is taken whole or refused whole (facts/auth.md, rules 12 to 14 and section 4)."""

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from libs.crypto.errors import InvalidKeySetError
from libs.crypto.keys import KeySet, VerificationKey, key_from_pem
from libs.crypto.signer import Signer
from libs.crypto.strength import check_strength, is_roca

ES256 = Signer.generate("es").public_key().jwk()
EDDSA = Signer.generate("ed", "EdDSA").public_key().jwk()


def read(*keys: dict[str, Any]) -> KeySet:
    return KeySet.from_jwks(json.dumps({"keys": keys}))


def test_a_published_set_reads_back() -> None:
    keys = read(ES256, EDDSA)

    assert [key.kid for key in keys] == ["es", "ed"]
    assert keys.jwks() == {"keys": [ES256, EDDSA]}
    assert "es" in keys
    assert keys.find("ES") is None


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"kid": None}, "lacks"),
        ({"kid": 7}, "lacks"),
        ({"alg": None}, "lacks"),
        ({"use": None}, "lacks"),
        ({"use": "enc"}, "lacks"),
        ({"key_ops": ["sign"]}, "key_ops"),
        ({"key_ops": "verify"}, "key_ops"),
        ({"kid": "../es"}, "kid"),
        ({"kid": "k" * 65}, "kid"),
        ({"alg": "RS256"}, "does not fit"),
        ({"alg": "EdDSA"}, "does not fit"),
        ({"alg": "HS256"}, "does not fit"),
        ({"alg": "none"}, "does not fit"),
        ({"kty": "oct"}, "does not fit"),
        ({"crv": "P-384"}, "does not fit"),
        ({"x": "AAAA"}, "cannot be read"),
        ({"x": ES256["y"], "y": ES256["x"]}, "cannot be read"),
        ({"x": 7}, "cannot be read"),
    ],
)
def test_a_bad_key_refuses_the_whole_set(changes: dict[str, Any], complaint: str) -> None:
    bad = {name: value for name, value in {**ES256, **changes}.items() if value is not None}

    with pytest.raises(InvalidKeySetError, match=complaint):
        read(EDDSA, bad)


@pytest.mark.parametrize("member", ["d", "p", "q", "dp", "dq", "qi", "oth", "k"])
def test_private_members_refuse_the_whole_set(member: str) -> None:
    with pytest.raises(InvalidKeySetError, match="private or symmetric"):
        read(EDDSA, {**ES256, member: "AAAA"})


@pytest.mark.parametrize(
    "document", ["", "[]", "{}", '{"keys": {}}', '{"keys": ["x"]}', '{"keys": []}', " " * 65_537]
)
def test_a_document_that_is_no_set_is_refused(document: str) -> None:
    with pytest.raises(InvalidKeySetError):
        KeySet.from_jwks(document)


def test_ids_are_unique_and_sets_are_small() -> None:
    with pytest.raises(InvalidKeySetError, match="same `kid`"):
        read(ES256, {**EDDSA, "kid": "es"})
    with pytest.raises(InvalidKeySetError, match="more than 32"):
        read(*({**ES256, "kid": f"k{number}"} for number in range(33)))


def test_a_set_without_its_distrusted_keys() -> None:
    keys = read(ES256, EDDSA).without(["es"])

    assert keys is not None
    assert [key.kid for key in keys] == ["ed"]
    assert keys.without(["ed"]) is None


def pem(key: Any) -> bytes:
    return bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))


def test_a_foreign_key_in_pem_is_bound_to_one_algorithm() -> None:
    key = rsa.generate_private_key(65537, 2048)

    keys = KeySet.from_pem(pem(key), algorithm="RS256")

    assert keys.find(None) == keys.find("whatever")
    with pytest.raises(InvalidKeySetError, match="not on P-256"):
        KeySet.from_pem(pem(key), algorithm="ES256")
    with pytest.raises(InvalidKeySetError, match="not one of ours"):
        KeySet.from_pem(pem(key), algorithm="HS256")
    with pytest.raises(InvalidKeySetError, match="no public key"):
        KeySet.from_pem(b"-----BEGIN", algorithm="RS256")


def test_a_nameless_key_stands_alone() -> None:
    nameless = VerificationKey(None, "ES256", ec.generate_private_key(ec.SECP256R1()).public_key())

    with pytest.raises(InvalidKeySetError, match="only one"):
        KeySet([nameless, Signer.generate("es").public_key()])


def test_weak_rsa_keys_are_refused() -> None:
    with pytest.raises(InvalidKeySetError, match="modulus"):
        key_from_pem(pem(rsa.generate_private_key(65537, 1024)), algorithm="RS256", kid="k")


def test_an_exponent_beyond_32_bits_is_refused() -> None:
    modulus = rsa.generate_private_key(65537, 2048).public_key().public_numbers().n
    key = rsa.RSAPublicNumbers(e=2**33 + 1, n=modulus).public_key()

    with pytest.raises(InvalidKeySetError, match="exponent"):
        check_strength("RS256", key)


def test_a_modulus_of_powers_of_65537_has_the_roca_fingerprint() -> None:
    primorial = 1
    for prime in (11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157):
        primorial *= prime

    assert is_roca(7 * primorial + pow(65537, 12345, primorial))
    assert not is_roca(rsa.generate_private_key(65537, 2048).public_key().public_numbers().n)


def test_signatures_are_deterministic_and_keys_do_not_show() -> None:
    for algorithm in ("ES256", "EdDSA"):
        signer = Signer.generate("k", algorithm)
        assert signer.sign({"a": 1}, "t") == signer.sign({"a": 1}, "t")
        assert repr(signer) == f"Signer(k, {algorithm})"


def test_the_rfc_6979_vector_for_p256_and_sha256() -> None:
    private = ec.derive_private_key(
        0xC9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721, ec.SECP256R1()
    )

    signature = Signer("k", "ES256", private).sign_bytes(b"sample")

    assert signature.hex() == (
        "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"
        "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8"
    )
