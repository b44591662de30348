"""Every rule of facts/auth.md section 3 refuses at least one token; the names carry the rule's number."""

import base64
import json

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from jwt.algorithms import get_default_algorithms

from libs.crypto.errors import InvalidTokenError
from libs.crypto.signer import Signer
from libs.crypto.tests.tokens_for_tests import (
    CLAIMS,
    HEADER,
    KEYS,
    NOW,
    PROFILE,
    SIGNER,
    START,
    signed,
    token,
)
from libs.crypto.token_text import decode_segment, encode_segment
from libs.crypto.tokens import (
    KeySet,
    Profile,
    VerificationKey,
    installation_profile,
    verify,
    verify_signature,
)

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def refusal(text: str, keys: KeySet = KEYS, profile: Profile = PROFILE) -> str:
    with pytest.raises(InvalidTokenError) as caught:
        verify(text, keys, profile, NOW)
    assert str(caught.value) == "the token is not valid"
    return caught.value.cause


def test_a_good_token_says_who_where_and_for_whom() -> None:
    claims = verify(token(), KEYS, PROFILE, NOW)

    assert (claims.account, claims.installation, claims.generation) == ("acc-1", "55", 3)
    assert (claims.subject, claims.peer, claims.role, claims.custom_role_id) == (
        "user:123",
        "edge",
        "admin",
        9,
    )
    assert (claims.kid, claims.audience, claims.token_id) == ("ctx-1", "policy", "5f2b")
    assert claims.expires_at.timestamp() == START + 60


@pytest.mark.parametrize("algorithm", ["ES256", "EdDSA"])
def test_both_of_our_algorithms_verify_through_a_published_set(algorithm: str) -> None:
    signer = Signer.generate("k", algorithm)
    keys = KeySet.from_jwks(json.dumps(KeySet([signer.public_key()]).jwks()))

    assert verify(token(signer=signer), keys, PROFILE, NOW).kid == "k"
    assert verify(token(signer=Signer.from_pem("k", signer.private_pem())), keys, PROFILE, NOW).kid == "k"


def test_rule_1_a_long_text_is_refused_unread() -> None:
    assert refusal("a" * 4097) == "too_long"
    assert refusal(token({"role": "a" * 4096})) == "too_long"


@pytest.mark.parametrize(
    "altered",
    [
        "Bearer {}", " {}", "{} ", "{}\n", "{}\0", "{}=", "{}==", "\ufeff{}", "{}%3D", '"{}"', "{{}}{}", "{}\u0435",
    ],
)  # fmt: skip
def test_rule_2_one_token_has_one_text(altered: str) -> None:
    assert refusal(altered.format(token())) == "alphabet"


@pytest.mark.parametrize("character", ["+", "/"])
def test_rule_2_the_other_base64_alphabet_is_refused(character: str) -> None:
    text = token()

    assert refusal(text[:-1] + character) == "alphabet"


def test_rule_3_exactly_three_segments() -> None:
    header, payload, signature = token().split(".")

    assert refusal(f"{header}.{payload}") == "segments"
    assert refusal(f"{header}.{payload}.") == "segments"
    assert refusal(f".{payload}.{signature}") == "segments"
    assert refusal(f"{token()}.x.y") == "segments"
    assert refusal("") == "segments"
    assert refusal(f"{header}..{signature}") == "signature"  # detached
    assert refusal(signed(HEADER, b"")) == "json"
    assert (
        refusal(json.dumps({"payload": payload, "protected": header, "signature": signature})) == "alphabet"
    )


def test_rule_4_only_canonical_base64url() -> None:
    text = token()
    header, payload, signature = text.split(".")
    last = "AQgw".index(signature[-1])

    assert refusal(f"{header}.{payload}.{signature[:-1]}{'BRhx'[last]}") == "base64"
    assert refusal(f"{header}.{payload}.{signature}A") in {"base64", "signature_form"}
    assert refusal(f"{header}.{payload}.AAAAA") == "base64"


