"""A throw-away certificate authority for the demo, development and tests; never for production.

Its leaves are X509-SVIDs (facts: SPIFFE `X509-SVID.md`): exactly one URI SAN, no CA, digitalSignature, both
extended key usages. They also name `localhost` and 127.0.0.1, because gRPC clients check servers by these.
"""

from __future__ import annotations

import ipaddress
import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_BACKDATED = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, repr=False)
class Credentials:
    """A certificate with its private key, in PEM.

    Attributes:
        spiffe_id: the one URI SAN.
        certificate: of the leaf; the authority is not in it.
        key: PKCS#8 in clear.
    """

    spiffe_id: str
    certificate: bytes
    key: bytes

    def write(self, folder: Path, name: str) -> tuple[Path, Path]:
        """Write `{name}.crt` and `{name}.key` (mode 0600) and return their paths."""
        folder.mkdir(parents=True, exist_ok=True)
        certificate, key = folder / f"{name}.crt", folder / f"{name}.key"
        certificate.write_bytes(self.certificate)
        descriptor = os.open(key, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(self.key)
        return certificate, key


class ThrowAwayCa:
    """An authority whose private key lives in this object only.

    Args:
        trust_domain: of the ids it signs.
        life: of the authority; leaves get the same end.
    """

    def __init__(self, trust_domain: str = "setlist.local", life: timedelta = timedelta(days=2)) -> None:
        self.trust_domain = trust_domain
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._start = datetime.now(UTC) - _BACKDATED
        self._end = self._start + life
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"throw-away CA of {trust_domain}")])
        identifier = x509.SubjectKeyIdentifier.from_public_key(self._key.public_key())
        self._authority = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)
        self._certificate = (
            self._builder(self._name, self._key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .add_extension(identifier, critical=False)
            .sign(self._key, hashes.SHA256())
        )

    @property
    def certificate(self) -> bytes:
        """The trust bundle: the authority's own certificate in PEM."""
        return self._certificate.public_bytes(Encoding.PEM)

    def issue(
        self,
        service: str,
        namespace: str = "setlist",
        *,
        dns_names: tuple[str, ...] = ("localhost",),
        not_after: datetime | None = None,
    ) -> Credentials:
        """Make a certificate for the service account `service`.

        Args:
            service: e.g. `policy` or `ops`.
            namespace: of the account.
            dns_names: under which its server is reached; 127.0.0.1 comes with them.
            not_after: end of its life; the authority's by default.
        """
        spiffe_id = f"spiffe://{self.trust_domain}/ns/{namespace}/sa/{service}"
        names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(spiffe_id)]
        names += [x509.DNSName(name) for name in dns_names]
        names.append(x509.IPAddress(ipaddress.IPv4Address("127.0.0.1")))
        key = ec.generate_private_key(ec.SECP256R1())
        both = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        certificate = (
            self._builder(x509.Name([]), key.public_key(), not_after)
            .add_extension(x509.SubjectAlternativeName(names), critical=True)  # the subject is empty
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage(both), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(self._authority, critical=False)
            .sign(self._key, hashes.SHA256())
        )
        return Credentials(
            spiffe_id,
            certificate.public_bytes(Encoding.PEM),
            key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        )

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey, not_after: datetime | None = None
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(self._start)
            .not_valid_after(not_after or self._end)
        )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )
