"""Every port of every service is tried by whoever must not come in; health alone answers in plain (facts: auth §8)."""

from __future__ import annotations

import socket
import ssl
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import pytest
from cryptography import x509
from grpc_health.v1 import health_pb2, health_pb2_grpc

from libs.crypto.ca import Credentials, ThrowAwayCa
from libs.rpc.peers import PeerTable
from libs.testing.postgres import FreshDatabase
from services.assignment.main import DEFINITION as ASSIGNMENT
from services.auth.main import DEFINITION as AUTH
from services.policy.main import DEFINITION as POLICY
from services.privacy.main import DEFINITION as PRIVACY
from tests.e2e.certificates import named
from tests.e2e.guarded import Guarded, guarded_suite, outcome, wait_until
from tools.demo.house import HEALTH, HOST, SERVICES

pytestmark = [pytest.mark.e2e, pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")]

PEERS: dict[str, PeerTable] = {one.name: one.peers for one in (AUTH, POLICY, ASSIGNMENT, PRIVACY)}
EACH = pytest.mark.parametrize("name", SERVICES)
EDGE = "spiffe://setlist.local/ns/setlist/sa/edge"
REFLECTION = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
CERTIFICATE_SECONDS = 30.0
"""Three times the period in which a service looks at its certificate."""


@pytest.fixture(scope="module")
def suite(
    fresh_database: FreshDatabase, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Guarded]]:
    with guarded_suite(tmp_path_factory.mktemp("guarded"), fresh_database) as running:
        yield running


def some_method(name: str) -> str:
    return next(iter(PEERS[name]))


def test_the_tables_are_those_of_every_service() -> None:
    assert PEERS.keys() == SERVICES.keys()


@EACH
def test_a_service_listens_on_two_ports_and_no_more(suite: dict[str, Guarded], name: str) -> None:
    assert suite[name].listening() == {suite[name].port, suite[name].port + HEALTH}


@EACH
def test_nobody_gets_a_connection_without_our_living_certificate(
    suite: dict[str, Guarded], name: str
) -> None:
    one = suite[name]
    foreign, past = ThrowAwayCa(), datetime.now(UTC) - timedelta(minutes=1)
    stranger = foreign.issue("ops")
    refused = {
        "plain text": None,
        "no certificate": grpc.ssl_channel_credentials(one.ca.certificate),
        "a foreign authority": one.as_peer(stranger),
        "a foreign authority with our names": one.as_peer(
            named(foreign, stranger, EDGE.replace("edge", "ops"))
        ),
        "expired": one.as_peer(one.ca.issue("ops", not_after=past)),
    }

    assert {case: one.outcome(given, some_method(name)) for case, given in refused.items()} == dict.fromkeys(
        refused, "UNAVAILABLE"
    )
    # The same call with a good certificate arrives: it was the handshake that refused.
    assert one.outcome(one.as_peer(one.ca.issue("nobody")), some_method(name)) == "PERMISSION_DENIED"


@EACH
def test_a_good_certificate_with_a_wrong_name_may_call_no_method_at_all(
    suite: dict[str, Guarded], name: str
) -> None:
    one = suite[name]
    ca, key = one.ca, one.ca.issue("edge")
    wrong = {
        "an unknown account": ca.issue("stranger"),
        "another namespace": ca.issue("ops", "other"),
        "two ids": named(ca, key, EDGE, EDGE.replace("edge", "ops")),
        "no id": named(ca, key),
        "another trust domain": named(ca, key, EDGE.replace(".local", ".example")),
        "a longer id": named(ca, key, f"{EDGE}/x"),
        "an id in capitals": named(ca, key, EDGE.replace("sa/edge", "sa/EDGE")),
    }
    for case, given in wrong.items():
        with grpc.secure_channel(one.address, one.as_peer(given)) as channel:
            for method in (*PEERS[name], REFLECTION):
                assert outcome(channel, method) == "PERMISSION_DENIED", (case, method)


