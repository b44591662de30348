"""mTLS: certificate files, their renewal, and the identity in a peer's certificate (facts: auth §8)."""

from __future__ import annotations

import functools
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import grpc
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization

from libs.kernel.errors import PermissionDeniedError

FRESH_SECONDS = 3600.0
"""A new configuration at least this often: it voids TLS session tickets of ended certificates."""


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Where a service's certificate lies.

    Attributes:
        cert: PEM, leaf first.
        key: PEM, PKCS#8.
        ca: PEM of our own authority alone.
        trust_domain: of every peer.
        namespace: of every peer.
    """

    cert: Path
    key: Path
    ca: Path
    trust_domain: str = "setlist.local"
    namespace: str = "setlist"

    def read(self) -> tuple[bytes, bytes, bytes]:
        """Return key, chain and roots."""
        return self.key.read_bytes(), self.cert.read_bytes(), self.ca.read_bytes()

    def spiffe_id(self, service: str) -> str:
        """Return the SPIFFE id of a service account."""
        return f"spiffe://{self.trust_domain}/ns/{self.namespace}/sa/{service}"


def channel_credentials(files: TlsFiles) -> grpc.ChannelCredentials:
    """Return client credentials of the certificate as it is now.

    Raises:
        ValueError: a file is not what it should be, or key and certificate do not belong together.
        OSError: a file cannot be read.
    """
    key, chain, roots = files.read()
    _check(key, chain, roots)
    return grpc.ssl_channel_credentials(root_certificates=roots, private_key=key, certificate_chain=chain)


@dataclass(slots=True)
class ServerCertificate:
    """Serves the newest valid certificate to each handshake.

    `grpc` calls `fetch` on its own threads, once per handshake: it only hands over what `refresh`,
    called from the event loop, has prepared and checked.
    """

    files: TlsFiles
    _ready: grpc.ServerCertificateConfiguration | None = None
    _loaded: tuple[bytes, bytes, bytes] | None = field(default=None, repr=False)
    _made_at: float = 0.0

    def credentials(self) -> grpc.ServerCredentials:
        """Return server credentials that demand a client certificate."""
        self.refresh()
        return grpc.dynamic_ssl_server_credentials(
            self.fetch(), self.fetch, require_client_authentication=True
        )

    def fetch(self) -> grpc.ServerCertificateConfiguration:
        """Return the prepared configuration."""
        if self._ready is None:
            raise ValueError("no certificate is loaded")
        return self._ready

    def refresh(self) -> bool:
        """Load the files when they changed, or hourly; return whether something was loaded.

        Raises:
            ValueError: a file is not what it should be, or key and certificate do not belong together; the
                old ones stay in use.
            OSError: a file cannot be read; the same.
        """
        now = time.monotonic()
        read = self.files.read()
        if read == self._loaded and now - self._made_at < FRESH_SECONDS:
            return False
        key, chain, roots = read
        _check(key, chain, roots)
        self._ready = grpc.ssl_server_certificate_configuration([(key, chain)], root_certificates=roots)
        self._loaded, self._made_at = read, now
        return True


def _check(key: bytes, chain: bytes, roots: bytes) -> None:
    """Refuse what a handshake would stumble over: grpcio itself only writes a log line."""
    x509.load_pem_x509_certificates(roots)
    leaf = x509.load_pem_x509_certificate(chain)
    try:
        private = serialization.load_pem_private_key(key, None)
    except (TypeError, UnsupportedAlgorithm):
        raise ValueError("the TLS key is encrypted or of an unknown kind") from None
    form = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    if private.public_key().public_bytes(*form) != leaf.public_key().public_bytes(*form):
        raise ValueError("the TLS key does not belong to the certificate")


@functools.lru_cache(maxsize=256)
def _leaf_window(pem: bytes) -> tuple[datetime, datetime]:
    """Return the validity of a leaf certificate; refuse authorities, which grpcio lets in as peers."""
    certificate = x509.load_pem_x509_certificate(pem)
    for extension in certificate.extensions:
        value = extension.value
        if isinstance(value, x509.BasicConstraints) and value.ca:
            raise PermissionDeniedError("this peer may not call this method")
        if isinstance(value, x509.KeyUsage) and (value.key_cert_sign or value.crl_sign):
            raise PermissionDeniedError("this peer may not call this method")
    return certificate.not_valid_before_utc, certificate.not_valid_after_utc


def peer_of(auth_context: Mapping[str, Iterable[bytes]], files: TlsFiles, now: datetime | None = None) -> str:
    """Return the service account of a connection's certificate.

    Raises:
        PermissionDeniedError: not exactly one SPIFFE id of our trust domain and namespace, an authority's
            certificate, or one outside its validity (open connections outlive it in grpcio).
    """
    uris = list(auth_context.get("peer_uri", ()))
    pem = list(auth_context.get("x509_pem_cert", ()))
    prefix = files.spiffe_id("")
    if len(uris) != 1 or len(pem) != 1:
        raise PermissionDeniedError("this peer may not call this method")
    uri = uris[0].decode("utf-8", "replace")
    begin, end = _leaf_window(pem[0])
    service = uri.removeprefix(prefix)
    if (
        not uri.startswith(prefix)
        or not service
        or "/" in service
        or not begin <= (now or datetime.now(UTC)) < end
    ):
        raise PermissionDeniedError("this peer may not call this method")
    return service
