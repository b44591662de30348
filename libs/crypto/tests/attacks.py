"""Every way we know to make a token that is not one (facts/auth.md §3): name -> text, from a good token's parts.

Nothing in here is refused for want of a right signature where the attacker could have one: what an insider of our
own (a key that signs another kind, a service that writes odd claims) could make is signed with our key.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from libs.crypto.signer import Signer
from libs.crypto.token_text import decode_segment, encode_segment

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_RSA = rsa.generate_private_key(65537, 2048)


@dataclass(frozen=True, slots=True)
class Good:
    """What a good token is made of.

    Attributes:
        signer: our key of this kind.
        other: our key of another kind.
        claims: of the good token.
        typ: of this kind.
        other_typ: of the other kind.
    """

    signer: Signer
    other: Signer
    claims: Mapping[str, object]
    typ: str
    other_typ: str
    stranger: Signer = field(default_factory=lambda: Signer.generate("stranger"))

    @property
    def header(self) -> dict[str, object]:
        return {"alg": "ES256", "kid": self.signer.kid, "typ": self.typ}

    def text(self) -> str:
        """Return the good token."""
        return self.signer.sign(self.claims, self.typ)

    def signed(self, header: object = None, payload: object = None, *, signer: Signer | None = None) -> str:
        """Return a text with any header and payload, correctly signed by whoever."""
        signing_input = f"{_part(header or self.header)}.{_part(payload or self.claims)}"
        signature = (signer or self.signer).sign_bytes(signing_input.encode())
        return f"{signing_input}.{encode_segment(signature)}"

    def with_claims(self, **changes: object) -> str:
        """Return a token with some claims changed; `...` leaves one out."""
        claims = {k: v for k, v in {**self.claims, **changes}.items() if v is not ...}
        return self.signed(payload=claims)


def twin(text: str) -> str:
    """Return the other text of the same token: (r, n - s) verifies as (r, s) does."""
    signing_input, _, signature = text.rpartition(".")
    raw = decode_segment(signature)
    other = P256_ORDER - int.from_bytes(raw[32:], "big")
    return f"{signing_input}.{encode_segment(raw[:32] + other.to_bytes(32, 'big'))}"


def forgeries(good: Good) -> dict[str, str]:
    """Return every forgery by name."""
    kinds = (_algorithms, _keys, _headers, _texts, _json, _claims, _signatures)
    return {name: text for kind in kinds for name, text in kind(good).items()}


def _part(value: object) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value, separators=(",", ":")).encode()
    return encode_segment(raw)


def _public(good: Good, encoding: Encoding, form: PublicFormat) -> bytes:
    return bytes(good.signer.key.public_key().public_bytes(encoding, form))


def _algorithms(good: Good) -> dict[str, str]:
    made: dict[str, str] = {}
    for alg in ("none", "None", "NONE", "nOnE"):
        unsigned = f"{_part({**good.header, 'alg': alg})}.{_part(good.claims)}"
        made[f"alg {alg}, no signature"] = f"{unsigned}."
        made[f"alg {alg}, any signature"] = f"{unsigned}.{encode_segment(bytes(64))}"
    jwk = json.dumps(good.signer.public_key().jwk()).encode()
    secrets = {
        "PEM": _public(good, Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        "PEM stripped": _public(good, Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).strip(),
        "DER": _public(good, Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        "point": _public(good, Encoding.X962, PublicFormat.UncompressedPoint),
        "JWK": jwk,
        "nothing": b"",
    }
    for digest in ("256", "384", "512"):
        for name, secret in secrets.items():
            signing_input = f"{_part({**good.header, 'alg': f'HS{digest}'})}.{_part(good.claims)}"
            mac = hmac.digest(secret, signing_input.encode(), f"sha{digest}")
            made[f"HS{digest} with the public key as secret ({name})"] = (
                f"{signing_input}.{encode_segment(mac)}"
            )
    signing_input = f"{_part({**good.header, 'alg': 'RS256'})}.{_part(good.claims)}"
    signature = _RSA.sign(signing_input.encode(), PKCS1v15(), hashes.SHA256())
    made["RS256 by a stranger"] = f"{signing_input}.{encode_segment(signature)}"
    edwards = Signer.generate(good.signer.kid, "EdDSA")
    made["EdDSA by a stranger under our kid"] = edwards.sign(good.claims, good.typ)
    named: tuple[object, ...] = (
        "es256",
        "ES384",
        "ES256K",
        "PS256",
        "EdDSA",
        "",
        256,
        ["ES256"],
        None,
        True,
    )
    made |= {f"alg {a!r} over our signature": good.signed({**good.header, "alg": a}) for a in named}
    return made


def _keys(good: Good) -> dict[str, str]:
    jwk = good.stranger.public_key().jwk()
    inside: dict[str, object] = {
        "jwk": jwk,
        "jku": "https://evil.example/jwks.json",
        "x5u": "https://evil.example/cert.pem",
        "x5c": ["MIIB"],
        "x5t": "AAAA",
        "x5t#S256": "AAAA",
    }
    made = {
        f"{member} in the header": good.signed({**good.header, member: value}, signer=good.stranger)
        for member, value in inside.items()
    }
    made |= {
        f"{member} in the header of our own": good.signed({**good.header, member: value})
        for member, value in inside.items()
    }
    kids: dict[str, Any] = {
        "of a stranger": "stranger",
        "of our other kind": good.other.kid,
        "a path": "../../../../dev/null",
        "an address": "https://evil.example/key",
        "SQL": f"x' UNION SELECT '{good.signer.kid}' --",
        "a shell": "$(id)",
        "a NUL": f"{good.signer.kid}\0",
        "upper case": good.signer.kid.upper(),
        "a blank": f" {good.signer.kid}",
        "empty": "",
        "a number": 1,
        "a list": [good.signer.kid],
        "an object": {"kid": good.signer.kid},
        "null": None,
        "too long": "k" * 300,
    }
    made |= {f"kid: {name}": good.signed({**good.header, "kid": kid}) for name, kid in kids.items()}
    made["kid: none"] = good.signed({k: v for k, v in good.header.items() if k != "kid"})
    made["a stranger's signature under our kid"] = good.signed(signer=good.stranger)
    made["our other kind's signature under our kid"] = good.signed(signer=good.other)
    made["our other kind, whole"] = good.other.sign(good.claims, good.typ)
    return made


def _headers(good: Good) -> dict[str, str]:
    members: dict[str, object] = {
        "crit": ["exp"],
        "b64": False,
        "zip": "DEF",
        "enc": "A256GCM",
        "cty": "JWT",
        "p2c": 2**31,
        "exp": 1,
    }
    made = {f"{m} in the header": good.signed({**good.header, m: v}) for m, v in members.items()}
    made["crit and b64"] = good.signed({**good.header, "crit": ["b64"], "b64": False})
    for typ in ("JWT", "at+jwt", good.other_typ, f"{good.typ}x", "", 1, None):
        made[f"typ {typ!r}"] = good.signed({**good.header, "typ": typ})
    made["typ: none"] = good.signed({k: v for k, v in good.header.items() if k != "typ"})
    return made


def _texts(good: Good) -> dict[str, str]:
    text = good.text()
    header, payload, signature = text.split(".")
    return {
        "padding": f"{text}==",
        "a blank before": f" {text}",
        "a newline after": f"{text}\n",
        "a tab inside": f"{header}.\t{payload}.{signature}",
        "Bearer before": f"Bearer {text}",
        "quotes": f'"{text}"',
        "percent": f"{text}%3D",
        "a byte order mark": f"\ufeff{text}",
        "full-width dots": text.replace(".", "\uff0e"),
        "a Cyrillic letter": text[:-1] + "\u0430",
        "the other alphabet": f"{header}.{payload}.{signature[:-1]}+",
        "a slash": f"{header}.{payload}.{signature[:-1]}/",
        "two segments": f"{header}.{payload}",
        "four segments": f"{text}.{signature}",
        "five segments": f"{text}.{signature}.{signature}",
        "no header": f".{payload}.{signature}",
        "no payload": f"{header}..{signature}",
        "no signature": f"{header}.{payload}.",
        "empty": "",
        "dots": "..",
        "flattened JSON": json.dumps({"protected": header, "payload": payload, "signature": signature}),
        "general JSON": json.dumps(
            {"payload": payload, "signatures": [{"protected": header, "signature": signature}]}
        ),
        "too long": good.with_claims(x="y" * 4096),
        "unused bits": _unused_bits(text),
        "one letter more": f"{text}A",
    }


def _unused_bits(text: str) -> str:
    """Return the same bytes in another text: the last letter's unused bits are set."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return text[:-1] + letters[letters.index(text[-1]) | 1]


