"""What may be repeated of a refusal of Zendesk's: its codes and its own fixed sentences, nothing a person wrote.

Zendesk spells errors three ways: `error` as a string, `error` as an object with title and message, and
`errors` as a list (facts: Zendesk §2.2). Its descriptions quote what was sent ("Email: ann@example.com is
already being used"), so only sentences that are known to quote nothing are kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.]{0,63}")
_REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{1,80}")
_TITLES = frozenset({"Invalid attribute", "Too Many Requests", "Couldn't authenticate you"})
_SENTENCES = re.compile(
    "|".join(
        (
            r"Not found",
            r"Record validation errors",
            r"Parameter {1,2}cannot specify more than \d+ values",
            r"Maximum \d+ users may be created per call",
            r"Safe Update prevented the update due to outdated ticket data\.",
            r"Too recent start_time\. Use a start_time older than \d+ minutes?",
            r"The access token provided is expired, revoked, malformed or invalid for other reasons\.",
            r"Too many jobs are queued or running",
            r"Number of allowed API requests per minute exceeded",
            r"You do not have access to this page\.",
        )
    )
)


def code_of(body: object) -> str:
    """Return Zendesk's error code of an answer or of a row of a job; empty when there is none to be trusted."""
    for text in _codes(body):
        if _CODE.fullmatch(text) or text in _TITLES:
            return text
    return ""


def _codes(body: object) -> Iterator[str]:
    if not isinstance(body, Mapping):
        return
    error, errors = body.get("error"), body.get("errors")
    if isinstance(error, str):
        yield error
    if isinstance(error, Mapping):
        yield from (str(error[key]) for key in ("title", "code") if error.get(key))
    first = errors[0] if isinstance(errors, list) and errors else None
    if isinstance(first, Mapping):
        yield from (str(first[key]) for key in ("code", "title") if first.get(key))


def description_of(body: object) -> str:
    """Return Zendesk's description as far as it is one of its fixed sentences."""
    if not isinstance(body, Mapping):
        return ""
    error = body.get("error")
    nested = error.get("message") if isinstance(error, Mapping) else None
    for text in (body.get("description"), body.get("error_description"), nested):
        if isinstance(text, str) and (found := _SENTENCES.match(text)):
            return found[0].removesuffix(".")
    return ""


def details_of(body: object) -> dict[str, tuple[str, ...]]:
    """Return the names of the refused fields with the codes of what was wrong with each."""
    details: Any = body.get("details") if isinstance(body, Mapping) else None
    if not isinstance(details, Mapping):
        return {}
    return {str(k): tuple(_faults(v)) for k, v in details.items() if _NAME.fullmatch(str(k))}


def _faults(rows: object) -> Iterator[str]:
    for row in rows if isinstance(rows, list) else ():
        if isinstance(row, Mapping) and _CODE.fullmatch(str(row.get("error") or "")):
            yield str(row["error"])


def request_id_of(headers: Mapping[str, str]) -> str:
    """Return Zendesk's id of the request, for its support; empty when it is odd or missing."""
    text = headers.get("x-request-id") or headers.get("x-zendesk-request-id") or ""
    return text if _REQUEST_ID.fullmatch(text) else ""
