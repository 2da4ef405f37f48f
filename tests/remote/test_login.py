"""Logging in and out, checked against distribution's registry and the real docker command."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.remote.crooked import (
    PASSWORD,
    USER,
    CrookedServer,
    Exchange,
    PasswordRegistry,
    client_for,
)
from tests.remote.test_repository import descriptor_of, fetch, push
from tests.servers import RegistryServer

from lamina.remote.client import Client
from lamina.remote.credentials import Credentials
from lamina.remote.errors import LoginRefused, LoginRequired, RegistryFailed
from lamina.remote.login import check_login, login, logout
from lamina.remote.repository import Repository
from lamina.spec.digest import Digest
from lamina.spec.wire import decode, encode


def tool(folder: Path, *words: str, given: str = "") -> str:
    """Run another tool with the config folder of the test's client; give what it prints."""
    environ = {"HOME": str(folder), "DOCKER_CONFIG": str(folder / "docker")}
    done = subprocess.run(
        words,
        input=given,
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.environ["PATH"], **environ},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_login_is_checked_kept_and_good_for_pushing(
    client: Client, locked_registry: PasswordRegistry, tmp_path: Path
) -> None:
    result = login(client, locked_registry.address, USER, PASSWORD)
    assert (result.registry, result.username, result.status) == (
        locked_registry.address, USER, "Login Succeeded",
    )  # fmt: skip
    assert result.stored.place == str(tmp_path / "docker" / "config.json")
    with client_for(tmp_path) as later:
        repository = Repository(later, locked_registry.address, "mine/app")
        manifest = push(repository, b"layer")
        repository.put_manifest("v1", manifest.raw, manifest.media_type)
        assert fetch(repository, descriptor_of(b"layer")) == b"layer"
        assert logout(later, locked_registry.address)
        assert not logout(later, locked_registry.address)


def test_a_wrong_password_is_refused_and_nothing_is_kept(
    client: Client, locked_registry: PasswordRegistry, tmp_path: Path
) -> None:
    with pytest.raises(LoginRefused) as caught:
        login(client, locked_registry.address, USER, "wrong")
    assert str(caught.value) == (
        f'Get "http://{locked_registry.address}/v2/": unauthorized: incorrect username or password'
    )
    assert not (tmp_path / "docker").exists()


def test_a_registry_without_logins_takes_any(client: Client, open_registry: RegistryServer) -> None:
    assert login(client, open_registry.address, USER, PASSWORD).status == "Login Succeeded"


@pytest.fixture
def private_image(locked_registry: PasswordRegistry, tmp_path: Path) -> str:
    """Give the name of an image that only alice may read; she is not logged in."""
    with client_for(tmp_path) as client:
        login(client, locked_registry.address, USER, PASSWORD)
        repository = Repository(client, locked_registry.address, "private/image")
        manifest = push(repository, b"layer")
        repository.put_manifest("v1", manifest.raw, manifest.media_type)
        logout(client, locked_registry.address)
    return f"{locked_registry.address}/private/image:v1"


def test_skopeos_login_works_for_us_and_ours_for_skopeo(
    client: Client, private_image: str, tmp_path: Path
) -> None:
    address = private_image.partition("/")[0]
    shared = ("--authfile", client.keychain.path)
    plain = "--tls-verify=false"
    tool(
        tmp_path,
        "skopeo",
        "login",
        *shared,
        plain,
        "-u",
        USER,
        "--password-stdin",
        address,
        given=PASSWORD,
    )
    assert client.keychain.get(address) == Credentials(USER, PASSWORD)
    logout(client, address)
    login(client, address, USER, PASSWORD)
    raw = tool(tmp_path, "skopeo", "inspect", "--raw", *shared, plain, f"docker://{private_image}")
    assert (
        Digest.of(raw.encode())
        == Repository(client, address, "private/image").manifest("v1")[0].digest
    )
    tool(tmp_path, "skopeo", "logout", *shared, address)
    assert client.keychain.get(address) is None