def _json(good: Good) -> dict[str, str]:
    claims = json.dumps(good.claims).encode()
    header = json.dumps(good.header).encode()
    doubled = {
        "the account": b'"tid":"acc-other"',
        "the end": b'"exp":9999999999',
        "the generation": b'"gen":999',
    }
    made = {f"doubled: {n}": good.signed(payload=claims[:-1] + b"," + d + b"}") for n, d in doubled.items()}
    made |= {
        "doubled alg": good.signed(header[:-1] + b',"alg":"none"}'),
        "doubled kid, escaped": good.signed(header[:-1] + b',"\\u006bid":"stranger"}'),
        "doubled deep inside": good.signed(payload=claims[:-1] + b',"x":[{"a":1,"a":2}]}'),
        "UTF-16 payload": good.signed(payload=json.dumps(good.claims).encode("utf-16")),
        "UTF-32 header": good.signed(json.dumps(good.header).encode("utf-32")),
        "a byte order mark in the payload": good.signed(payload=b"\xef\xbb\xbf" + claims),
        "bytes that are no UTF-8": good.signed(payload=claims[:-1] + b',"x":"\xff"}'),
        "a lone surrogate": good.signed(payload=claims[:-1] + b',"x":"\\ud800"}'),
        "something after": good.signed(payload=claims + b"{}"),
        "a list": good.signed(payload=b"[" + claims + b"]"),
        "a text": good.signed(payload=json.dumps(claims.decode()).encode()),
        "NaN": good.signed(payload=claims[:-1] + b',"x":NaN}'),
        "an overflow": good.signed(payload=claims[:-1] + b',"x":1e999}'),
        "an endless number": good.signed(payload=claims[:-1] + b',"x":' + b"9" * 400 + b"}"),
        "a deep list": good.signed(payload=claims[:-1] + b',"x":' + b"[" * 900 + b"]" * 900 + b"}"),
        "a token in a token": good.signed(payload=good.text().encode()),
    }
    return made


