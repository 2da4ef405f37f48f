"""Requests: redirects, retries, proxies, and what is said when nothing helps."""

from pathlib import Path

import pytest
from tests.remote.crooked import QUICK, CrookedServer, Exchange, client_for
from tests.remote.tunnels import TunnelProxy

from lamina.events import Event, Notice
from lamina.remote.client import Client
from lamina.remote.endpoints import InsecureRules
from lamina.remote.errors import (
    CertificateRefused,
    ConnectionBroken,
    Purpose,
    RegistryUnreachable,
    ResponseInvalid,
)
from lamina.remote.http import Transport
from lamina.remote.messages import Request
from lamina.remote.retry import Patience

SECRET = {"Authorization": "Basic c2VjcmV0", "Cookie": "session=1", "Accept": "x/y"}


def transport(patience: Patience = QUICK, **environ: str) -> Transport:
    return Transport("", environ, InsecureRules(), patience=patience, dice=lambda: 0.0)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_credentials_stay_behind_when_a_redirect_leaves_the_port(
    client: Client, status: int, method: str
) -> None:
    with (
        CrookedServer(lambda each: each.reply(200, b"from storage")) as storage,
        CrookedServer(
            lambda each: each.reply(status, b"", {"Location": f"{storage.url}/blob?sig=1"})
        ) as server,
    ):
        response = client.transport.send(Request(method, f"{server.url}/v2/", SECRET))
        assert response.status == 200
        assert response.url == f"{storage.url}/blob?sig=1"
        headers = storage.seen[0].headers
        assert "authorization" not in headers
        assert "cookie" not in headers
        assert headers["accept"] == "x/y"
        assert server.seen[0].authorization == SECRET["Authorization"]


def test_credentials_do_not_come_back_with_a_redirect_to_the_first_origin(client: Client) -> None:
    def first(exchange: Exchange) -> None:
        if exchange.path == "/start":
            exchange.reply(307, b"", {"Location": f"{other.url}/middle"})
        else:
            exchange.reply(200)

    with CrookedServer(first) as server:
        with CrookedServer(
            lambda each: each.reply(307, b"", {"Location": f"{server.url}/end"})
        ) as other:
            client.transport.send(Request("GET", f"{server.url}/start", SECRET))
        assert server.asked("GET", "/end")[0].authorization == ""


def test_a_relative_redirect_keeps_the_credentials(client: Client) -> None:
    def answer(exchange: Exchange) -> None:
        if exchange.path == "/v2/a/start":
            exchange.reply(307, b"", {"Location": "../b?x=1"})
        else:
            exchange.reply(200, exchange.path.encode())

    with CrookedServer(answer) as server:
        response = client.transport.send(Request("GET", f"{server.url}/v2/a/start", SECRET))
        assert response.body == b"/v2/b"
        assert server.seen[1].authorization == SECRET["Authorization"]


def test_a_redirected_upload_keeps_method_and_body_only_with_307_and_308(client: Client) -> None:
    def answer(exchange: Exchange) -> None:
        if exchange.path == "/end":
            exchange.reply(201, exchange.body)
        else:
            exchange.reply(int(exchange.path[1:]), b"", {"Location": "/end"})

    with CrookedServer(answer) as server:
        for status in (307, 308):
            response = client.transport.send(Request("PUT", f"{server.url}/{status}", body=b"data"))
            assert (response.status, response.body) == (201, b"data")
        for status in (301, 302, 303):
            response = client.transport.send(Request("PUT", f"{server.url}/{status}", body=b"data"))
            assert response.status == status


@pytest.mark.parametrize(
    ("location", "text"),
    [
        ("http://storage.example/blob", "http://storage.example/blob, which is not encrypted"),
        ("file:///etc/passwd", "no web address"),
        ("https://", "no web address"),
    ],
)
def test_a_redirect_off_the_encrypted_web_is_not_followed(
    client: Client, location: str, text: str
) -> None:
    with (
        CrookedServer(lambda each: each.reply(302, b"", {"Location": location})) as server,
        pytest.raises(ResponseInvalid, match=text),
    ):
        client.transport.send(Request("GET", f"{server.url}/v2/"))


