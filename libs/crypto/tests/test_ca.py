"""The throw-away authority makes X509-SVIDs that TLS accepts."""

import ipaddress
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from libs.crypto.ca import ThrowAwayCa


@pytest.fixture(scope="module")
def ca() -> ThrowAwayCa:
    return ThrowAwayCa()


def test_a_leaf_is_an_x509_svid(ca: ThrowAwayCa) -> None:
    leaf = x509.load_pem_x509_certificate(ca.issue("policy").certificate)
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    usage = leaf.extensions.get_extension_for_class(x509.KeyUsage).value
    both = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value

    assert names.value.get_values_for_type(x509.UniformResourceIdentifier) == [
        "spiffe://setlist.local/ns/setlist/sa/policy"
    ]
    assert names.value.get_values_for_type(x509.DNSName) == ["localhost"]
    assert names.value.get_values_for_type(x509.IPAddress) == [ipaddress.IPv4Address("127.0.0.1")]
    assert names.critical
    assert not leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert (usage.digital_signature, usage.key_cert_sign, usage.crl_sign) == (True, False, False)
    assert set(both) == {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH}
    leaf.verify_directly_issued_by(x509.load_pem_x509_certificate(ca.certificate))


def handshake(server: ssl.SSLContext, client: ssl.SSLContext, name: str) -> None:
    """Shake hands in memory; raises what the side that refuses raises."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = [
        client.wrap_bio(to_client, to_server, server_hostname=name),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    for _ in range(4):
        for side in sides:
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue


def context(
    purpose: ssl.Purpose, ca: ThrowAwayCa, service: str, folder: Path, trusted: ThrowAwayCa
) -> ssl.SSLContext:
    made = ssl.create_default_context(purpose, cadata=trusted.certificate.decode())
    made.load_cert_chain(*ca.issue(service).write(folder, service))
    made.verify_mode = ssl.CERT_REQUIRED
    return made


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1"])
def test_two_leaves_shake_hands(ca: ThrowAwayCa, tmp_path: Path, name: str) -> None:
    server = context(ssl.Purpose.CLIENT_AUTH, ca, "policy", tmp_path, ca)
    client = context(ssl.Purpose.SERVER_AUTH, ca, "edge", tmp_path, ca)

    handshake(server, client, name)


def test_a_leaf_of_another_authority_is_refused(ca: ThrowAwayCa, tmp_path: Path) -> None:
    server = context(ssl.Purpose.CLIENT_AUTH, ca, "policy", tmp_path, ca)
    stranger = context(ssl.Purpose.SERVER_AUTH, ThrowAwayCa(), "edge", tmp_path, ca)

    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(server, stranger, "localhost")


def test_private_keys_are_written_for_their_owner_only(ca: ThrowAwayCa, tmp_path: Path) -> None:
    _, key = ca.issue("policy").write(tmp_path, "policy")

    assert key.stat().st_mode & 0o777 == 0o600


def test_a_life_may_end_early(ca: ThrowAwayCa) -> None:
    end = datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=1)

    assert (
        x509.load_pem_x509_certificate(ca.issue("policy", not_after=end).certificate).not_valid_after_utc
        == end
    )