@pytest.mark.parametrize(
    "payload",
    [
        b"\xef\xbb\xbf" + json.dumps(CLAIMS).encode(),
        json.dumps(CLAIMS).encode("utf-16"),
        json.dumps(CLAIMS).encode("utf-32"),
        json.dumps(CLAIMS).encode() + b"{}",
        json.dumps([CLAIMS]).encode(),
        b'"text"',
        b"not json",
        b"\xff\xfe",
        json.dumps({**CLAIMS, "x": float("nan")}).encode(),
        json.dumps({**CLAIMS, "x": float("inf")}).encode(),
        json.dumps(CLAIMS).encode()[:-1] + b', "x": 1e999}',
        json.dumps(CLAIMS).encode()[:-1] + b', "x": "\\ud800"}',
        json.dumps(CLAIMS).encode()[:-1] + b', "x": 12345678901234567890}',
        json.dumps(CLAIMS).encode()[:-1] + b', "x": ' + b"[" * 17 + b"]" * 17 + b"}",
        b'{"a":' + b"[" * 1400 + b"]" * 1400 + b"}",
    ],
)  # fmt: skip
def test_rule_5_payloads_that_are_not_one_strict_object(payload: bytes) -> None:
    assert refusal(signed(HEADER, payload)) == "json"


def test_rule_5_headers_that_are_not_one_strict_object() -> None:
    assert refusal(signed(json.dumps(HEADER).encode("utf-16"))) == "json"
    assert refusal(signed(json.dumps(HEADER).encode() + b" 1")) == "json"


@pytest.mark.parametrize(
    "doubled", [b'"tid":"acc-2","tid":"acc-1"', b'"x":{"y":[{"z":1,"z":2}]}', b'"x":{"a":1,"\\u0061":2}']
)
def test_rule_6_doubled_members_are_refused_at_every_depth(doubled: bytes) -> None:
    assert refusal(signed(HEADER, json.dumps(CLAIMS).encode()[:-1] + b"," + doubled + b"}")) == "json"


def test_rule_6_doubled_header_members_are_refused() -> None:
    assert refusal(signed(b'{"alg":"none","alg":"ES256","kid":"ctx-1","typ":"zctx+jwt"}')) == "json"


@pytest.mark.parametrize(
    "algorithm", ["none", "None", "nOnE", "", "es256", "HS256", "RS256", "ES384", 7, None, ["ES256"]]
)
def test_rule_7_only_listed_algorithms(algorithm: object) -> None:
    assert refusal(signed({**HEADER, "alg": algorithm})) == "algorithm"


def test_rule_7_no_signature_at_all() -> None:
    header = encode_segment(json.dumps({**HEADER, "alg": "none"}).encode())

    assert refusal(f"{header}.{encode_segment(json.dumps(CLAIMS).encode())}.") == "segments"


@pytest.mark.parametrize(
    "member", ["jwk", "jku", "x5c", "x5u", "x5t", "crit", "b64", "zip", "cty", "enc", "p2c", "extra"]
)
def test_rule_8_our_header_holds_nothing_else(member: str) -> None:
    assert refusal(signed({**HEADER, member: "x"})) == "header"


@pytest.mark.parametrize("member", ["alg", "kid", "typ"])
def test_rule_8_our_header_lacks_nothing(member: str) -> None:
    assert refusal(signed({name: value for name, value in HEADER.items() if name != member})) == "header"


@pytest.mark.parametrize("member", ["crit", "b64", "zip", "enc"])
def test_rule_8_a_foreign_header_may_not_ask_for_what_we_do_not_do(member: str) -> None:
    with pytest.raises(InvalidTokenError) as caught:
        verify_signature(signed({**HEADER, member: ["x"]}), KEYS, frozenset({"ES256"}), own=False)
    assert caught.value.cause == "header"

    assert (
        verify_signature(signed({**HEADER, "other": 1}), KEYS, frozenset({"ES256"}), own=False).kid == "ctx-1"
    )


@pytest.mark.parametrize("kid", ["", 7, None, "k" * 257])
def test_rule_9_a_kid_is_a_short_text(kid: object) -> None:
    assert refusal(signed({**HEADER, "kid": kid})) == "kid"


