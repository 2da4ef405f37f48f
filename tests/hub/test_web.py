"""What we are called, and who asks."""

import pytest
from tests.hub.clients import PASSWORD, Client

from lamina.hub import Hub, HubSettings


def realm(client: Client, **headers: str) -> str:
    return client.get("/v2/", **headers).headers["www-authenticate"]


def test_the_realm_is_what_the_client_called_us(hub, nobody):
    assert f"http://{hub.address}/token" in realm(nobody)
    assert "http://hub.example:8080/token" in realm(nobody, Host="hub.example:8080")


@pytest.mark.parametrize("host", ['evil"x', "a b", "evil,scope=x", "ev/il"])
def test_a_host_that_is_none_is_not_believed(hub, nobody, host):
    assert "evil" not in realm(nobody, Host=host).partition(",")[0]


def test_forwarded_headers_are_not_believed_from_just_anyone(nobody):
    assert "evil" not in realm(nobody, X_Forwarded_Host="evil.example", X_Forwarded_Proto="https")


def test_forwarded_headers_are_believed_from_our_own_proxies(tmp_path):
    settings = HubSettings(root=str(tmp_path), port=0, proxies=("127.0.0.0/8",), shutdown_s=1)
    with Hub(settings=settings) as hub:
        client = Client(hub.address)
        told = {"X_Forwarded_Proto": "https", "X_Forwarded_Host": "hub.example"}
        assert 'realm="https://hub.example/token"' in realm(client, **told)
        assert f'realm="https://{hub.address}/token"' in realm(client, X_Forwarded_Proto="HTTPS")
        appended = realm(client, X_Forwarded_Host="evil.example, hub.example:8443")
        assert 'realm="http://hub.example:8443/token"' in appended
        assert "evil" not in realm(client, X_Forwarded_Host='evil"x').partition(",")[0]
        page = client.get("/register", **told)
        assert "Secure" in page.headers["set-cookie"]


def test_a_public_url_wins_over_the_host_header(tmp_path):
    settings = HubSettings(
        root=str(tmp_path), port=0, public_url="https://hub.example", shutdown_s=1
    )
    with Hub(settings=settings) as hub:
        client = Client(hub.address)
        assert 'realm="https://hub.example/token"' in realm(client)
        answer = client.get("/register")
        assert "Secure" in answer.headers["set-cookie"]
        assert "strict-transport-security" in answer.headers


@pytest.mark.parametrize("header", ["Basic !!!", "Basic YWxpY2U=", "Digest x", "Bearer", "x"])
def test_an_authorization_nobody_can_read_is_401(nobody, header):
    assert nobody.request("GET", "/v2/", Authorization=header).status == 401


def test_too_many_wrong_passwords_are_429_with_a_time_to_wait(tmp_path):
    with Hub(root=str(tmp_path)) as hub:
        hub.register("alice", PASSWORD)
        wrong = Client(hub.address, "alice", "wrong one")
        codes = [wrong.get("/token").status for _ in range(9)]
        assert codes == [401] * 8 + [429]
        assert int(wrong.get("/token").headers["retry-after"]) > 0


@pytest.mark.parametrize(
    ("proxies", "forwarded", "expected"),
    [
        ((), "203.0.113.7", "127.0.0.1"),
        (("10.0.0.0/8",), "203.0.113.7", "127.0.0.1"),
        (("127.0.0.0/8",), "203.0.113.7", "203.0.113.7"),
        (("127.0.0.0/8",), "198.51.100.1, 203.0.113.7", "203.0.113.7"),
        (("127.0.0.0/8", "10.0.0.0/8"), "198.51.100.1, 203.0.113.7, 10.1.1.1", "203.0.113.7"),
        (("127.0.0.0/8",), "", "127.0.0.1"),
        (("127.0.0.0/8",), "somebody", "somebody"),
    ],
)
def test_only_our_own_proxies_are_believed_about_who_came(tmp_path, proxies, forwarded, expected):
    settings = HubSettings(
        root=str(tmp_path), port=0, proxies=proxies, account_failures=1, shutdown_s=1
    )
    with Hub(settings=settings) as hub:
        wrong = Client(hub.address, "alice", "wrong one")
        assert wrong.get("/token", X_Forwarded_For=forwarded).status == 401
        found = hub.services.database.read(
            lambda connection: connection.execute("SELECT address FROM failures").fetchone()[0]
        )
        assert found == expected