@EACH
def test_every_method_lets_in_its_own_peers_alone(suite: dict[str, Guarded], name: str) -> None:
    one = suite[name]
    for peer in ("edge", "auth", "policy", "assignment", "privacy", "ops"):
        with grpc.secure_channel(one.address, one.as_peer(one.ca.issue(peer))) as channel:
            for method, rule in PEERS[name].items():
                if peer not in rule.peers:
                    assert outcome(channel, method) == "PERMISSION_DENIED", (peer, method)
            assert outcome(channel, f"/setlist.{name}.v1.Nothing/Here") == "UNIMPLEMENTED"


@EACH
def test_a_listed_peer_without_a_context_token_stays_outside(suite: dict[str, Guarded], name: str) -> None:
    one = suite[name]
    for method, rule in PEERS[name].items():
        if rule.context:
            peer = min(rule.peers)
            assert one.outcome(one.as_peer(one.ca.issue(peer)), method) == "UNAUTHENTICATED", (peer, method)


def shake_hands(
    one: Guarded, given: Credentials, folder: Path, version: ssl.TLSVersion | None = None
) -> x509.Certificate:
    """Shake hands as the standard library does it; return the server's leaf.

    Raises:
        ssl.SSLError: the server refused.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=one.ca.certificate.decode())
    certificate, key = given.write(folder, "probe")
    context.load_cert_chain(certificate, key)
    context.set_alpn_protocols(["h2"])
    if version is not None:
        context.set_ciphers("ALL:@SECLEVEL=0")  # or this side would refuse first
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = context.maximum_version = version
    with (
        socket.create_connection((HOST, one.port), timeout=5) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as secure,
    ):
        der = secure.getpeercert(binary_form=True)
        assert der is not None
        return x509.load_der_x509_certificate(der)


@EACH
def test_old_tls_is_refused_by_the_server(suite: dict[str, Guarded], name: str, tmp_path: Path) -> None:
    one, given = suite[name], suite[name].ca.issue("ops")
    for version in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
        with pytest.raises(ssl.SSLError) as caught:
            shake_hands(one, given, tmp_path, version)
        reason = caught.value.reason or ""
        assert "ALERT" in reason or "EOF" in reason, f"it was not the server that refused: {reason}"

    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        assert shake_hands(one, given, tmp_path, version).serial_number


@EACH
def test_health_alone_answers_in_plain(suite: dict[str, Guarded], name: str) -> None:
    one = suite[name]
    with grpc.insecure_channel(one.health) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        answer = stub.Check(health_pb2.HealthCheckRequest(service="liveness"), timeout=5)  # type: ignore[attr-defined]  # the types lack it
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
        for method in (*PEERS[name], REFLECTION):
            assert outcome(channel, method) == "UNIMPLEMENTED", method
    secure = grpc.secure_channel(one.address, one.as_peer(one.ca.issue("ops")))
    with secure as channel:
        assert outcome(channel, "/grpc.health.v1.Health/Check") == "UNIMPLEMENTED"


@EACH
def test_a_new_certificate_is_served_without_a_restart_or_a_failed_call(
    suite: dict[str, Guarded], name: str, tmp_path: Path
) -> None:
    one, given = suite[name], suite[name].ca.issue("nobody")
    before = shake_hands(one, given, tmp_path).serial_number
    fresh = one.ca.issue(name)
    outcomes = set()
    with grpc.secure_channel(one.address, one.as_peer(given)) as channel:
        fresh.write(one.folder, name)

        def renewed() -> bool:
            outcomes.add(outcome(channel, some_method(name)))
            return shake_hands(one, given, tmp_path).serial_number != before

        wait_until(renewed, one.process, "the old certificate is still served", CERTIFICATE_SECONDS)
        outcomes.add(outcome(channel, some_method(name)))

    leaf = x509.load_pem_x509_certificate(fresh.certificate)
    assert shake_hands(one, given, tmp_path).serial_number == leaf.serial_number
    assert outcomes == {"PERMISSION_DENIED"}  # every call arrived
