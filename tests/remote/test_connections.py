"""Connections: proxies, kept ones that went stale, bodies in chunks, refusals in the middle."""

import socket
import ssl
import threading
from pathlib import Path

import pytest
import trustme
from tests.containers import eventually
from tests.latency import LongLine
from tests.remote.crooked import QUICK, CrookedServer, Exchange, client_for
from tests.remote.tunnels import TunnelProxy

from lamina.remote.client import Client
from lamina.remote.connections import Place
from lamina.remote.errors import ConnectionBroken, RegistryUnreachable
from lamina.remote.messages import Body, Headers, Request

HOST = "registry.example"


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


def tls_of(authority: trustme.CA, name: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


def trusting(folder: Path, authority: trustme.CA, proxy: str) -> dict[str, str]:
    authority.cert_pem.write_to_path(folder / "ca.pem")
    return {"SSL_CERT_FILE": str(folder / "ca.pem"), "HTTPS_PROXY": proxy}


def test_tls_goes_through_a_proxy_which_sees_the_name_and_its_own_password_only(
    tmp_path: Path, authority: trustme.CA
) -> None:
    with (
        CrookedServer(lambda each: each.reply(200, b"inside"), tls_of(authority, HOST)) as server,
        TunnelProxy(server.address) as proxy,
        client_for(
            tmp_path, environ=trusting(tmp_path, authority, f"http://u:p%40ss@{proxy.address}")
        ) as client,
    ):
        request = Request("GET", f"https://{HOST}/v2/", {"Authorization": "Bearer secret"})
        assert client.transport.send(request).body == b"inside"
        assert client.transport.send(request).body == b"inside"
        (head,) = proxy.seen  # the second request went through the same tunnel
        assert head.startswith(f"CONNECT {HOST}:443 HTTP/1.1\r\n")
        assert "Proxy-Authorization: Basic dTpwQHNz\r\n" in head
        assert "secret" not in head
        assert server.seen[0].headers["host"] == HOST
        assert "proxy-authorization" not in server.seen[0].headers


def test_no_proxy_goes_around_it(tmp_path: Path, authority: trustme.CA) -> None:
    with TunnelProxy("127.0.0.1:1") as proxy:
        environ = {"HTTPS_PROXY": f"http://{proxy.address}", "NO_PROXY": ".invalid"}
        with (
            client_for(tmp_path, environ=environ) as client,
            pytest.raises(RegistryUnreachable, match="no such host"),
        ):
            client.transport.send(Request("GET", "https://registry.invalid/v2/"))
        assert proxy.seen == []


def test_a_proxy_that_refuses_the_tunnel_is_quoted(tmp_path: Path) -> None:
    with (
        TunnelProxy("", answer="HTTP/1.1 407 Proxy Authentication Required") as proxy,
        client_for(tmp_path, environ={"HTTPS_PROXY": f"http://{proxy.address}"}) as client,
        pytest.raises(RegistryUnreachable, match="407 Proxy Authentication Required"),
    ):
        client.transport.send(Request("GET", f"https://{HOST}/v2/"))


def test_a_connection_that_went_stale_is_replaced_without_a_word(client: Client) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        served: list[bytes] = []

        def serve() -> None:
            for _ in range(3):  # each connection answers once, promises more, and hangs up on it
                connection, _ = listener.accept()
                served.append(connection.recv(65536))
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                connection.recv(65536)
                connection.close()

        thread = threading.Thread(target=serve)
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/v2/"
        for _ in range(3):
            assert client.transport.send(Request("GET", url)).body == b"ok"
        client.transport.close()
        thread.join()
        assert len(served) == 3


def test_what_must_not_be_repeated_is_not_repeated_on_a_stale_connection(client: Client) -> None:
    def answer(exchange: Exchange) -> None:
        if exchange.method == "PATCH":
            exchange.cut()
        else:
            exchange.reply(200)

    with CrookedServer(answer) as server:
        client.transport.send(Request("GET", f"{server.url}/"))
        with pytest.raises(ConnectionBroken):
            client.transport.send(Request("PATCH", f"{server.url}/", body=b"x", retry=False))
        assert len(server.asked("PATCH", "/")) == 1


def test_many_requests_share_one_connection(client: Client) -> None:
    ports: set[int] = set()

    def answer(exchange: Exchange) -> None:
        ports.add(exchange.handler.client_address[1])
        exchange.reply(404 if exchange.path == "/none" else 200, b"x" * 100)

    with CrookedServer(answer) as server:
        for path in ("/", "/none", "/"):
            for method in ("GET", "HEAD", "POST"):
                client.transport.send(Request(method, f"{server.url}{path}"))
        stream = client.transport.send(Request("GET", f"{server.url}/", stream=True)).stream
        assert stream is not None
        while stream.read1(7):
            pass
        stream.release()
        client.transport.send(Request("GET", f"{server.url}/"))
        assert len(ports) == 1


def test_a_body_without_a_size_goes_in_chunks(client: Client) -> None:
    got: list[bytes] = []

    def answer(exchange: Exchange) -> None:
        assert exchange.headers["transfer-encoding"] == "chunked"
        assert "content-length" not in exchange.headers
        got.extend(exchange.chunks())
        exchange.reply(201)

    with CrookedServer(answer) as server:
        body = Body(None, lambda: iter([b"one", b"", b"two" * 20000]))
        assert client.transport.send(Request("PATCH", f"{server.url}/", body=body)).status == 201
    assert got == [b"one", b"two" * 20000]


def test_a_refusal_in_the_middle_of_a_body_is_read(client: Client) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def refuse() -> None:
            connection, _ = listener.accept()
            connection.recv(1000)
            connection.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig")
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(1 << 20):  # so that the answer is not lost by a reset
                pass
            connection.close()

        thread = threading.Thread(target=refuse)
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        body = Body(50_000_000, lambda: (bytes(500_000) for _ in range(100)))
        response = client.transport.send(Request("PUT", url, body=body, retry=False))
        client.transport.close()
        thread.join()
        assert (response.status, response.body) == (413, b"big")


def test_an_address_in_brackets_is_connected_to_and_named_so(client: Client) -> None:
    try:
        listener = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:  # a machine without IPv6 has no such address to test
        assert Place.of("http://[::1]:5000/v2/", "").shown == "[::1]:5000"
        return
    with listener:
        heads: list[bytes] = []

        def serve() -> None:
            connection, _ = listener.accept()
            heads.append(connection.recv(65536))
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nv6")
            connection.close()

        thread = threading.Thread(target=serve)
        thread.start()
        address = f"[::1]:{listener.getsockname()[1]}"
        assert client.transport.send(Request("GET", f"http://{address}/v2/")).body == b"v6"
        thread.join()
        assert f"Host: {address}\r\n".encode() in heads[0]


def test_an_odd_address_is_quoted_once(client: Client) -> None:
    with CrookedServer(lambda each: each.reply(200)) as server:
        client.transport.send(Request("GET", f"{server.url}/a%2Fb/é?sig=a%2Bb&x=ü"))
        assert server.seen[0].handler.path == "/a%2Fb/%C3%A9?sig=a%2Bb&x=%C3%BC"


def test_fields_of_one_name_are_joined_and_case_does_not_matter() -> None:
    headers = Headers([("Link", "a"), ("LINK", "b"), ("X", "1")])
    assert headers["link"] == "a, b"
    assert headers.get("x") == "1"
    assert headers.get("none") is None
    assert list(headers) == ["link", "x"]
    assert len(headers) == 2


def test_a_registry_that_says_nothing_is_given_up(tmp_path: Path) -> None:
    from dataclasses import replace

    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        impatient = replace(QUICK, tries=1, read_s=0.05)
        with (
            client_for(tmp_path, impatient) as client,
            pytest.raises(ConnectionBroken, match="the registry stopped answering"),
        ):
            client.transport.send(Request("GET", url))


def test_connections_opened_beforehand_are_used_though_tls_has_sent_its_tickets(
    tmp_path: Path, authority: trustme.CA
) -> None:
    tls = tls_of(authority, "127.0.0.1")
    with (
        CrookedServer(lambda each: each.reply(200), tls=tls) as server,
        LongLine(server.address) as line,
        client_for(tmp_path) as client,
    ):
        url = f"https://{line.address}/v2/"
        client.transport.warm(url, 3)
        eventually(lambda: not [each for each in threading.enumerate() if each.name == "connect"])
        assert line.connections == 3
        client.transport.warm(url, 3)
        for _ in range(3):
            assert client.transport.send(Request("GET", url)).status == 200
        assert line.connections == 3


def test_connections_that_cannot_be_opened_beforehand_are_no_failure(tmp_path: Path) -> None:
    with client_for(tmp_path) as client:
        client.transport.warm("http://127.0.0.1:1/", 2)
        eventually(lambda: not [each for each in threading.enumerate() if each.name == "connect"])