@pytest.mark.parametrize("kid", ["CTX-1", "ctx-1 ", "../ctx-1", "ctx-1' OR 1=1 --", "other"])
def test_rule_9_and_11_a_kid_matches_exactly_or_not(kid: str) -> None:
    assert refusal(signed({**HEADER, "kid": kid})) == "unknown_kid"


@pytest.mark.parametrize("typ", ["JWT", "zai+jwt", "zctx", "", 7, None])
def test_rule_10_another_type_is_refused(typ: object) -> None:
    assert refusal(signed({**HEADER, "typ": typ})) == "typ"


@pytest.mark.parametrize("typ", ["zctx+jwt", "ZCTX+JWT", "application/zctx+jwt"])
def test_rule_10_types_are_compared_without_case_and_prefix(typ: str) -> None:
    assert verify(signed({**HEADER, "typ": typ}), KEYS, PROFILE, NOW).account == "acc-1"


def test_rule_11_no_key_is_tried_that_was_not_named() -> None:
    other = Signer.generate("ctx-2")
    keys = KeySet([SIGNER.public_key(), other.public_key()])

    assert refusal(signed({**HEADER, "kid": "ctx-2"}), keys) == "signature"


def test_rule_11_a_foreign_token_without_kid_needs_a_set_of_one() -> None:
    header = {"alg": "ES256", "typ": "JWT"}
    two = KeySet([SIGNER.public_key(), Signer.generate("ctx-2").public_key()])

    assert verify_signature(signed(header), KEYS, frozenset({"ES256"}), own=False).kid == "ctx-1"
    with pytest.raises(InvalidTokenError) as caught:
        verify_signature(signed(header), two, frozenset({"ES256"}), own=False)
    assert caught.value.cause == "unknown_kid"


def test_rule_12_a_key_is_for_one_algorithm() -> None:
    assert refusal(signed({**HEADER, "alg": "EdDSA"})) == "key_algorithm"
    edwards = Signer.generate("ctx-1", "EdDSA")
    assert refusal(token(), KeySet([edwards.public_key()])) == "key_algorithm"
    assert (
        refusal(signed({**HEADER, "alg": "Ed25519"}, signer=edwards), KeySet([edwards.public_key()]))
        == "key_algorithm"
    )
    named = KeySet([VerificationKey("ctx-1", "Ed25519", edwards.public_key().key)])
    assert verify(signed({**HEADER, "alg": "Ed25519"}, signer=edwards), named, PROFILE, NOW).kid == "ctx-1"


def test_rule_12_a_public_key_is_never_an_hmac_secret() -> None:
    import hmac

    header = encode_segment(json.dumps({**HEADER, "alg": "HS256"}).encode())
    signing_input = f"{header}.{encode_segment(json.dumps(CLAIMS).encode())}"
    pem = SIGNER.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    forged = encode_segment(hmac.digest(pem, signing_input.encode(), "sha256"))

    with pytest.raises(InvalidTokenError) as caught:
        verify_signature(f"{signing_input}.{forged}", KEYS, frozenset({"HS256", "ES256"}))
    assert caught.value.cause == "algorithm"


def test_rule_15_the_signature_is_over_the_received_bytes() -> None:
    header, payload, signature = token().split(".")
    spaced = encode_segment(json.dumps(json.loads(decode_segment(payload)), indent=1).encode())

    assert refusal(f"{header}.{spaced}.{signature}") == "signature"


@given(st.data())
def test_rule_15_any_changed_bit_refuses(data: st.DataObject) -> None:
    parts = [bytearray(decode_segment(part)) for part in token().split(".")]
    part = data.draw(st.sampled_from(parts))
    part[data.draw(st.integers(0, len(part) - 1))] ^= 1 << data.draw(st.integers(0, 7))

    assert refusal(".".join(encode_segment(bytes(piece)) for piece in parts))


def _with_signature(signature: bytes) -> str:
    return token().rpartition(".")[0] + "." + encode_segment(signature)


