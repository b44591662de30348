"""Envoy's external authorization over the real chain, and its bytes by Envoy's field numbers (facts: policy §6)."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from typing import Any

import grpc
import pytest
import pytest_asyncio
from envoy.service.auth.v3 import external_auth_pb2 as envoy
from envoy.service.auth.v3.external_auth_pb2_grpc import (
    AuthorizationStub,
    add_AuthorizationServicer_to_server,
)

from libs.clients.verifier import ContextKeys
from libs.crypto.keys import KeySet
from libs.kernel.errors import DependencyUnavailableError
from libs.rpc.identity import VerifiedContext
from libs.rpc.peers import rules
from libs.testing.rpc import ISSUER, Rpc, rpc_harness
from services.policy.rpc.ext_authz import AUTHORIZATION, DISGUISES, IDENTITY_HEADERS, PEER, ExtAuthz
from services.policy.tests.world import World

ROUTE = {
    "account": "acc-1",
    "object_type": "product",
    "path": "/products /products/{id}",
    "token_peer": "edge",
}
END_USER_PATCH = {
    "rbac": {"end_user": {"read": True}},
    "rebac": {"user_to_many_products": {"end_user": {"update": True}}},
}


class Switch:
    """The harness's keys; a test may take them away, or cut the feed of revocations."""

    def __init__(self, clock: Any) -> None:
        self.rpc: Rpc | None = None
        self.failing: Exception | None = None
        self.stale = False
        self._keys = ContextKeys(self._source, ISSUER, clock)

    async def _source(self) -> KeySet:
        assert self.rpc is not None
        return KeySet([self.rpc.signer.public_key()])

    async def verify(self, token: str, audience: str) -> VerifiedContext:
        if self.failing is not None:
            raise self.failing
        return replace(await self._keys.verify(token, audience), stale=self.stale)


@dataclass(frozen=True)
class Served:
    """A served account: product p1 belongs to end user 5."""

    world: World
    rpc: Rpc
    verifier: Switch

    def headers(self, user: int | None = 5, role: str = "end_user", **claims: object) -> dict[str, str]:
        metadata = self.rpc.token(user=user, role=role, **claims)  # type: ignore[arg-type]  # claims by name
        return {"authorization": metadata[0][1], "x-setlist-user": "1", "x-setlist-role": "admin"}

    async def ask(
        self,
        method: str = "PATCH",
        path: str = "/products/p1",
        headers: dict[str, str] | None = None,
        principal: str = "",
        peer: str = PEER,
        **extensions: str | None,
    ) -> envoy.CheckResponse:
        route = {name: value for name, value in {**ROUTE, **extensions}.items() if value is not None}
        request = envoy.CheckRequest(
            attributes=envoy.AttributeContext(
                source=envoy.AttributeContext.Peer(principal=principal),
                request=envoy.AttributeContext.Request(
                    http=envoy.AttributeContext.HttpRequest(
                        method=method, path=path, headers=self.headers() if headers is None else headers
                    )
                ),
                context_extensions=route,
            )
        )
        return await AuthorizationStub(self.rpc.channel(peer)).Check(request)


@pytest_asyncio.fixture
async def served() -> AsyncIterator[Served]:
    world = await World.fresh()
    await world.patch(END_USER_PATCH)
    await world.relate(5, "p1")
    verifier = Switch(world.clock)
    servicer = ExtAuthz(world.use.check, verifier)

    def add(server: grpc.aio.Server) -> None:
        add_AuthorizationServicer_to_server(servicer, server)

    peers = rules(AUTHORIZATION, ["Check"], PEER, context=False)
    async with rpc_harness("policy", peers, [AUTHORIZATION], add, clock=world.clock) as rpc:
        verifier.rpc = rpc
        yield Served(world, rpc, verifier)


