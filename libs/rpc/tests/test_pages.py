"""Page tokens: opaque, sealed, and good for one query only."""

import base64
from typing import Any

import pytest

from libs.kernel.errors import InvalidRequestError
from libs.rpc.pages import MAXIMUM_PAGE_SIZE, PageTokens, page_size, query_of
from libs.rpc.tests.probe import MINE, Request

QUERY = query_of(Request(parent=MINE, words=["a"]))
POSITION = {"after": "2026-01-05T09:00:00Z", "id": "q-secret-7"}


def test_a_token_leads_back_to_its_place() -> None:
    pages = PageTokens(b"key")

    assert pages.decode(pages.encode(POSITION, QUERY), QUERY) == POSITION
    assert pages.decode("", QUERY) == {}


def test_replicas_with_the_same_key_read_each_others_tokens_and_no_others() -> None:
    token = PageTokens(b"key").encode(POSITION, QUERY)

    assert PageTokens(b"key").decode(token, QUERY) == POSITION
    for stranger in (PageTokens(b"other"), PageTokens()):
        with pytest.raises(InvalidRequestError):
            stranger.decode(token, QUERY)


def test_a_token_is_opaque_and_never_twice_the_same() -> None:
    pages = PageTokens(b"key")
    tokens = {pages.encode(POSITION, QUERY) for _ in range(20)}

    assert len(tokens) == 20
    for token in tokens:
        raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        assert b"q-secret-7" not in raw


@pytest.mark.parametrize(
    "other",
    [
        Request(parent="accounts/acc-2", words=["a"]),
        Request(parent=MINE, words=["b"]),
        Request(parent=MINE, words=["a"], size=1),
        Request(parent=MINE),
    ],
)
def test_another_query_or_account_is_refused(other: Any) -> None:
    pages = PageTokens(b"key")
    token = pages.encode(POSITION, QUERY)

    with pytest.raises(InvalidRequestError) as caught:
        pages.decode(token, query_of(other))
    assert [v.field for v in caught.value.violations] == ["page_token"]


def test_the_size_of_a_page_may_change_on_the_way() -> None:
    first = Request(parent=MINE, words=["a"], page_size=2)
    second = Request(parent=MINE, words=["a"], page_size=50, page_token="x")

    assert query_of(first) == query_of(second) == QUERY


def test_a_token_with_any_byte_changed_is_refused() -> None:
    pages = PageTokens(b"key")
    raw = bytearray(base64.urlsafe_b64decode(pages.encode({"i": 1}, QUERY) + "=="))
    for place in range(len(raw)):
        changed = bytes(raw[:place]) + bytes([raw[place] ^ 1]) + bytes(raw[place + 1 :])
        with pytest.raises(InvalidRequestError):
            pages.decode(base64.urlsafe_b64encode(changed).decode(), QUERY)


@pytest.mark.parametrize("token", ["a", "AAAA", "é", "*" * 40, "A" * 5000, "\x00"])
def test_rubbish_is_refused(token: str) -> None:
    with pytest.raises(InvalidRequestError, match="does not belong to this query"):
        PageTokens(b"key").decode(token, QUERY)


def test_sizes() -> None:
    assert page_size(0) == 50
    assert page_size(7) == 7
    assert page_size(10**6) == MAXIMUM_PAGE_SIZE
    assert page_size(0, default=5, maximum=9) == 5
    assert page_size(10, default=5, maximum=9) == 9
    with pytest.raises(InvalidRequestError, match="`-1` is negative"):
        page_size(-1)
