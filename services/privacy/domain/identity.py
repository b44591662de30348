"""People as keyed hashes (facts: privacy §7): the same person gives the same token, in one account only."""

from __future__ import annotations

import hashlib
import hmac
import re
import unicodedata
from collections.abc import Sequence

Identity = tuple[str, str]
"""(type, value): `zendesk_user_id`, `email`, `phone` or `external_id`."""
RULE = "v1"
"""Version of the normalisation; part of every token."""
USER = "zendesk_user_id"
MAXIMUM_IDENTITIES = 100
"""The participant contract takes no more."""
_FORMS = {
    USER: (re.compile(r"0*[1-9][0-9]{0,18}"), "must be a Zendesk user id in decimal digits"),
    "email": (re.compile(r"[^@\s]+@[^@\s]+"), "must be an e-mail address"),
    "phone": (re.compile(r"\+[1-9][0-9]{1,14}"), "must be a phone number in E.164"),
    "external_id": (re.compile(r".*\S.*", re.DOTALL), "must not be blank"),
}


def fault(identity: Identity) -> str | None:
    """Return what is wrong with an identity, None when nothing is. The value is never repeated."""
    kind, value = identity
    form, sentence = _FORMS[kind]
    return None if form.fullmatch(value.strip()) else sentence


def normalised(kind: str, value: str) -> str:
    """Return a value as it is hashed: trimmed, NFC, e-mail in lower case, a user id without leading zeros."""
    text = unicodedata.normalize("NFC", value.strip())
    if kind == "email":
        return text.lower()
    return text.lstrip("0") if kind == USER else text


def commitment(key: bytes, kind: str, value: str) -> str:
    """Return the token of one identifier: HMAC-SHA-256 with the account's key, as hex."""
    text = f"{RULE}|{kind}|{normalised(kind, value)}"
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def users(identities: Sequence[Identity]) -> list[int]:
    """Return the Zendesk user ids among a person's identities, in ascending order."""
    return sorted({int(value) for kind, value in identities if kind == USER})