def put(options: Any) -> dict[str, str]:
    """Return headers; each is an overwrite."""
    assert {o.append_action for o in options} <= {envoy.HeaderValueOption.OVERWRITE_IF_EXISTS_OR_ADD}
    return {o.header.key: o.header.value for o in options}


def reason(response: envoy.CheckResponse) -> str:
    return str(response.dynamic_metadata["reason"])


async def test_an_allowed_request_goes_on_with_who_it_is(served: Served) -> None:
    response = await served.ask()

    assert response.status.code == 0
    assert reason(response) == "REBAC:user_to_many_products"
    headers = put(response.ok_response.headers)
    assert headers.pop("x-setlist-decision-id")
    assert headers == {"x-setlist-account": "acc-1", "x-setlist-user": "5", "x-setlist-role": "end_user"}
    off = set(response.ok_response.headers_to_remove)
    assert off == {"x-setlist-custom-role", "authorization", *DISGUISES}
    assert not off & set(put(response.ok_response.headers))  # Envoy takes off last


async def test_every_identity_header_is_put_or_taken_off(served: Served) -> None:
    headers = served.headers(3, "agent", custom_role_id=8237)
    response = await served.ask(headers=headers, forward_token="true")
    there = set(put(response.ok_response.headers))

    assert put(response.ok_response.headers)["x-setlist-custom-role"] == "8237"
    assert there | set(response.ok_response.headers_to_remove) == {*IDENTITY_HEADERS, *DISGUISES}


async def test_a_denied_request_gets_a_decision_id_and_no_reason(served: Served) -> None:
    response = await served.ask(path="/products/p2")

    assert response.status.code == grpc.StatusCode.PERMISSION_DENIED.value[0]
    assert response.denied_response.status.code == 403
    body, headers = json.loads(response.denied_response.body), put(response.denied_response.headers)
    assert headers["content-type"] == "application/json"
    assert headers["x-setlist-decision-id"] == body["decision_id"] != ""
    assert (body["error"], set(body)) == ("forbidden", {"error", "message", "decision_id"})
    assert reason(response) == "NO_RULE_ALLOWS"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/products/p2", True),
        ("HEAD", "/products", True),
        ("POST", "/products", False),
        ("PUT", "/products/p1", True),
        ("PATCH", "/products//x/..//p%31?a=1", True),
        ("DELETE", "/products/p1", False),
        ("PATCH", "/products", False),
        ("PATCH", "/products/p1/", True),
    ],
)
async def test_methods_and_paths(served: Served, method: str, path: str, allowed: bool) -> None:
    assert ((await served.ask(method, path)).status.code == 0) is allowed


async def test_a_route_may_map_methods_otherwise(served: Served) -> None:
    allowed = await served.ask("POST", actions="POST=update,PATCH=-")
    denied = await served.ask("PATCH", actions="POST=update,PATCH=-")

    assert (allowed.status.code, reason(denied)) == (0, "UNKNOWN_METHOD")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"method": "TRACE"}, "UNKNOWN_METHOD"),
        ({"method": "patch"}, "UNKNOWN_METHOD"),
        ({"method": ""}, "UNKNOWN_METHOD"),
        ({"path": "/tickets/p1"}, "UNKNOWN_PATH"),
        ({"path": "/products/p1/.."}, "NO_RECORD"),
        ({"path": "/products/%2e%2e/products%2fp1"}, "BAD_PATH"),
        ({"path": ""}, "BAD_PATH"),
        ({"path": "/products/" + "p" * 201}, "NO_RECORD"),
        ({"account": None}, "BAD_ROUTE"),
        ({"acount": "acc-1"}, "BAD_ROUTE"),
        ({"account": "acc-2"}, "OTHER_ACCOUNT"),
        ({"object_type": "planet"}, "UNKNOWN_TYPE"),
    ],
)
async def test_what_does_not_fit_is_forbidden(served: Served, change: dict[str, Any], expected: str) -> None:
    response = await served.ask(**change)

    assert (response.denied_response.status.code, reason(response)) == (403, expected)
    assert response.status.code == grpc.StatusCode.PERMISSION_DENIED.value[0]
    assert expected not in response.denied_response.body


