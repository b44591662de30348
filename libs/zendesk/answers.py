"""Reads an answer: its JSON object, or the error that it is."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

import httpx2

from libs.zendesk.errors import ZendeskError, ZendeskUnavailableError, error_of
from libs.zendesk.rate_headers import retry_after
from libs.zendesk.refusals import request_id_of

Json = dict[str, Any]
T = TypeVar("T")


def read_answer(route: str, answer: httpx2.Response, now: datetime) -> Json:
    """Return the JSON object of a success; empty where there is no body.

    Raises:
        ZendeskError: for anything else, redirections included: tokens are never sent to another address.
    """
    parsed = _parsed(answer.content)
    if answer.status_code >= 400:
        raise error_of(route, answer.status_code, parsed, retry_after(answer.headers, now), answer.headers)
    request_id = request_id_of(answer.headers)
    if answer.status_code >= 300:
        raise ZendeskError(route, answer.status_code, "Redirected", request_id=request_id)
    if not isinstance(parsed, dict):
        raise ZendeskUnavailableError(
            route, answer.status_code, "UnreadableBody", done=None, request_id=request_id
        )
    return parsed


def _parsed(content: bytes) -> object:
    if not content.strip():
        return {}
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


def require_whole(route: str, answer: Json) -> None:
    """Refuse a list that goes on by page number where none was asked for: its rest would be lost in silence.

    Raises:
        ZendeskUnavailableError: there is a next page.
    """
    if "meta" not in answer and answer.get("next_page"):
        raise ZendeskUnavailableError(route, 200, "PagedByNumber", done=None)


def shaped(route: str, make: Callable[[], T]) -> T:
    """Return what `make` reads of a JSON value.

    Raises:
        ZendeskUnavailableError: the value has not the shape of what was asked for.
    """
    try:
        return make()
    except (AttributeError, KeyError, TypeError, ValueError):
        pass  # the cause may quote the body
    raise ZendeskUnavailableError(route, 200, "UnexpectedBody", done=None)
