"""The standard endpoints: who may ask, what is told, and that a dead token tells nothing."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote, quote_plus, urlencode

import httpx2
import pytest
import pytest_asyncio

from services.edge.http.oauth_clients import read_oauth_clients
from services.edge.http.oauth_form import MAXIMUM_BYTES
from services.edge.tests.token_book import ISSUER, PUBLIC_URL, TokenBook, open_edge, secret

ENDPOINTS = ("/oauth/introspect", "/oauth/revoke")
FORM = {"content-type": "application/x-www-form-urlencoded"}


@pytest.fixture
def book() -> TokenBook:
    return TokenBook()  # type: ignore[abstract]  # the other methods answer UNIMPLEMENTED


@pytest_asyncio.fixture
async def edge(tmp_path: Path, book: TokenBook) -> AsyncIterator[httpx2.AsyncClient]:
    async with open_edge(tmp_path, book) as http:
        yield http


def basic(client: str, password: str | None = None) -> dict[str, str]:
    """Return RFC 6749's Basic: id and secret are form-encoded first."""
    pair = f"{quote_plus(client)}:{quote_plus(secret(client) if password is None else password)}"
    return {"authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}


async def test_a_living_token_says_what_it_says_and_nobody_caches_it(edge: httpx2.AsyncClient) -> None:
    answer = await edge.post("/oauth/introspect", data={"token": "living"}, headers=basic("gateway"))

    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json() == {
        "active": True,
        "token_type": "Bearer",
        "iss": ISSUER,
        "sub": "zendesk:acme",
        "aud": f"{ISSUER}/edge",
        "iat": 1_767_600_000,
        "exp": 1_775_376_000,
        "tid": "acc-1",
        "ins": "55",
        "jti": "tok-1",
    }


@pytest.mark.parametrize("token", ["dead", "a.b.c", "living ", "\x00", "\u0435", "x" * 5000])
@pytest.mark.parametrize("hint", [None, "access_token", "refresh_token", "nonsense"])
async def test_a_dead_token_is_not_active_and_nothing_else(
    edge: httpx2.AsyncClient, token: str, hint: str | None
) -> None:
    data = {"token": token} | ({"token_type_hint": hint} if hint else {})
    answer = await edge.post("/oauth/introspect", data=data, headers=basic("gateway"))

    assert (answer.status_code, answer.content) == (200, b'{"active":false}')


async def test_a_wrong_hint_hides_no_living_token(edge: httpx2.AsyncClient) -> None:
    data = {"token": "living", "token_type_hint": "refresh_token"}
    answer = await edge.post("/oauth/introspect", data=data, headers=basic("gateway"))

    assert answer.json()["active"] is True


@pytest.mark.parametrize("path", ENDPOINTS)
@pytest.mark.parametrize(
    "headers",
    [
        {},
        basic("desk", "wrong"),
        basic("nobody", "wrong"),
        basic("desk", ""),
        {"authorization": "Basic"},
        {"authorization": "Basic !!!"},
        {"authorization": "Basic " + base64.b64encode(b"no colon").decode()},
        {"authorization": "Basic " + base64.b64encode("désk:x".encode()).decode()},
        {"authorization": "Basic " + base64.b64encode(b"desk:%ff").decode()},
        {"authorization": "Bearer living"},
    ],
)
async def test_whoever_is_not_known_gets_one_answer(
    edge: httpx2.AsyncClient, book: TokenBook, path: str, headers: dict[str, str]
) -> None:
    answer = await edge.post(path, data={"token": "living"}, headers=headers)

    assert answer.status_code == 401
    assert answer.json() == {"error": "invalid_client", "error_description": "the client is not known"}
    assert answer.headers["www-authenticate"].startswith("Basic")
    assert book.revoked == []


async def test_two_authorization_headers_are_nobodys(edge: httpx2.AsyncClient) -> None:
    request = edge.build_request("POST", "/oauth/introspect", data={"token": "living"})
    request.headers = httpx2.Headers(
        [*request.headers.raw, *[(b"authorization", basic("desk")["authorization"].encode())] * 2]
    )

    assert (await edge.send(request)).status_code == 401


async def test_a_client_may_send_its_secret_in_the_form_and_not_in_two_places(
    edge: httpx2.AsyncClient,
) -> None:
    post = {"token": "living", "client_id": "desk", "client_secret": secret("desk")}
    assert (await edge.post("/oauth/introspect", data=post)).json()["active"] is True
    both = await edge.post("/oauth/introspect", data=post, headers=basic("desk"))

    assert (both.status_code, both.json()["error"]) == (400, "invalid_request")


async def test_a_client_does_only_what_it_may(edge: httpx2.AsyncClient, book: TokenBook) -> None:
    answer = await edge.post("/oauth/revoke", data={"token": "living"}, headers=basic("gateway"))

    assert (answer.status_code, answer.json()["error"]) == (403, "unauthorized_client")
    assert book.revoked == []


async def test_a_client_of_one_account_sees_no_other(edge: httpx2.AsyncClient, book: TokenBook) -> None:
    mine = await edge.post("/oauth/introspect", data={"token": "living"}, headers=basic("acme"))
    other = await edge.post("/oauth/introspect", data={"token": "of another"}, headers=basic("acme"))
    revoked = await edge.post("/oauth/revoke", data={"token": "of another"}, headers=basic("acme"))

    assert mine.json()["active"] is True
    assert other.content == b'{"active":false}'
    assert (revoked.status_code, book.revoked) == (200, [])
    assert (
        await edge.post("/oauth/revoke", data={"token": "living"}, headers=basic("acme"))
    ).status_code == 200
    assert book.revoked == ["living"]


async def test_revoking_is_the_same_answer_whatever_was_there(
    edge: httpx2.AsyncClient, book: TokenBook
) -> None:
    answers = [
        await edge.post("/oauth/revoke", data={"token": token}, headers=basic("desk"))
        for token in ("living", "living", "dead", "a.b.c")
    ]

    assert {(a.status_code, a.content) for a in answers} == {(200, b"")}
    assert "living" not in book.tokens
    dead = await edge.post("/oauth/introspect", data={"token": "living"}, headers=basic("desk"))
    assert dead.content == b'{"active":false}'


async def test_a_token_that_dies_by_itself_is_of_an_unsupported_type(edge: httpx2.AsyncClient) -> None:
    answer = await edge.post("/oauth/revoke", data={"token": "context"}, headers=basic("desk"))

    assert (answer.status_code, answer.json()["error"]) == (400, "unsupported_token_type")


@pytest.mark.parametrize("path", ENDPOINTS)
async def test_what_could_not_be_stored_or_read_is_tried_again_later(
    edge: httpx2.AsyncClient, book: TokenBook, path: str
) -> None:
    book.away = True
    answer = await edge.post(path, data={"token": "living"}, headers=basic("desk"))

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert answer.headers["cache-control"] == "no-store"
    assert "database" not in answer.text


@pytest.mark.parametrize("path", ENDPOINTS)
@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"", FORM, 400),
        (b"token=", FORM, 400),
        (b"token_type_hint=access_token", FORM, 400),
        (b"token=living&token=living", FORM, 400),
        (b"token=living&x=1&x=2", FORM, 400),
        (b"token=%ff", FORM, 400),
        (b"token=\xff", FORM, 400),
        (b"token", FORM, 400),
        (urlencode({f"x{n}": n for n in range(99)}).encode(), FORM, 400),
        (b"token=" + b"x" * MAXIMUM_BYTES, FORM, 413),
        (b'{"token":"living"}', {"content-type": "application/json"}, 400),
        (b"token=living", {"content-type": "text/plain"}, 400),
        (b"token=living", {}, 400),
    ],
)
async def test_a_malformed_request_is_refused(
    edge: httpx2.AsyncClient, path: str, body: bytes, headers: dict[str, str], status: int
) -> None:
    answer = await edge.post(path, content=body, headers={**headers, **basic("desk")})

    assert (answer.status_code, answer.json()["error"]) == (status, "invalid_request")


@pytest.mark.parametrize("path", ENDPOINTS)
async def test_a_token_never_travels_in_an_address(
    edge: httpx2.AsyncClient, book: TokenBook, path: str
) -> None:
    assert (await edge.get(f"{path}?token=living", headers=basic("desk"))).status_code == 405
    answer = await edge.post(f"{path}?token=living", headers={**FORM, **basic("desk")})

    assert (answer.status_code, book.revoked) == (400, [])


async def test_the_metadata_names_what_is_there(edge: httpx2.AsyncClient) -> None:
    answer = await edge.get(
        "/.well-known/oauth-authorization-server",
        headers={"host": "evil.example", "x-forwarded-host": "evil"},
    )
    document = answer.json()

    assert answer.headers["cache-control"] == "public, max-age=300"
    assert document["issuer"] == ISSUER
    for name, path in {
        "jwks_uri": "/.well-known/jwks.json",
        "introspection_endpoint": "/oauth/introspect",
        "revocation_endpoint": "/oauth/revoke",
    }.items():
        assert document[name] == PUBLIC_URL + path
        assert (await edge.request("GET", path)).status_code in (200, 405)
    assert document["introspection_endpoint_auth_methods_supported"] == [
        "client_secret_basic",
        "client_secret_post",
    ]
    assert (document["response_types_supported"], document["grant_types_supported"]) == ([], [])


