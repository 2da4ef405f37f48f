"""TLS inside TLS: by way of a proxy that is spoken to in TLS."""

import os
from pathlib import Path

import pytest
import trustme
from tests.remote.crooked import CrookedServer, client_for
from tests.remote.test_connections import HOST, tls_of, trusting
from tests.remote.tunnels import TunnelProxy

from lamina.remote.errors import CertificateRefused
from lamina.remote.messages import Body, Request

DATA = os.urandom(700_000)


def test_a_registry_is_reached_through_a_proxy_in_tls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = trustme.CA()
    with (
        CrookedServer(
            lambda each: each.reply(200, each.body or DATA), tls_of(authority, HOST)
        ) as server,
        TunnelProxy(server.address, tls_of(authority, "127.0.0.1")) as proxy,
    ):
        environ = trusting(tmp_path, authority, f"https://{proxy.address}")
        monkeypatch.setenv("SSL_CERT_FILE", environ["SSL_CERT_FILE"])  # the proxy's own
        with client_for(tmp_path, environ=environ) as client:
            get = Request("GET", f"https://{HOST}/v2/")
            assert client.transport.send(get).body == DATA
            body = Body(len(DATA), lambda: iter([DATA]))
            put = Request("PUT", f"https://{HOST}/v2/", body=body)
            assert client.transport.send(put).body == DATA
            assert len(proxy.seen) == 1


def test_the_registry_behind_it_must_be_who_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority, stranger = trustme.CA(), trustme.CA()
    with (
        CrookedServer(lambda each: each.reply(200), tls_of(stranger, HOST)) as server,
        TunnelProxy(server.address, tls_of(authority, "127.0.0.1")) as proxy,
    ):
        environ = trusting(tmp_path, authority, f"https://{proxy.address}")
        monkeypatch.setenv("SSL_CERT_FILE", environ["SSL_CERT_FILE"])
        with (
            client_for(tmp_path, environ=environ) as client,
            pytest.raises(CertificateRefused, match="failed to verify certificate"),
        ):
            client.transport.send(Request("GET", f"https://{HOST}/v2/"))
