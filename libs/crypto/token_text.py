"""The text of a token: what is read before any key is looked at (facts: RFC 7515, 4648, 8259).

One token has exactly one text here: no padding, no blanks, no second spelling of a segment.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from dataclasses import dataclass

from libs.crypto.errors import InvalidTokenError

_ALPHABET = re.compile(r"[A-Za-z0-9_.\-]*", re.ASCII)
_TO_STANDARD = bytes.maketrans(b"-_+/", b"+/!!")
_CANONICAL_END = {2: frozenset("AQgw"), 3: frozenset("AEIMQUYcgkosw048")}  # their unused bits are zero
_PADDING = (b"", b"", b"==", b"=")
_MAX_DEPTH = 16
_MAX_DIGITS = 19


@dataclass(frozen=True, slots=True)
class TokenText:
    """A token taken apart, not yet believed.

    Attributes:
        header: the JOSE header.
        payload: its bytes, unparsed.
        signing_input: the received bytes `header.payload`.
        signature: its bytes.
    """

    header: dict[str, object]
    payload: bytes
    signing_input: bytes
    signature: bytes


def take_apart(text: str, max_bytes: int) -> TokenText:
    """Return the parts of a compact JWS.

    Raises:
        InvalidTokenError: `too_long`, `alphabet`, `segments`, `base64` or `json`.
    """
    if len(text) > max_bytes:
        raise InvalidTokenError("too_long")
    if not _ALPHABET.fullmatch(text):
        raise InvalidTokenError("alphabet")
    segments = text.split(".")
    if len(segments) != 3 or not segments[0] or not segments[2]:
        raise InvalidTokenError("segments")
    header, payload, signature = (decode_segment(segment) for segment in segments)
    signing_input = text[: len(segments[0]) + 1 + len(segments[1])].encode("ascii")
    return TokenText(parse_object(header), payload, signing_input, signature)


def decode_segment(segment: str) -> bytes:
    """Return the bytes of a canonical, unpadded base64url text.

    Raises:
        InvalidTokenError: `base64` when another text would mean the same bytes, or none.
    """
    rest = len(segment) % 4
    if rest == 1 or (rest and segment[-1] not in _CANONICAL_END[rest]):
        raise InvalidTokenError("base64")
    try:
        standard = segment.encode("ascii").translate(_TO_STANDARD)
        return binascii.a2b_base64(standard + _PADDING[rest], strict_mode=True)
    except ValueError as error:
        raise InvalidTokenError("base64") from error


def encode_segment(data: bytes) -> str:
    """Return the unpadded base64url text of `data`."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def parse_object(data: bytes) -> dict[str, object]:
    """Return the one JSON object that `data` holds.

    Refuses what two parsers could read differently: other encodings, a byte order mark, doubled members,
    NaN, overflow, lone surrogates, nesting beyond 16 and integers beyond 19 digits.

    Raises:
        InvalidTokenError: `json`.
    """
    try:
        value = _DECODER.decode(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise InvalidTokenError("json") from error
    if not isinstance(value, dict):
        raise InvalidTokenError("json")
    if b"\\u" in data or data.count(b"{") + data.count(b"[") > _MAX_DEPTH:  # else there is nothing to find
        _check(value, 1)
    return value


def _members(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("doubled member")
    return members


def _refuse(text: str) -> object:
    raise ValueError(f"{text} is not JSON")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("overflow")
    return value


def _bounded(text: str) -> int:
    if len(text.lstrip("-")) > _MAX_DIGITS:
        raise ValueError("too many digits")
    return int(text)


def _check(value: object, depth: int) -> None:
    if depth > _MAX_DEPTH:
        raise InvalidTokenError("json")
    if isinstance(value, str):
        _check_text(value)
    elif isinstance(value, dict):
        for name, member in value.items():
            _check_text(name)
            _check(member, depth + 1)
    elif isinstance(value, list):
        for member in value:
            _check(member, depth + 1)


def _check_text(text: str) -> None:
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        raise InvalidTokenError("json")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_members, parse_constant=_refuse, parse_float=_finite, parse_int=_bounded
)
