"""Certificates that must not be let in, signed by our own authority."""

from __future__ import annotations

import ipaddress

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from libs.crypto.ca import Credentials, ThrowAwayCa


def named(ca: ThrowAwayCa, like: Credentials, *uris: str) -> Credentials:
    """Return a leaf of the authority for the key of `like` with these URI names, however wrong they are."""
    leaf = x509.load_pem_x509_certificate(like.certificate)
    names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(uri) for uri in uris]
    names += [x509.DNSName("localhost"), x509.IPAddress(ipaddress.IPv4Address("127.0.0.1"))]
    made = (
        x509.CertificateBuilder()
        .subject_name(leaf.subject)
        .issuer_name(leaf.issuer)
        .public_key(leaf.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(leaf.not_valid_before_utc)
        .not_valid_after(leaf.not_valid_after_utc)
        .add_extension(x509.SubjectAlternativeName(names), critical=True)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(ca._key, hashes.SHA256())
    )
    return Credentials("", made.public_bytes(serialization.Encoding.PEM), like.key)