async def test_nobody_is_believed_without_a_token(served: Served) -> None:
    good = served.headers()["authorization"]
    for headers, expected in (
        ({}, "NO_TOKEN"),
        ({"x-setlist-user": "1", "x-setlist-role": "admin"}, "NO_TOKEN"),
        ({"authorization": good.removeprefix("Bearer ")}, "NO_TOKEN"),
        ({"authorization": good.replace("Bearer", "Basic")}, "NO_TOKEN"),
        ({"authorization": good[:-4]}, "BAD_TOKEN"),
        ({"authorization": f"{good},{good}"}, "BAD_TOKEN"),
        (served.headers(aud="assignment"), "BAD_TOKEN"),
        (served.headers(exp=1), "BAD_TOKEN"),
        (served.headers(peer="assignment"), "OTHER_PEER"),
        (served.headers(user=None), "NO_PERSON"),
    ):
        response = await served.ask(headers=headers)
        assert (response.denied_response.status.code, reason(response)) == (401, expected)
        assert response.status.code == grpc.StatusCode.UNAUTHENTICATED.value[0]
        assert put(response.denied_response.headers)["www-authenticate"] == 'Bearer realm="setlist"'
        assert json.loads(response.denied_response.body)["error"] == "unauthorized"


async def test_a_token_of_another_account_is_forbidden(served: Served) -> None:
    response = await served.ask(headers=served.headers(tid="acc-2"))

    assert reason(response) == "OTHER_ACCOUNT"


async def test_the_header_of_the_token_is_the_routes(served: Served) -> None:
    good = served.headers()["authorization"]
    for value in (good, good.removeprefix("Bearer ")):
        response = await served.ask(headers={"x-token": value}, token_header="X-Token")
        assert response.status.code == 0
        assert "x-token" in response.ok_response.headers_to_remove
    response = await served.ask(headers={"authorization": good}, token_header="x-token")
    assert reason(response) == "NO_TOKEN"


@pytest.mark.parametrize(
    ("principal", "allowed"),
    [
        ("spiffe://setlist.local/ns/setlist/sa/edge", True),
        ("spiffe://setlist.local/ns/setlist/sa/assignment", False),
        ("spiffe://setlist.local/ns/setlist/sa/edge/x", False),
        ("CN=edge", False),
        ("", False),
    ],
)
async def test_a_token_is_good_from_one_peer(served: Served, principal: str, allowed: bool) -> None:
    response = await served.ask(principal=principal, token_peer=None)

    assert (response.status.code == 0) is allowed
    if not allowed:
        assert reason(response) == "OTHER_PEER"


@pytest.mark.parametrize(
    "failure", [DependencyUnavailableError("no keys"), RuntimeError("secret"), TimeoutError("secret")]
)
async def test_faults_of_ours_refuse(served: Served, failure: Exception) -> None:
    served.verifier.failing = failure
    response = await served.ask()

    assert response.denied_response.status.code == 503
    assert response.status.code == grpc.StatusCode.UNAVAILABLE.value[0]
    assert "secret" not in str(response)


async def test_only_reads_go_on_while_nobody_knows_what_was_revoked(served: Served) -> None:
    served.verifier.stale = True

    assert (await served.ask("GET")).status.code == 0
    response = await served.ask("PATCH")
    assert (response.denied_response.status.code, reason(response)) == (503, "REVOCATIONS_UNKNOWN")


async def test_an_empty_request_is_refused(served: Served) -> None:
    response = await AuthorizationStub(served.rpc.channel(PEER)).Check(envoy.CheckRequest())

    assert (response.denied_response.status.code, reason(response)) == (403, "BAD_ROUTE")


