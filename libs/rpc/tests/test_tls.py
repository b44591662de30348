"""mTLS: which certificates come in, whose name they give, and how a server gets a new one."""

import asyncio
import ipaddress
import socket
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from libs.crypto.ca import Credentials, ThrowAwayCa
from libs.kernel.errors import PermissionDeniedError
from libs.rpc.channel import build_channel
from libs.rpc.errors import reason_of
from libs.rpc.tests.probe import MINE, PROBE, Request, ask, refusal, serve
from libs.rpc.tls import FRESH_SECONDS, ServerCertificate, TlsFiles, channel_credentials, peer_of

REQUEST = Request(parent=MINE)
NOW = datetime.now(UTC)


def files(folder: Path, given: Credentials, ca: ThrowAwayCa, name: str = "peer") -> TlsFiles:
    authority = folder / "ca.crt"
    authority.write_bytes(ca.certificate)
    return TlsFiles(*given.write(folder, name), authority)


def signed(
    ca: ThrowAwayCa, like: Credentials, uris: list[str], *, is_ca: bool = False, signs: bool = False
) -> Credentials:
    """Return a certificate of the authority, for the key of `like`, with other names or powers."""
    leaf = x509.load_pem_x509_certificate(like.certificate)
    names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(uri) for uri in uris]
    names += [x509.DNSName("localhost"), x509.IPAddress(ipaddress.IPv4Address("127.0.0.1"))]
    usage = leaf.extensions.get_extension_for_class(x509.KeyUsage).value
    powers = x509.KeyUsage(usage.digital_signature, False, False, False, False, signs, False, False, False)
    made = (
        x509.CertificateBuilder()
        .subject_name(leaf.subject)
        .issuer_name(leaf.issuer)
        .public_key(leaf.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(leaf.not_valid_before_utc)
        .not_valid_after(leaf.not_valid_after_utc)
        .add_extension(x509.SubjectAlternativeName(names), critical=True)
        .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
        .add_extension(powers, critical=True)
        .sign(ca._key, hashes.SHA256())
    )
    return Credentials("", made.public_bytes(serialization.Encoding.PEM), like.key)


EDGE = "spiffe://setlist.local/ns/setlist/sa/edge"


async def _call_with(folder: Path, address: str, given: Credentials, ca: ThrowAwayCa, token: object) -> str:
    """Return `hello`, the reason of the refusal, or the code of a refused handshake."""
    async with build_channel(address, services=[PROBE], tls=files(folder, given, ca)) as channel:
        try:
            [answer] = await ask(channel, "Read", REQUEST, metadata=token, timeout=1)  # type: ignore[arg-type]  # bytes by hand
        except grpc.aio.AioRpcError as error:
            return reason_of(error) or error.code().name
    return answer


async def test_only_our_own_valid_leaves_come_in(tmp_path: Path) -> None:
    async with serve() as rpc:
        ca, token = rpc.ca, rpc.token()
        edge = ca.issue("edge")
        cases = {
            "good": (edge, "hello"),
            "re-signed, the same names": (signed(ca, edge, [EDGE]), "hello"),
            "another service": (ca.issue("privacy"), "PERMISSION_DENIED"),
            "another namespace": (ca.issue("edge", "other"), "PERMISSION_DENIED"),
            "two names": (signed(ca, edge, [EDGE, EDGE.replace("edge", "ops")]), "PERMISSION_DENIED"),
            "no name": (signed(ca, edge, []), "PERMISSION_DENIED"),
            "another trust domain": (
                signed(ca, edge, [EDGE.replace(".local", ".evil")]),
                "PERMISSION_DENIED",
            ),
            "a longer name": (signed(ca, edge, [f"{EDGE}/x"]), "PERMISSION_DENIED"),
            "a prefix in front": (signed(ca, edge, [f"http://x/{EDGE}"]), "PERMISSION_DENIED"),
            "an authority": (signed(ca, edge, [EDGE], is_ca=True, signs=True), "PERMISSION_DENIED"),
            "a leaf that may sign": (signed(ca, edge, [EDGE], signs=True), "PERMISSION_DENIED"),
            "expired": (ca.issue("edge", not_after=NOW - timedelta(minutes=1)), "UNAVAILABLE"),
            "of a foreign authority": (ThrowAwayCa().issue("edge"), "UNAVAILABLE"),
        }
        for case, (given, outcome) in cases.items():
            assert await _call_with(tmp_path, rpc.address, given, ca, token) == outcome, case


async def test_nobody_comes_in_without_a_certificate_or_in_plain_text() -> None:
    async with serve() as rpc:
        credentials = grpc.ssl_channel_credentials(rpc.ca.certificate)
        async with (
            grpc.aio.secure_channel(rpc.address, credentials) as nameless,
            grpc.aio.insecure_channel(rpc.address) as plain,
        ):
            for channel in (nameless, plain):
                error = await refusal(channel, "Read", REQUEST, metadata=rpc.token(), timeout=1)
                assert error.code() is grpc.StatusCode.UNAVAILABLE


async def test_a_client_does_not_talk_to_a_foreign_server(tmp_path: Path) -> None:
    other = ThrowAwayCa()
    async with serve() as rpc:
        trusting_other = files(tmp_path, rpc.ca.issue("edge"), other)
        async with build_channel(rpc.address, services=[PROBE], tls=trusting_other) as channel:
            error = await refusal(channel, "Read", REQUEST, metadata=rpc.token(), timeout=1)

    assert error.code() is grpc.StatusCode.UNAVAILABLE


def _shown(given: Credentials, uri: str = EDGE) -> dict[str, list[bytes]]:
    return {"peer_uri": [uri.encode()], "x509_pem_cert": [given.certificate]}


def test_a_certificate_that_ended_on_an_open_connection_is_refused(tmp_path: Path) -> None:
    ca = ThrowAwayCa()
    end = NOW.replace(microsecond=0) + timedelta(hours=1)
    given = ca.issue("edge", not_after=end)
    ours = files(tmp_path, given, ca)

    assert peer_of(_shown(given), ours, end - timedelta(seconds=1)) == "edge"
    for instant in (end, end + timedelta(days=1), NOW - timedelta(days=1)):
        with pytest.raises(PermissionDeniedError):
            peer_of(_shown(given), ours, instant)


def test_a_connection_without_a_certificate_has_no_peer(tmp_path: Path) -> None:
    ca = ThrowAwayCa()
    given = ca.issue("edge")
    for shown in ({}, {"peer_uri": [EDGE.encode()]}, {**_shown(given), "peer_uri": []}):
        with pytest.raises(PermissionDeniedError):
            peer_of(shown, files(tmp_path, given, ca))


def _served_certificate(address: str, files: TlsFiles) -> x509.Certificate:
    """Shake hands by the standard library and return the server's leaf."""
    host, port = address.split(":")
    context = ssl.create_default_context(cafile=str(files.ca))
    context.load_cert_chain(files.cert, files.key)
    context.set_alpn_protocols(["h2"])
    return x509.load_pem_x509_certificate(_leaf(context, host, int(port)).encode())


def _leaf(context: ssl.SSLContext, host: str, port: int) -> str:
    with (
        socket.create_connection((host, port), timeout=5) as plain,
        context.wrap_socket(plain, server_hostname=host) as secure,
    ):
        der = secure.getpeercert(binary_form=True)
        assert der is not None
        return ssl.DER_cert_to_PEM_cert(der)


async def test_a_server_takes_a_new_certificate_without_a_restart() -> None:
    async with serve() as rpc:
        assert rpc.certificate is not None
        client = rpc.files("edge")
        first = await asyncio.to_thread(_served_certificate, rpc.address, client)
        open_channel = rpc.channel()
        assert await ask(open_channel, "Read", REQUEST, metadata=rpc.token()) == ["hello"]

        rpc.files("probe")  # writes another certificate over the server's
        assert rpc.certificate.refresh()
        second = await asyncio.to_thread(_served_certificate, rpc.address, client)

        assert await ask(open_channel, "Read", REQUEST, metadata=rpc.token()) == ["hello"]
        assert not rpc.certificate.refresh()

    assert first.serial_number != second.serial_number


def test_half_written_files_leave_the_old_certificate_in_use(tmp_path: Path) -> None:
    ca = ThrowAwayCa()
    ours = files(tmp_path, ca.issue("probe"), ca)
    certificate = ServerCertificate(ours)
    certificate.refresh()
    before = certificate.fetch()
    good_key, good_cert = ours.key.read_bytes(), ours.cert.read_bytes()

    for path, content in (
        (ours.key, ca.issue("probe").key),
        (ours.key, b""),
        (ours.key, _encrypted(good_key)),
        (ours.cert, b"-----BEGIN CERTIFICATE-----\nMIIB"),
        (ours.ca, b""),
        (ours.ca, b"rubbish"),
    ):
        kept = path.read_bytes()
        path.write_bytes(content)
        with pytest.raises(ValueError):
            certificate.refresh()
        with pytest.raises(ValueError):
            channel_credentials(ours)
        path.write_bytes(kept)
        assert certificate.fetch() is before

    ours.cert.unlink()
    with pytest.raises(OSError, match="No such file"):
        certificate.refresh()
    assert certificate.fetch() is before
    ours.cert.write_bytes(good_cert)
    assert not certificate.refresh()


def _encrypted(key: bytes) -> bytes:
    private = serialization.load_pem_private_key(key, None)
    return private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"a password"),
    )


def test_a_configuration_is_made_anew_each_hour_to_void_session_tickets(tmp_path: Path) -> None:
    ca = ThrowAwayCa()
    certificate = ServerCertificate(files(tmp_path, ca.issue("probe"), ca))
    assert certificate.refresh()
    before = certificate.fetch()
    assert not certificate.refresh()

    certificate._made_at -= FRESH_SECONDS
    assert certificate.refresh()
    assert certificate.fetch() is not before


def test_nothing_is_served_before_a_certificate_is_loaded(tmp_path: Path) -> None:
    ca = ThrowAwayCa()
    with pytest.raises(ValueError, match="no certificate is loaded"):
        ServerCertificate(files(tmp_path, ca.issue("probe"), ca)).fetch()