def test_rule_16_only_r_and_s_of_32_bytes_each() -> None:
    good = decode_segment(token().rpartition(".")[2])
    der = (
        SIGNER.key.sign(b"x", ec.ECDSA(hashes.SHA256()))
        if isinstance(SIGNER.key, ec.EllipticCurvePrivateKey)
        else b""
    )
    order = P256_ORDER.to_bytes(32, "big")

    for form in (good[:-1], good + b"\0", der, bytes(64), bytes(32) + good[32:], good[:32] + bytes(32)):
        assert refusal(_with_signature(form)) == "signature_form"
    assert refusal(_with_signature(order + good[32:])) == "signature_form"
    assert refusal(_with_signature(good[:32] + order)) == "signature_form"


def test_rule_16_rsa_signatures_have_the_length_of_the_modulus() -> None:
    private = rsa.generate_private_key(65537, 2048)
    pem = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    keys = KeySet.from_pem(pem, algorithm="RS256")
    signing_input = ".".join(encode_segment(part) for part in (b'{"alg":"RS256"}', b"{}"))
    signature = private.sign(signing_input.encode(), PKCS1v15(), hashes.SHA256())

    good = verify_signature(
        f"{signing_input}.{encode_segment(signature)}", keys, frozenset({"RS256"}), own=False
    )
    assert good.payload == b"{}"
    for form in (signature[1:], b"\0" + signature):
        with pytest.raises(InvalidTokenError) as caught:
            verify_signature(f"{signing_input}.{encode_segment(form)}", keys, frozenset({"RS256"}), own=False)
        assert caught.value.cause == "signature_form"


@pytest.mark.parametrize("algorithm", ["ES256", "EdDSA"])
def test_rule_16_pyjwt_holds_the_same_signatures_for_good(algorithm: str) -> None:
    signer = Signer.generate("ctx-1", algorithm)
    keys = KeySet([signer.public_key()])
    text = token(signer=signer)
    signing_input, _, signature = text.rpartition(".")
    good = decode_segment(signature)

    for form in (good, good[32:] + good[:32], bytes([good[0] ^ 1]) + good[1:]):
        other = get_default_algorithms()[algorithm].verify(
            signing_input.encode(), signer.public_key().key, form
        )
        try:
            ours = bool(verify(f"{signing_input}.{encode_segment(form)}", keys, PROFILE, NOW))
        except InvalidTokenError:
            ours = False
        assert ours == other == (form == good)


def test_rule_17_the_other_s_verifies_and_means_the_same_token() -> None:
    signature = decode_segment(token().rpartition(".")[2])
    other = P256_ORDER - int.from_bytes(signature[32:], "big")
    twin = _with_signature(signature[:32] + other.to_bytes(32, "big"))

    assert twin != token()
    assert verify(twin, KEYS, PROFILE, NOW) == verify(token(), KEYS, PROFILE, NOW)


@pytest.mark.parametrize("name", ["iss", "aud", "sub", "exp", "iat", "jti", "tid", "ins", "gen", "peer"])
def test_rule_18_every_required_claim_is_required(name: str) -> None:
    assert refusal(token(without=name))


@pytest.mark.parametrize("name", ["iss", "aud", "sub", "jti", "tid", "ins", "peer"])
@pytest.mark.parametrize("value", ["", 7, None, True, ["x"], {"x": 1}])
def test_rule_18_texts_are_non_empty_texts(name: str, value: object) -> None:
    assert refusal(token({name: value}))


@pytest.mark.parametrize("name", ["exp", "iat", "nbf"])
@pytest.mark.parametrize("value", [str(START), True, [START], None, 0, -1, 2**53, {}])
def test_rule_19_times_are_numbers(name: str, value: object) -> None:
    assert refusal(token({name: value})) in {f"claim_{name}", "not_yet"}


def test_rule_19_fractions_are_times_too() -> None:
    assert verify(token({"iat": START - 0.5, "exp": START + 59.5}), KEYS, PROFILE, NOW).account == "acc-1"


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"iat": START - 90, "exp": START - 30}, "expired"),
        ({"iat": START + 31, "exp": START + 60}, "not_yet"),
        ({"nbf": START + 31}, "not_yet"),
        ({"exp": START}, "life"),
        ({"exp": START + 61}, "life"),
        ({"iat": START, "exp": START * 1000}, "life"),
    ],
)
def test_rule_20_time_windows(changes: dict[str, object], cause: str) -> None:
    assert refusal(token(changes)) == cause


