"""Whom TLS trusts, per registry."""

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from tests.remote.crooked import CrookedServer, client_for

from lamina.errors import Invalid
from lamina.remote.endpoints import InsecureRules
from lamina.remote.errors import CertificateRefused
from lamina.remote.http import Transport
from lamina.remote.messages import Request
from lamina.remote.retry import Patience
from lamina.remote.tls import certificate_folders, context_for

ONCE = Patience(tries=1, connect_s=60, read_s=60)


class NothingInsecure(InsecureRules):
    """Rules under which not even loopback may do without a good certificate."""

    def allow(self, host: str, port: int) -> bool:
        return False


def served_by(authority: trustme.CA, *, wants: trustme.CA | None = None) -> CrookedServer:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    if wants:
        context.verify_mode = ssl.CERT_REQUIRED
        wants.configure_trust(context)
    return CrookedServer(lambda exchange: exchange.reply(200, b"welcome"), tls=context)


def ask(folder: Path, server: CrookedServer, **environ: str) -> bytes:
    env = {"HOME": str(folder), **environ}
    sender = Transport(str(folder / "docker"), env, NothingInsecure(), patience=ONCE)
    try:
        return sender.send(Request("GET", f"{server.url}/v2/")).body
    finally:
        sender.close()


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


def test_an_unknown_authority_is_refused_and_the_hint_says_where_to_put_it(
    tmp_path: Path, authority: trustme.CA
) -> None:
    with served_by(authority) as server:
        with pytest.raises(CertificateRefused, match="failed to verify certificate") as caught:
            ask(tmp_path, server)
        assert f"/etc/docker/certs.d/{server.address}/ca.crt" in caught.value.hint


def test_an_authority_in_certs_d_is_trusted_for_its_registry_only(
    tmp_path: Path, authority: trustme.CA
) -> None:
    with served_by(authority) as server, served_by(authority) as neighbour:
        folder = tmp_path / "docker" / "certs.d" / server.address
        folder.mkdir(parents=True)
        authority.cert_pem.write_to_path(folder / "ca.crt")
        assert ask(tmp_path, server) == b"welcome"
        with pytest.raises(CertificateRefused):
            ask(tmp_path, neighbour)


def test_ssl_cert_file_is_trusted_everywhere(tmp_path: Path, authority: trustme.CA) -> None:
    authority.cert_pem.write_to_path(tmp_path / "bundle.pem")
    with served_by(authority) as server:
        assert ask(tmp_path, server, SSL_CERT_FILE=str(tmp_path / "bundle.pem")) == b"welcome"


def test_a_client_certificate_is_shown_to_who_wants_one(
    tmp_path: Path, authority: trustme.CA
) -> None:
    folder_of = {}
    with served_by(authority, wants=authority) as server:
        folder = tmp_path / "docker" / "certs.d" / server.address
        folder.mkdir(parents=True)
        authority.cert_pem.write_to_path(folder / "ca.crt")
        ours = authority.issue_cert("alice@example.com")
        ours.cert_chain_pems[0].write_to_path(folder / "client.cert")
        folder_of["key"] = folder / "client.key"
        with pytest.raises(Invalid, match=r"missing key client\.key for client certificate"):
            ask(tmp_path, server)
        ours.private_key_pem.write_to_path(folder_of["key"])
        assert ask(tmp_path, server) == b"welcome"


def test_loopback_may_have_any_certificate(tmp_path: Path, authority: trustme.CA) -> None:
    with served_by(authority) as server, client_for(tmp_path) as client:
        endpoint = client.endpoints.find(server.address)
        assert endpoint.url == server.url
        assert client.transport.send(Request("GET", f"{endpoint.url}/v2/")).body == b"welcome"


def test_a_file_that_is_no_certificate_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "certs.d" / "reg.example"
    folder.mkdir(parents=True)
    (folder / "ca.crt").write_text("hello")
    with pytest.raises(Invalid, match=r"cannot read certificates from .*ca\.crt"):
        context_for(["reg.example"], str(tmp_path), {"HOME": str(tmp_path)}, verify=True)


def test_docker_and_podman_folders_are_looked_at() -> None:
    assert certificate_folders("reg:5000", "/cfg", {"HOME": "/h"}) == (
        "/etc/docker/certs.d/reg:5000",
        "/etc/containers/certs.d/reg:5000",
        "/cfg/certs.d/reg:5000",
        "/h/.config/containers/certs.d/reg:5000",
    )


def test_the_hint_says_who_can_mend_a_certificate(tmp_path: Path, authority: trustme.CA) -> None:
    long_ago = datetime(2020, 1, 1, tzinfo=UTC)
    expired = {"not_before": long_ago, "not_after": long_ago + timedelta(days=9)}
    (tmp_path / "ca.pem").write_bytes(authority.cert_pem.bytes())
    for names, dates, said, hint in (
        (["127.0.0.1"], expired, "has expired", "owner must renew it"),
        (["registry.example"], {}, "mismatch", "for other names"),
    ):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(*names, **dates).configure_cert(context)  # type: ignore[arg-type]
        with CrookedServer(lambda each: each.reply(200), tls=context) as server:
            with pytest.raises(CertificateRefused, match=said) as caught:
                ask(tmp_path, server, SSL_CERT_FILE=str(tmp_path / "ca.pem"))
            assert hint in caught.value.hint


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
def test_a_registry_with_too_old_a_tls_is_told_apart(tmp_path: Path, authority: trustme.CA) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    with CrookedServer(lambda each: each.reply(200), tls=context) as server:
        with pytest.raises(CertificateRefused) as caught:
            ask(tmp_path, server)
        assert "may be too old" in caught.value.hint