def test_what_may_be_repeated_is_repeated_and_nothing_else(client: Client) -> None:
    with CrookedServer(lambda each: each.reply(503, b"busy")) as server:
        response = client.transport.send(Request("GET", f"{server.url}/get"))
        assert (response.status, response.body) == (503, b"busy")
        client.transport.send(Request("PATCH", f"{server.url}/patch", body=b"x", retry=False))
        client.transport.send(Request("GET", f"{server.url}/lost"))
        assert len(server.asked("GET", "/get")) == QUICK.tries
        assert len(server.asked("PATCH", "/patch")) == 1


def test_a_status_that_will_not_change_is_not_asked_for_twice(client: Client) -> None:
    with CrookedServer(lambda each: each.reply(501)) as server:
        client.transport.send(Request("GET", f"{server.url}/"))
        assert len(server.seen) == 1


def test_a_connection_that_breaks_in_the_headers_or_the_body_is_tried_again(client: Client) -> None:
    def answer(exchange: Exchange) -> None:
        if len(server.seen) == 1:
            exchange.cut()
        elif len(server.seen) == 2:
            exchange.reply(200, b"half", length=8)
        else:
            exchange.reply(200, b"complete")

    with CrookedServer(answer) as server:
        assert client.transport.send(Request("GET", f"{server.url}/")).body == b"complete"


def test_half_an_error_message_is_better_than_none(client: Client) -> None:
    with CrookedServer(lambda each: each.reply(404, b"half", length=800)) as server:
        response = client.transport.send(Request("GET", f"{server.url}/"))
        assert (response.status, response.body) == (404, b"half")


def test_a_body_is_read_up_to_its_limit_only(client: Client) -> None:
    with CrookedServer(lambda each: each.reply(200, b"x" * 100_000)) as server:
        assert len(client.transport.send(Request("GET", server.url, limit=1000)).body) == 1001


def test_a_compressed_manifest_is_unpacked_though_we_asked_for_none(client: Client) -> None:
    import gzip

    packed = gzip.compress(b"plain text")
    with CrookedServer(
        lambda each: each.reply(200, packed, {"Content-Encoding": "gzip"})
    ) as server:
        assert client.transport.send(Request("GET", server.url)).body == b"plain text"


def test_nobody_listening_is_said_at_once_with_the_address(client: Client) -> None:
    address = "127.0.0.1:1"
    with pytest.raises(RegistryUnreachable) as caught:
        client.transport.send(Request("GET", f"http://{address}/v2/"))
    assert str(caught.value) == (
        f'Get "http://{address}/v2/": cannot connect to {address}: connection refused'
    )
    assert "running" in caught.value.hint


def test_an_unknown_host_is_said_by_name(client: Client) -> None:
    with pytest.raises(RegistryUnreachable, match=r"no such host: no-such-host\.invalid"):
        client.transport.send(Request("GET", "https://no-such-host.invalid/v2/?sig=secret"))


def test_tls_with_a_plain_server_hints_at_the_setting() -> None:
    address = ""
    with CrookedServer(lambda each: each.reply(200)) as server:
        address = server.address
        quick = Patience(tries=1, connect_s=1, read_s=1)
        with pytest.raises((CertificateRefused, RegistryUnreachable, ConnectionBroken)) as caught:
            transport(quick).send(Request("GET", f"https://{address}/v2/"))
    assert address in str(caught.value)


def test_a_go_server_without_tls_is_named_as_docker_names_it(open_registry: object) -> None:
    address = getattr(open_registry, "address", "")
    with pytest.raises(
        CertificateRefused, match="server gave HTTP response to HTTPS client"
    ) as caught:
        transport().send(Request("GET", f"https://{address}/v2/"))
    assert f"LAMINA_INSECURE_REGISTRIES={address}" in caught.value.hint


def test_longer_waits_are_told_to_the_listener(tmp_path: Path) -> None:
    heard: list[Event] = []

    def answer(exchange: Exchange) -> None:
        exchange.reply(429 if len(server.seen) == 1 else 200, b"", {"Retry-After": "1"})

    sender = Transport("", {}, InsecureRules(), patience=Patience(), listener=heard.append)
    with CrookedServer(answer) as server:
        assert sender.send(Request("GET", f"{server.url}/")).status == 200
    sender.close()
    assert heard == [Notice("Retrying in 1 seconds: 127.0.0.1 answers 429")]


def test_closing_wakes_whoever_waits() -> None:
    sender = transport(Patience(tries=2, first_s=50, longest_s=50))
    sender.close()
    with (
        CrookedServer(lambda each: each.reply(503)) as server,
        pytest.raises(ConnectionBroken, match="stopped"),
    ):
        sender.send(Request("GET", f"{server.url}/"))