def test_rule_20_the_leeway_is_30_seconds_and_no_more() -> None:
    assert verify(token({"iat": START - 89, "exp": START - 29}), KEYS, PROFILE, NOW).account == "acc-1"
    assert verify(token({"iat": START + 30, "exp": START + 90}), KEYS, PROFILE, NOW).account == "acc-1"


@pytest.mark.parametrize(
    "issuer", ["https://auth.setlist.local/", "HTTPS://auth.setlist.local", "https://auth"]
)
def test_rule_21_another_issuer_is_refused(issuer: str) -> None:
    assert refusal(token({"iss": issuer})) == "issuer"


@pytest.mark.parametrize(
    "audience", ["Policy", "policy ", "policy2", "polic", [], ["policy", "auth"], ["auth"], [7]]
)
def test_rule_22_another_audience_is_refused(audience: object) -> None:
    assert refusal(token({"aud": audience})) == "audience"


def test_rule_22_a_list_of_exactly_us_is_us() -> None:
    assert verify(token({"aud": ["policy"]}), KEYS, PROFILE, NOW).audience == "policy"


@pytest.mark.parametrize(
    "subject", ["123", "user:", "user:0", "user:abc", "service:", "zendesk:acme", "user:1 "]
)
def test_rule_23_subjects_stay_in_their_namespace(subject: str) -> None:
    assert refusal(token({"sub": subject})) == "subject"


def test_rule_24_kinds_exclude_each_other() -> None:
    profile = installation_profile("https://auth.setlist.local", "policy")
    installation = SIGNER.sign({**CLAIMS, "sub": "zendesk:acme"}, "zai+jwt")

    assert verify(installation, KEYS, profile, NOW).subject == "zendesk:acme"
    assert refusal(token(), KEYS, profile) == "typ"
    assert refusal(installation) == "typ"
    assert refusal(signed({**HEADER, "typ": "zai+jwt"}), KEYS, profile) == "subject"


@pytest.mark.parametrize("generation", [-1, "3", 3.0, True, None])
def test_rule_25_a_generation_is_an_integer(generation: object) -> None:
    assert refusal(token({"gen": generation})) == "generation"


def test_rule_25_an_older_generation_is_revoked() -> None:
    assert verify(token(), KEYS, PROFILE, NOW, lambda _account, _installation: 3).account == "acc-1"
    with pytest.raises(InvalidTokenError) as caught:
        verify(token(), KEYS, PROFILE, NOW, lambda _account, _installation: 4)
    assert caught.value.cause == "revoked"


def test_rule_25_unknown_claims_are_ignored() -> None:
    assert verify(token({"colour": {"deep": [1, 2.5, None, True]}}), KEYS, PROFILE, NOW).account == "acc-1"


def test_rule_27_an_unexpected_fault_is_a_refusal() -> None:
    def broken(_account: str, _installation: str) -> int:
        raise ZeroDivisionError

    with pytest.raises(InvalidTokenError) as caught:
        verify(token(), KEYS, PROFILE, NOW, broken)
    assert caught.value.cause == "unexpected"


@given(
    st.text(max_size=200) | st.binary(max_size=200).map(lambda raw: base64.urlsafe_b64encode(raw).decode())
)
def test_rule_27_no_text_makes_anything_but_a_refusal(text: str) -> None:
    assert refusal(text)


def test_a_text_that_is_too_old_by_its_issue_is_refused_whatever_exp_says() -> None:
    from dataclasses import replace

    profile = replace(PROFILE, max_life_seconds=86_400, max_age_seconds=300)

    assert refusal(token({"iat": START - 331, "exp": START + 3600}), KEYS, profile) == "age"
    assert verify(token({"iat": START - 330, "exp": START + 3600}), KEYS, profile, NOW).account == "acc-1"
