"""Signed URLs as Zendesk makes them, and the parts to make bad ones."""

import json
from collections.abc import Mapping
from datetime import datetime

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from libs.crypto.keys import KeySet
from libs.crypto.token_text import encode_segment

APP, INSTALLATION, SUBDOMAIN = 4242, 55, "acme"
ORIGIN = "https://acme.zendesk.com"


def new_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


APP_KEY = new_key()


def public_pem(key: rsa.RSAPrivateKey = APP_KEY) -> bytes:
    return key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def app_keys() -> dict[int, KeySet]:
    return {APP: KeySet.from_pem(public_pem(), algorithm="RS256")}


def claims(
    now: datetime, user: int, *, subdomain: str = SUBDOMAIN, installation: int = INSTALLATION
) -> dict[str, object]:
    """Return the payload that Zendesk makes when `user` opens the app."""
    start, host = int(now.timestamp()), f"{subdomain}.zendesk.com"
    return {
        "iss": host,
        "aud": f"https://{host}/api/v2/apps/installations/{installation}.json",
        "sub": f"https://{host}/api/v2/users/{user}.json",
        "iat": start,
        "nbf": start,
        "exp": start + 300,
        "qsh": "ab" * 32,
        "context": {"product": "support", "location": "nav_bar"},
    }


def signing_input(payload: Mapping[str, object], header: Mapping[str, object] | None = None) -> bytes:
    head = {"alg": "RS256", "typ": "JWT"} if header is None else header
    return b".".join(encode_segment(json.dumps(dict(part)).encode()).encode() for part in (head, payload))


def signed(
    payload: Mapping[str, object],
    key: rsa.RSAPrivateKey = APP_KEY,
    header: Mapping[str, object] | None = None,
) -> str:
    """Return the token."""
    text = signing_input(payload, header)
    signature = key.sign(text, padding.PKCS1v15(), hashes.SHA256())
    return f"{text.decode()}.{encode_segment(signature)}"