def _claims(good: Good) -> dict[str, str]:
    now = good.claims["iat"]
    assert isinstance(now, int)
    issuer, audience = str(good.claims["iss"]), str(good.claims["aud"])
    cases: dict[str, dict[str, object]] = {
        "expired": {"iat": now - 200 * 86_400, "exp": now - 86_400},
        "not yet": {"nbf": now + 3600},
        "issued in the future": {"iat": now + 3600, "exp": now + 3630},
        "milliseconds": {"exp": now * 1000},
        "ten years": {"exp": now + 10 * 365 * 86_400},
        "ends before it begins": {"exp": now - 1},
        "another issuer": {"iss": "https://evil.example"},
        "an issuer that begins alike": {"iss": f"{issuer}.evil.example"},
        "an issuer with a slash": {"iss": f"{issuer}/"},
        "issuers": {"iss": [issuer]},
        "another audience": {"aud": "privacy2"},
        "two audiences": {"aud": [audience, "other"]},
        "an audience that begins alike": {"aud": f"{audience}x"},
        "no audience in the list": {"aud": []},
        "an audience object": {"aud": {audience: True}},
        "a subject of another namespace": {"sub": "client:7"},
        "a subject number": {"sub": 7},
        "an empty subject": {"sub": ""},
        "a negative generation": {"gen": -1},
        "a generation text": {"gen": "3"},
        "a generation fraction": {"gen": 3.5},
        "a true generation": {"gen": True},
        "an account list": {"tid": [good.claims["tid"]]},
        "an account null": {"tid": None},
        "an installation number": {"ins": 55},
        "an id number": {"jti": 7},
    }
    for name in ("exp", "iat", "nbf"):
        values: dict[str, object] = {
            "a text": str(now + 30),
            "true": True,
            "a list": [now],
            "null": None,
            "negative": -1,
            "zero": 0,
            "an object": {},
            "beyond 2^53": 2**53,
        }
        cases |= {f"{name} is {what}": {name: value} for what, value in values.items()}
    for name in ("iss", "aud", "sub", "exp", "iat", "jti", "tid", "ins", "gen"):
        cases[f"no {name}"] = {name: ...}
    return {name: good.with_claims(**changes) for name, changes in cases.items()}


def _signatures(good: Good) -> dict[str, str]:
    text = good.text()
    signing_input, _, signature = text.rpartition(".")
    raw = decode_segment(signature)
    r, s = raw[:32], raw[32:]
    order = P256_ORDER.to_bytes(32, "big")
    elsewhere = good.with_claims(jti="another").rpartition(".")[2]
    forms = {
        "all zero": bytes(64),
        "r zero": bytes(32) + s,
        "s zero": r + bytes(32),
        "r is the order": order + s,
        "s is the order": r + order,
        "all ones": b"\xff" * 64,
        "swapped": s + r,
        "cut": raw[:-1],
        "longer": raw + b"\0",
        "a zero before": b"\0" + raw,
        "DER": encode_dss_signature(int.from_bytes(r, "big"), int.from_bytes(s, "big")),
        "one bit": bytes([raw[0] ^ 1]) + raw[1:],
        "96 bytes": raw + bytes(32),
    }
    made = {f"signature: {n}": f"{signing_input}.{encode_segment(form)}" for n, form in forms.items()}
    made["signature: of another token"] = f"{signing_input}.{elsewhere}"
    header, payload = signing_input.split(".")
    spaced = encode_segment(json.dumps(json.loads(decode_segment(payload)), indent=1).encode())
    made["the same claims in another text"] = f"{header}.{spaced}.{signature}"
    raised = {**good.claims, "gen": 999}
    made["a raised generation"] = f"{header}.{_part(raised)}.{signature}"
    p384 = ec.generate_private_key(ec.SECP384R1())
    der = p384.sign(signing_input.encode(), ec.ECDSA(hashes.SHA256()))
    made["signature: of another curve"] = f"{signing_input}.{encode_segment(der)}"
    return made
