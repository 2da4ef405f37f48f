"""The hub's certificate, and the one that takes its place."""

import ssl

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from lamina.hub.certificate import CertificateInvalid, read_certificate, renew_certificate
from lamina.hub.settings import HubSettings

AUTHORITY = trustme.CA()


def settings(folder, *, certificate: str = "", key: str = "") -> HubSettings:
    return HubSettings(root=str(folder), certificate=certificate, key=key)


def issue(folder, name: str, *, host: str = "hub.example") -> dict[str, str]:
    issued = AUTHORITY.issue_cert(host)
    paths = {"certificate": str(folder / f"{name}.crt"), "key": str(folder / f"{name}.key")}
    issued.cert_chain_pems[0].write_to_path(paths["certificate"])
    issued.private_key_pem.write_to_path(paths["key"])
    return paths


def served_names(context: ssl.SSLContext) -> list[str]:
    """Shake hands in memory; give the names in the certificate that the server showed."""
    trust = ssl.create_default_context()
    AUTHORITY.configure_trust(trust)
    trust.check_hostname = False
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = trust.wrap_bio(down, up)
    server = context.wrap_bio(up, down, server_side=True)
    for _ in range(3):
        for side in (client, server):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    shown = client.getpeercert(binary_form=True)
    assert shown is not None
    names = x509.load_der_x509_certificate(shown).extensions
    return names.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(
        x509.DNSName
    )


def test_without_a_certificate_there_is_no_tls(tmp_path):
    assert read_certificate(settings(tmp_path)) is None


def test_a_new_certificate_takes_the_old_ones_place(tmp_path):
    ours = settings(tmp_path, **issue(tmp_path, "hub"))
    context = read_certificate(ours)
    assert context is not None
    assert served_names(context) == ["hub.example"]
    issue(tmp_path, "hub", host="new.example")
    renew_certificate(context, ours)
    assert served_names(context) == ["new.example"]


def test_what_is_no_certificate_leaves_the_old_one(tmp_path):
    paths = issue(tmp_path, "hub")
    ours = settings(tmp_path, **paths)
    context = read_certificate(ours)
    assert context is not None
    other = issue(tmp_path, "other", host="other.example")
    with open(other["certificate"], encoding="ascii") as file:
        pem = file.read()
    for text in (pem, "rubbish", ""):
        with open(paths["certificate"], "w", encoding="ascii") as file:
            file.write(text)
        with pytest.raises(CertificateInvalid):
            renew_certificate(context, ours)
        assert served_names(context) == ["hub.example"]


def test_what_is_wrong_is_said_with_what_to_do(tmp_path):
    paths = issue(tmp_path, "hub")
    with pytest.raises(CertificateInvalid, match="is not there"):
        read_certificate(settings(tmp_path, certificate=str(tmp_path / "none")))
    with pytest.raises(CertificateInvalid, match="without a certificate"):
        read_certificate(settings(tmp_path, key=paths["key"]))
    with pytest.raises(CertificateInvalid, match="no certificate with its key"):
        read_certificate(settings(tmp_path, certificate=paths["certificate"]))
    paths["key"] = issue(tmp_path, "other")["key"]
    with pytest.raises(CertificateInvalid, match="do not belong together"):
        read_certificate(settings(tmp_path, **paths))


def test_a_key_with_a_password_is_refused_and_nobody_is_asked(tmp_path):
    paths = issue(tmp_path, "hub")
    with open(paths["key"], "rb") as file:
        key = serialization.load_pem_private_key(file.read(), None)
    locked = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"hunter2"),
    )
    with open(paths["key"], "wb") as file:
        file.write(locked)
    with pytest.raises(CertificateInvalid, match="has a password"):
        read_certificate(settings(tmp_path, **paths))
