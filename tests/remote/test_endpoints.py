"""Where registries are, with TLS or without, and whom they may send us to."""

import socket
import ssl
import threading
from collections.abc import Iterator

import pytest
import trustme
from tests.remote.crooked import CrookedServer
from tests.servers import RegistryServer

from lamina.errors import Invalid
from lamina.remote.endpoints import (
    Endpoint,
    EndpointBook,
    InsecureRules,
    is_loopback,
    speaks_tls,
    split_host,
)

NOTHING = InsecureRules()


def book(rules: str = "", *, tls: bool = True) -> EndpointBook:
    return EndpointBook(InsecureRules.parse(rules), lambda host, port: tls)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("example.com", ("example.com", 443)),
        ("Example.com:5000", ("example.com", 5000)),
        ("[::1]:5000", ("::1", 5000)),
        ("[::1]", ("::1", 443)),
    ],
)
def test_hosts_are_split_from_their_ports(host: str, expected: tuple[str, int]) -> None:
    assert split_host(host, 443) == expected


@pytest.mark.parametrize("host", ["example.com:0", "example.com:65536", "example.com:x"])
def test_impossible_ports_are_refused(host: str) -> None:
    with pytest.raises(Invalid, match="invalid port"):
        split_host(host, 443)


def test_docker_io_is_served_by_its_registry_host() -> None:
    assert book().find("docker.io") == Endpoint("docker.io", "https://registry-1.docker.io")


def test_other_hosts_are_never_spoken_to_without_tls() -> None:
    assert book(tls=False).find("registry.example:5000").url == "https://registry.example:5000"


@pytest.mark.parametrize("host", ["127.0.0.1:5000", "127.8.8.8", "localhost:1", "[::1]:5000"])
def test_loopback_takes_http_only_when_tls_is_not_spoken(host: str) -> None:
    assert book(tls=False).find(host).url == f"http://{host}"
    assert book(tls=True).find(host).url == f"https://{host}"


def test_named_registries_take_http_and_their_neighbours_do_not() -> None:
    ours = book("http://reg.example:5000/, 10.1.0.0/16 other.example", tls=False)
    for host in ("reg.example:5000", "10.1.2.3", "10.1.2.3:80", "other.example:7"):
        assert ours.find(host).url == f"http://{host}"
    for host in ("reg.example", "reg.example:5001", "10.2.0.1", "sub.other.example"):
        assert ours.find(host).url == f"https://{host}"


def test_a_malformed_network_is_named() -> None:
    with pytest.raises(Invalid, match=r"10\.0\.0\.0/99"):
        InsecureRules.parse("10.0.0.0/99")


def test_loopback_is_more_than_one_address() -> None:
    assert is_loopback("127.255.0.1")
    assert not is_loopback("128.0.0.1")
    assert not is_loopback("localhost.example.com")


@pytest.mark.parametrize(
    ("registry", "realm", "why"),
    [
        ("https://reg.example", "https://auth.example/token", ""),
        ("https://reg.example", "http://auth.example/token", "not encrypted"),
        ("https://reg.example", "http://reg.example/token", "not encrypted"),
        ("https://reg.example", "https://169.254.169.254/token", "private network"),
        ("https://reg.example", "https://10.0.0.5/token", "private network"),
        ("https://reg.example", "https://localhost/token", "private network"),
        ("https://reg.example", "file:///etc/passwd", "no web address"),
        ("https://10.0.0.5:5000", "https://10.0.0.5:5000/token", ""),
        ("https://10.0.0.5:5000", "https://10.0.0.6/token", ""),
        ("http://127.0.0.1:5000", "http://127.0.0.1:5001/token", ""),
        ("http://127.0.0.1:5000", "http://auth.example/token", "not encrypted"),
        ("https://127.0.0.1:5000", "http://127.0.0.1:5000/token", "not encrypted"),
    ],
)
def test_credentials_go_only_to_token_services_that_may_have_them(
    registry: str, realm: str, why: str
) -> None:
    refusal = book().realm_refusal(Endpoint("reg", registry), realm)
    assert why in refusal
    assert bool(refusal) is bool(why)


def test_a_go_server_without_tls_is_recognised(open_registry: RegistryServer) -> None:
    assert not speaks_tls(*split_host(open_registry.address, 0))


def test_a_server_with_tls_is_recognised() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    with CrookedServer(lambda exchange: exchange.reply(200), tls=context) as server:
        assert speaks_tls(*split_host(server.address, 0))


def test_a_server_that_waits_for_a_line_is_asked_in_plain_http() -> None:
    with CrookedServer(lambda exchange: exchange.reply(200)) as server:
        assert not speaks_tls(*split_host(server.address, 0))


@pytest.fixture
def silent_port() -> Iterator[int]:
    """Give a port that accepts and hangs up without a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    listener.accept()[0].close()
                except OSError:
                    return

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def test_a_port_that_hangs_up_or_refuses_speaks_no_tls(silent_port: int) -> None:
    assert not speaks_tls("127.0.0.1", silent_port)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        assert not speaks_tls("127.0.0.1", unused.getsockname()[1])
