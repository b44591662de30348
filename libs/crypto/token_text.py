"""The text of a token: what is read before any key is looked at (facts: RFC 7515, 4648, 8259).

One token has exactly one text here: no padding, no blanks, no second spelling of a segment.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from typing import NamedTuple

from libs.crypto.errors import InvalidTokenError
from libs.kernel.strict_json import finite, has_lone_surrogate, no_constant, unique_members

_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."
_TO_STANDARD = bytes.maketrans(b"-_+/", b"+/!!")
_CANONICAL_END = {2: b"AQgw", 3: b"AEIMQUYcgkosw048"}  # their unused bits are zero
_PADDING = (b"", b"", b"==", b"=")
_MAX_DEPTH = 16
_MAX_DIGITS = 19
_SHAPE = bytes.maketrans(b"123456789{", b"000000000[")
_LONG_RUN = b"0" * (_MAX_DIGITS + 1)


class TokenText(NamedTuple):
    """A token taken apart, not yet believed.

    Attributes:
        header: the JOSE header.
        payload: its bytes, unparsed.
        signing_input: the received bytes `header.payload`.
        signature: its bytes.
        header_text: the first segment as received.
    """

    header: dict[str, object]
    payload: bytes
    signing_input: bytes
    signature: bytes
    header_text: bytes


def take_apart(text: str, max_bytes: int, headers: Mapping[bytes, dict[str, object]]) -> TokenText:
    """Return the parts of a compact JWS.

    Args:
        text: as received.
        max_bytes: longer texts are refused unread.
        headers: what first segments say that were parsed before.

    Raises:
        InvalidTokenError: `too_long`, `alphabet`, `segments`, `base64` or `json`.
    """
    if len(text) > max_bytes:
        raise InvalidTokenError("too_long")
    if not text.isascii() or (raw := text.encode("ascii")).translate(None, _ALPHABET):
        raise InvalidTokenError("alphabet")
    segments = raw.split(b".")
    if len(segments) != 3 or not segments[0] or not segments[2]:
        raise InvalidTokenError("segments")
    first, second, third = segments
    header = headers.get(first)
    if header is None:
        header = parse_object(_decode(first))
    signing_input = raw[: len(first) + 1 + len(second)]
    return TokenText(header, _decode(second), signing_input, _decode(third), first)


def decode_segment(segment: str) -> bytes:
    """Return the bytes of a canonical, unpadded base64url text.

    Raises:
        InvalidTokenError: `base64` when another text would mean the same bytes, or none.
    """
    try:
        return _decode(segment.encode("ascii"))
    except UnicodeEncodeError as error:
        raise InvalidTokenError("base64") from error


def _decode(segment: bytes) -> bytes:
    rest = len(segment) % 4
    if rest and (rest == 1 or segment[-1] not in _CANONICAL_END[rest]):
        raise InvalidTokenError("base64")
    try:
        return binascii.a2b_base64(segment.translate(_TO_STANDARD) + _PADDING[rest], strict_mode=True)
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
        text = data.decode("utf-8")
        # Python reads integers of any length: only where there is a run of 20 digits is each one looked at.
        shape = data.translate(_SHAPE)
        decoder = _CAREFUL if _LONG_RUN in shape else _DECODER
        # `decode` looks for blanks around it first, which our own tokens never have.
        value, end = decoder.raw_decode(text) if text.startswith("{") else (None, 0)
        if end != len(text):
            value = decoder.decode(text)
    except (ValueError, RecursionError) as error:
        raise InvalidTokenError("json") from error
    if not isinstance(value, dict):
        raise InvalidTokenError("json")
    if b"\\u" in data or shape.count(b"[") > _MAX_DEPTH:  # else there is nothing to find
        _check(value, 1)
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
    if has_lone_surrogate(text):
        raise InvalidTokenError("json")


_DECODER = json.JSONDecoder(object_pairs_hook=unique_members, parse_constant=no_constant, parse_float=finite)
_CAREFUL = json.JSONDecoder(
    object_pairs_hook=unique_members, parse_constant=no_constant, parse_float=finite, parse_int=_bounded
)
