"""The certificates of the testbed's control plane: one authority, and what it signs for each part.

Who needs which: https://kubernetes.io/docs/setup/best-practices/certificates/
"""

from __future__ import annotations

import base64
import datetime
import ipaddress
import json
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.testbed.layout import API_SERVICE, NODE_NAME, Layout

_DAYS = 30


@dataclass(frozen=True)
class Holder:
    """Somebody with a certificate: the file's name, who it says they are, where they serve."""

    file: str
    name: str
    group: str = ""
    serves: Sequence[str] = ()


def holders(layout: Layout) -> tuple[Holder, ...]:
    """Return everybody who needs a certificate."""
    api = ("127.0.0.1", layout.node, API_SERVICE, "localhost", "kubernetes.default.svc")
    return (
        Holder("api", "kube-apiserver", serves=api),
        Holder("api-to-kubelet", "kube-apiserver-kubelet-client", "system:masters"),
        Holder("admin", "testbed-admin", "system:masters"),
        Holder("controller-manager", "system:kube-controller-manager", serves=(layout.node,)),
        Holder("scheduler", "system:kube-scheduler", serves=(layout.node,)),
        Holder("kubelet", f"system:node:{NODE_NAME}", "system:nodes", (layout.node, NODE_NAME)),
    )


def write(layout: Layout) -> None:
    """Write all certificates, keys and kubeconfigs, and the key pair for service accounts."""
    layout.certificates.mkdir()
    key = ec.generate_private_key(ec.SECP256R1())
    authority = _authority(key)
    (layout.certificates / "ca.crt").write_bytes(_pem(authority))
    for holder in holders(layout):
        _issue(layout, holder, key, authority)
    accounts = ec.generate_private_key(ec.SECP256R1())
    (layout.certificates / "accounts.key").write_bytes(_key_pem(accounts))
    public = accounts.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    (layout.certificates / "accounts.pub").write_bytes(public)


def kubeconfig(layout: Layout, holder: str) -> str:
    """Return a kubeconfig for that holder with everything in it (JSON, which is YAML too)."""

    def data(file: str) -> str:
        return base64.b64encode((layout.certificates / file).read_bytes()).decode()

    user = {
        "client-certificate-data": data(f"{holder}.crt"),
        "client-key-data": data(f"{holder}.key"),
    }
    cluster = {"server": layout.api, "certificate-authority-data": data("ca.crt")}
    whole = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "testbed", "cluster": cluster}],
        "users": [{"name": holder, "user": user}],
        "contexts": [{"name": "testbed", "context": {"cluster": "testbed", "user": holder}}],
        "current-context": "testbed",
    }
    return json.dumps(whole, indent=1)


def _authority(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    name = _name("testbed-ca", "")
    builder = _dated(name, name, key.public_key()).add_extension(
        x509.BasicConstraints(ca=True, path_length=None), critical=True
    )
    return builder.add_extension(_usage(signs=True), critical=True).sign(key, hashes.SHA256())


def _issue(
    layout: Layout, holder: Holder, by: ec.EllipticCurvePrivateKey, authority: x509.Certificate
) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _name(holder.name, holder.group)
    builder = _dated(subject, authority.subject, key.public_key())
    purposes = [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]
    for extension, critical in (
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (_usage(signs=False), True),
        (x509.ExtendedKeyUsage(purposes), False),
        (x509.AuthorityKeyIdentifier.from_issuer_public_key(by.public_key()), False),
    ):
        builder = builder.add_extension(extension, critical)
    if holder.serves:
        names = x509.SubjectAlternativeName([_alternative(each) for each in holder.serves])
        builder = builder.add_extension(names, critical=False)
    certificate = builder.sign(by, hashes.SHA256())
    (layout.certificates / f"{holder.file}.crt").write_bytes(_pem(certificate))
    (layout.certificates / f"{holder.file}.key").write_bytes(_key_pem(key))
    if not holder.file.startswith("api"):
        text = kubeconfig(layout, holder.file)
        (layout.certificates / f"{holder.file}.kubeconfig").write_text(text)


def _dated(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return x509.CertificateBuilder(
        issuer_name=issuer,
        subject_name=subject,
        public_key=key,
        serial_number=x509.random_serial_number(),
        not_valid_before=now - datetime.timedelta(hours=1),
        not_valid_after=now + datetime.timedelta(days=_DAYS),
    ).add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)


def _name(name: str, group: str) -> x509.Name:
    parts = [x509.NameAttribute(NameOID.COMMON_NAME, name)]
    if group:
        parts.insert(0, x509.NameAttribute(NameOID.ORGANIZATION_NAME, group))
    return x509.Name(parts)


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs,
        crl_sign=signs,
        encipher_only=False,
        decipher_only=False,
    )


def _alternative(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