def test_a_proxy_gets_requests_with_its_own_credentials_not_ours(tmp_path: Path) -> None:
    with CrookedServer(lambda each: each.reply(200, b"by proxy")) as proxy:
        url = f"http://user:pass@{proxy.address}"
        environ = {"HTTP_PROXY": url, "LAMINA_INSECURE_REGISTRIES": "registry.example"}
        with client_for(tmp_path, environ=environ) as client:
            response = client.transport.send(Request("GET", "http://registry.example/v2/", SECRET))
        assert response.body == b"by proxy"
        (seen,) = proxy.seen
        assert seen.handler.path == "http://registry.example/v2/"
        assert seen.headers["proxy-authorization"] == "Basic dXNlcjpwYXNz"
        assert seen.authorization == SECRET["Authorization"]


def test_a_proxy_that_refuses_is_named(tmp_path: Path) -> None:
    proxy = "http://127.0.0.1:1"
    with (
        client_for(tmp_path, environ={"HTTPS_PROXY": proxy}) as client,
        pytest.raises(
            RegistryUnreachable, match=r"cannot reach the proxy 127.0.0.1:.*: connection refused"
        ),
    ):
        client.transport.send(Request("GET", "https://registry.example/v2/"))


def test_a_proxy_that_wants_a_name_is_told_apart_from_a_registry_that_does(tmp_path: Path) -> None:
    with CrookedServer(lambda each: each.reply(407)) as proxy:
        url = f"http://{proxy.address}"
        environ = {"HTTP_PROXY": url, "LAMINA_INSECURE_REGISTRIES": "plain.example"}
        with client_for(tmp_path, environ=environ) as client:
            response = client.transport.send(Request("GET", "http://plain.example/v2/"))
            purpose = Purpose("pull", "plain.example/a", "v1", "manifest", "plain.example")
            assert "NAME:PASSWORD@HOST:PORT" in client.failure(response, purpose).hint
    with TunnelProxy("127.0.0.1:1", answer="HTTP/1.1 407 Proxy Authentication Required") as tunnel:
        environ = {"HTTPS_PROXY": f"http://{tunnel.address}"}
        with client_for(tmp_path, environ=environ) as client:
            with pytest.raises(RegistryUnreachable, match="407 Proxy Authentication") as caught:
                client.transport.send(Request("GET", "https://registry.example/v2/"))
            assert "NAME:PASSWORD@HOST:PORT" in caught.value.hint


def test_a_proxied_insecure_registry_falls_back_to_http(tmp_path: Path) -> None:
    def answer(exchange: Exchange) -> None:
        exchange.reply(405 if exchange.method == "CONNECT" else 200)

    with CrookedServer(answer) as proxy:
        environ = {
            "ALL_PROXY": f"http://{proxy.address}",
            "LAMINA_INSECURE_REGISTRIES": "registry.example",
        }
        with client_for(tmp_path, environ=environ) as client:
            assert client.endpoints.find("registry.example").url == "http://registry.example"


@pytest.mark.parametrize("announced", [b"102 Processing", b"103 Early Hints\r\nLink: </x>; rel=a"])
def test_answers_that_only_announce_another_are_passed_over(
    client: Client, announced: bytes
) -> None:
    def answer(exchange: Exchange) -> None:
        exchange.handler.wfile.write(b"HTTP/1.1 %b\r\n\r\n" % announced * 3)
        exchange.reply(200, exchange.path.encode())

    with CrookedServer(answer) as server:
        for path in ("/one", "/two"):
            assert client.transport.send(Request("GET", server.url + path)).body == path.encode()
        assert len({each.handler for each in server.seen}) == 1  # the connection is still good


def test_announcements_without_end_and_answers_that_are_no_http_end_in_an_error(
    client: Client,
) -> None:
    def answer(exchange: Exchange) -> None:
        endless = exchange.path == "/endless"
        raw = b"HTTP/1.1 103 x\r\n\r\n" * 100 if endless else b"\x1b[2J hello\r\n\r\n"
        exchange.handler.wfile.write(raw)
        exchange.cut()

    with CrookedServer(answer) as server:
        for path, said in (("/endless", "announce another"), ("/odd", "no answer in HTTP")):
            with pytest.raises(ConnectionBroken, match=said):
                client.transport.send(Request("GET", server.url + path, retry=False))
