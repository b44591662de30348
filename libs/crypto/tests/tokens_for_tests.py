"""Tokens that are good, and the parts to make bad ones."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime

from libs.crypto.signer import Signer
from libs.crypto.token_text import encode_segment
from libs.crypto.tokens import CONTEXT_TYP, KeySet, Profile, context_profile

NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)
START = int(NOW.timestamp())
SIGNER = Signer.generate("ctx-1")
KEYS = KeySet([SIGNER.public_key()])
PROFILE: Profile = context_profile("https://auth.setlist.local", "policy")
CLAIMS: dict[str, object] = {
    "iss": "https://auth.setlist.local",
    "aud": "policy",
    "sub": "user:123",
    "tid": "acc-1",
    "ins": "55",
    "gen": 3,
    "peer": "edge",
    "jti": "5f2b",
    "iat": START,
    "exp": START + 60,
    "role": "admin",
    "custom_role_id": 9,
}


def token(
    changes: Mapping[str, object] | None = None, *, without: str | None = None, signer: Signer = SIGNER
) -> str:
    """Return a signed token with some claims changed or one left out."""
    claims = {name: value for name, value in {**CLAIMS, **(changes or {})}.items() if name != without}
    return signer.sign(claims, CONTEXT_TYP)


def signed(header: object, payload: bytes | None = None, *, signer: Signer = SIGNER) -> str:
    """Return a text with any header and payload, correctly signed."""
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    body = json.dumps(CLAIMS).encode() if payload is None else payload
    signing_input = f"{encode_segment(raw)}.{encode_segment(body)}"
    return f"{signing_input}.{encode_segment(signer.sign_bytes(signing_input.encode()))}"


HEADER: dict[str, object] = {"alg": "ES256", "kid": "ctx-1", "typ": CONTEXT_TYP}