@pytest.mark.parametrize("peer", ["edge", "assignment", "ops"])
async def test_only_envoy_may_ask(served: Served, peer: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await served.ask(peer=peer)

    assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED


def part(number: int, value: bytes) -> bytes:
    """Return a length-delimited field with a number below 16 and less than 16 KiB."""
    assert number < 16
    size = len(value)
    length = [size] if size < 128 else [size & 127 | 128, size >> 7]
    return bytes([number << 3 | 2, *length]) + value


def pair(key: str, value: str) -> bytes:
    return part(1, key.encode()) + part(2, value.encode())


def test_requests_are_read_by_envoys_numbers() -> None:
    http = (
        part(1, b"id-1")
        + part(2, b"GET")
        + part(3, pair("authorization", "Bearer x"))
        + part(4, b"/products/p1?q=1")
        + part(5, b"host")
        + part(6, b"https")
        + part(10, b"HTTP/2")
    )
    source = part(1, b"") + part(2, b"svc") + part(4, b"spiffe://a/ns/b/sa/edge") + part(5, b"pem")
    attributes = (
        part(1, source)
        + part(2, part(4, b"other"))
        + part(4, part(1, b"") + part(2, http))
        + part(10, pair("account", "acc-1"))
        + part(11, b"")
        + part(12, part(1, b"sni"))
    )
    request = envoy.CheckRequest.FromString(part(1, attributes))

    assert request.attributes.source.principal == "spiffe://a/ns/b/sa/edge"
    assert request.attributes.request.http.method == "GET"
    assert request.attributes.request.http.path == "/products/p1?q=1"
    assert dict(request.attributes.request.http.headers) == {"authorization": "Bearer x"}
    assert dict(request.attributes.context_extensions) == {"account": "acc-1"}


def fields(raw: bytes) -> Iterator[tuple[int, Any]]:
    """Yield the fields of a message: numbers, and bytes or integers (one byte each is enough here)."""
    at = 0
    while at < len(raw):
        number, kind, value = raw[at] >> 3, raw[at] & 7, raw[at + 1]
        at += 2
        if kind == 0 and value > 127:
            value, at = value - 128 + (raw[at] << 7), at + 1
        if kind == 2:
            assert value < 128
            yield number, raw[at : at + value]
            at += value
        else:
            assert kind == 0
            yield number, value


def test_answers_are_written_by_envoys_numbers() -> None:
    option = envoy.HeaderValueOption(
        header=envoy.HeaderValue(key="k", value="v"),
        append_action=envoy.HeaderValueOption.OVERWRITE_IF_EXISTS_OR_ADD,
    )
    ok = envoy.CheckResponse(
        ok_response=envoy.OkHttpResponse(
            headers=[option], headers_to_remove=["x"], response_headers_to_add=[option]
        )
    )
    ((number, raw),) = fields(ok.SerializeToString())
    put_on = [(1, b"\x0a\x01k\x12\x01v"), (3, 2)]
    assert number == 3
    assert [n for n, _ in fields(raw)] == [2, 5, 6]
    assert list(fields(dict(fields(raw))[2])) == put_on

    denied = envoy.CheckResponse(
        denied_response=envoy.DeniedHttpResponse(
            status=envoy.HttpStatus(code=403), headers=[option], body="b"
        )
    )
    denied.status.code = 7
    denied.dynamic_metadata.update({"a": "b"})
    found = dict(fields(denied.SerializeToString()))
    assert set(found) == {1, 2, 4}
    assert found[1] == b"\x08\x07"
    assert next(iter(fields(found[2]))) == (1, b"\x08\x93\x03")
    assert [n for n, _ in fields(found[2])] == [1, 2, 3]


def test_the_method_is_envoys() -> None:
    (method,) = AUTHORIZATION.methods
    assert f"/{AUTHORIZATION.full_name}/{method.name}" == "/envoy.service.auth.v3.Authorization/Check"