async def test_the_key_set_is_cached_and_told_apart(edge: httpx2.AsyncClient, book: TokenBook) -> None:
    first = await edge.get("/.well-known/jwks.json")
    assert [key["kid"] for key in first.json()["keys"]] == ["ins-1"]
    assert first.headers["cache-control"] == "public, max-age=300"
    tag = first.headers["etag"]

    for known in (tag, f"W/{tag}", f'"x", {tag}', "*"):
        same = await edge.get("/.well-known/jwks.json", headers={"if-none-match": known})
        assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", tag)
    assert (await edge.get("/.well-known/jwks.json", headers={"if-none-match": "rubbish"})).status_code == 200

    book.keys.append({"kty": "EC", "kid": "ins-2"})
    changed = await edge.get("/.well-known/jwks.json", headers={"if-none-match": tag})
    assert changed.status_code == 200
    assert changed.headers["etag"] != tag


GOOD = {"client_id": "desk", "secret_sha256": hashlib.sha256(b"x").hexdigest(), "may": ["revoke"]}


@pytest.mark.parametrize(
    ("entries", "complaint"),
    [
        ({}, "no JSON array"),
        ([7], "entry 0"),
        ([{**GOOD, "extra": 1}], "entry 0"),
        ([{k: v for k, v in GOOD.items() if k != "may"}], "entry 0"),
        ([GOOD, {**GOOD, "client_id": "a b"}], "entry 1: client_id"),
        ([{**GOOD, "secret_sha256": "abc"}], "secret_sha256"),
        ([{**GOOD, "may": []}], "may must list"),
        ([{**GOOD, "may": ["delete"]}], "may must list"),
        ([{**GOOD, "account": "../x"}], "account"),
        ([GOOD, GOOD], "same client_id"),
    ],
)
def test_a_file_of_clients_that_cannot_be_used_says_where(
    tmp_path: Path, entries: object, complaint: str
) -> None:
    path = tmp_path / quote("clients.json")
    path.write_text(json.dumps(entries))

    with pytest.raises(ValueError, match=complaint) as caught:
        read_oauth_clients(path)
    assert str(GOOD["secret_sha256"]) not in str(caught.value)
    with pytest.raises(ValueError, match="cannot be read"):
        read_oauth_clients(tmp_path / "none.json")
    assert read_oauth_clients(None) == {}