def test_dockers_login_works_for_us_and_ours_for_docker(
    client: Client, private_image: str, tmp_path: Path
) -> None:
    address = private_image.partition("/")[0]
    if shutil.which("docker") is None:
        return  # skopeo speaks for docker above where only Debian's packages are installed
    tool(tmp_path, "docker", "login", "-u", USER, "--password-stdin", address, given=PASSWORD)
    config = Path(client.keychain.path)
    theirs = config.read_text()
    assert client.keychain.get(address) == Credentials(USER, PASSWORD)
    logout(client, address)
    login(client, address, USER, PASSWORD)
    assert config.read_text() == theirs, "written as docker writes it"
    shown = tool(tmp_path, "docker", "manifest", "inspect", "--insecure", private_image)
    assert decode(shown)["layers"][0]["digest"] == str(Digest.of(b"layer"))
    said = tool(tmp_path, "docker", "logout", address)
    assert said == f"Removing login credentials for {address}\n"
    assert client.keychain.get(address) is None


def token_registry(*, refresh: str = "") -> CrookedServer:
    """A registry with tokens; its service gives an identity token when asked to."""

    def answer(exchange: Exchange) -> None:
        if exchange.path == "/token":
            if exchange.method == "GET" and exchange.authorization != f"Basic {alice.basic}":
                exchange.reply(401, b'{"details": "incorrect username or password"}')
                return
            if exchange.method == "POST" and b"refresh_token=identity" not in exchange.body:
                exchange.reply(401, b"")
                return
            document = {"token": "good"}
            if refresh and exchange.query.get("offline_token") == ["true"]:
                document["refresh_token"] = refresh
            exchange.reply(200, encode(document))
        elif exchange.authorization == "Bearer good":
            exchange.reply(200, b'{"name": "a/b", "tags": ["v1"]}')
        else:
            exchange.reply(401, b"", {"WWW-Authenticate": 'Bearer realm="/token",service="s"'})

    alice = Credentials(USER, PASSWORD)
    return CrookedServer(answer)


def test_a_login_by_token_asks_the_token_service(client: Client) -> None:
    with token_registry() as server:
        login(client, server.address, USER, PASSWORD)
        assert client.keychain.get(server.address) == Credentials(USER, PASSWORD)
        with pytest.raises(LoginRefused) as caught:
            login(client, server.address, USER, "wrong")
        assert str(caught.value) == (
            f'Get "{server.url}/v2/": unauthorized: incorrect username or password'
        )


def test_an_identity_token_is_kept_instead_of_the_password_and_works(
    client: Client, tmp_path: Path
) -> None:
    with token_registry(refresh="identity") as server:
        login(client, server.address, USER, PASSWORD)
        config = (tmp_path / "docker" / "config.json").read_bytes()
        assert decode(config)["auths"][server.address]["identitytoken"] == "identity"
        assert Credentials(USER, PASSWORD).basic.encode() not in config
        with client_for(tmp_path) as later:
            assert Repository(later, server.address, "a/b").tags() == ("v1",)
            kept = later.credentials(server.address)
            assert kept
            assert check_login(later, server.address, kept) == kept


def test_what_is_no_registry_is_said_to_be_none(client: Client) -> None:
    with CrookedServer(lambda exchange: exchange.reply(404)) as server:
        with pytest.raises(RegistryFailed) as caught:
            login(client, server.address, USER, PASSWORD)
        assert "does not answer as a registry does" in caught.value.hint
    with (
        CrookedServer(lambda exchange: exchange.reply(401)) as server,
        pytest.raises(RegistryFailed, match="without a challenge"),
    ):
        login(client, server.address, USER, PASSWORD)


def test_the_same_client_is_somebody_else_after_a_login_and_nobody_after_a_logout(
    client: Client, private_image: str
) -> None:
    address = private_image.partition("/")[0]
    repository = Repository(client, address, "private/image")
    with pytest.raises(LoginRequired):
        repository.manifest("v1")
    login(client, address, USER, PASSWORD)
    assert repository.manifest("v1")
    logout(client, address)
    with pytest.raises(LoginRequired):
        repository.manifest("v1")
