"""`registries.toml`: mirrors in order, then the origin; other places, blocked ones, whom TLS trusts."""

import hashlib
import os
import ssl
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
import trustme
from tests.remote.crooked import CrookedServer, Exchange, client_for
from tests.remote.test_repository import descriptor_of, fetch

from lamina.errors import Invalid
from lamina.remote.client import Client
from lamina.remote.credentials import Credentials
from lamina.remote.errors import ManifestUnknown
from lamina.remote.registries import PlaceOf, Registries, RegistryBlocked
from lamina.remote.repository import Repository
from lamina.spec.digest import Digest

DATA = os.urandom(300_000)
BLOB = descriptor_of(DATA)
RAW = b'{"schemaVersion":2,"config":{"mediaType":"a/b","digest":"%s","size":1},"layers":[]}' % (
    b"sha256:" + hashlib.sha256(b"x").hexdigest().encode()
)


def serve(exchange: Exchange) -> None:
    """Be a registry that has one manifest and one blob in every repository."""
    if "/manifests/" in exchange.path:
        exchange.reply(
            200, RAW, {"Content-Type": "application/vnd.oci.image.manifest.v1+json"}
        )  # fmt: skip
    elif "/blobs/" in exchange.path:
        exchange.reply(200, DATA)
    else:
        exchange.reply(404)


def client(folder: Path, text: str) -> AbstractContextManager[Client]:
    (folder / "registries.toml").write_text(text)
    return client_for(folder, environ={"LAMINA_REGISTRIES": str(folder / "registries.toml")})


def test_the_longest_prefix_counts_and_the_origin_is_the_last() -> None:
    rules = Registries.parse(
        """
        [registry."docker.io"]
        mirrors = ["http://cache.lan:5000", "https://m.example/hub/"]
        [registry."docker.io/team"]
        location = "registry.lan/copies"
        """,
        "f",
    )
    assert rules.places("docker.io", "library/debian") == (
        PlaceOf("cache.lan:5000", "library/debian"),
        PlaceOf("m.example", "hub/library/debian"),
        PlaceOf("docker.io", "library/debian"),
    )
    assert rules.places("docker.io", "team/app") == (PlaceOf("registry.lan", "copies/app"),)
    assert rules.places("docker.io", "teams/app")[-1] == PlaceOf("docker.io", "teams/app")
    assert rules.places("quay.io", "team/app") == (PlaceOf("quay.io", "team/app"),)
    assert rules.insecure == ("cache.lan:5000",)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[registry", "f: "),
        ("[mirror.x]", "unknown mirror"),
        ("registry = 3", "unknown registry"),
        ('[registry]\n"a.b" = 3', "not a table"),
        ('[registry."a.b"]\nmirror = []', "unknown key 'mirror'"),
        ('[registry."a.b"]\nmirrors = "x"', "mirrors is not a list"),
        ('[registry."a.b"]\nmirrors = [3]', "3 is no registry"),
        ('[registry."http://a.b"]', "is no registry"),
        ('[registry."a.b"]\nlocation = "/x"', "is no registry"),
        ('[registry."a.b:99999"]', "invalid port"),
    ],
)
def test_what_is_wrong_in_the_file_is_named(text: str, words: str) -> None:
    with pytest.raises(Invalid, match=words):
        Registries.parse(text, "f")


def test_the_users_file_is_read_and_a_named_one_must_be_there(tmp_path: Path) -> None:
    assert Registries.load({"HOME": str(tmp_path)}).rules == ()
    (tmp_path / ".config/lamina").mkdir(parents=True)
    path = tmp_path / ".config/lamina/registries.toml"
    path.write_text('[registry."a.b"]\nblocked = true\n')
    found = Registries.load({"HOME": str(tmp_path)})
    assert found.path == str(path)
    with pytest.raises(RegistryBlocked, match=r"a\.b is blocked by"):
        found.places("a.b", "x")
    with pytest.raises(Invalid, match="LAMINA_REGISTRIES"):
        Registries.load({"LAMINA_REGISTRIES": str(tmp_path / "none")})


def test_the_first_mirror_that_can_is_read_and_the_origin_left_alone(tmp_path: Path) -> None:
    with (
        CrookedServer(lambda each: each.reply(404)) as empty,
        CrookedServer(serve) as full,
        CrookedServer(serve) as origin,
    ):
        made = client(
            tmp_path,
            f'[registry."{origin.address}"]\nmirrors = ["{empty.address}", "{full.address}/copy"]\n',
        )
        with made as connected:
            repository = Repository(connected, origin.address, "a/b")
            assert repository.manifest("v1")[1] == RAW
            assert fetch(repository, BLOB, 0) == DATA
        assert [each.path for each in empty.seen] == [
            "/v2/a/b/manifests/v1",
            f"/v2/a/b/blobs/{BLOB.digest}",
        ]
        assert [each.path for each in full.seen] == [
            "/v2/copy/a/b/manifests/v1",
            f"/v2/copy/a/b/blobs/{BLOB.digest}",
        ]
        assert origin.seen == []
        # As containerd does it: a cache of many registries has to be told which one is meant.
        for each in (*empty.seen, *full.seen):
            assert each.query == {"ns": [origin.address]}


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500, 503])
def test_whatever_a_mirror_answers_the_origin_is_asked_at_once(tmp_path: Path, status: int) -> None:
    with (
        CrookedServer(lambda each: each.reply(status)) as mirror,
        CrookedServer(serve) as origin,
        client(tmp_path, f'[registry."{origin.address}"]\nmirrors = ["{mirror.address}"]\n') as c,
    ):
        repository = Repository(c, origin.address, "a/b")
        assert repository.manifest("v1")[1] == RAW
        assert fetch(repository, BLOB, 0) == DATA
        assert [each.query for each in origin.seen] == [{}] * len(origin.seen)
        assert len(mirror.seen) <= 2  # it is asked once for each, never again and again


def test_a_mirror_that_does_not_answer_is_asked_once(tmp_path: Path) -> None:
    with CrookedServer(serve) as mirror:
        gone = mirror.address
    with (
        CrookedServer(serve) as origin,
        client(tmp_path, f'[registry."{origin.address}"]\nmirrors = ["{gone}"]\n') as c,
    ):
        repository = Repository(c, origin.address, "a/b")
        assert list(repository.mirrors) == [gone]
        assert repository.manifest("v1")[1] == RAW
        assert list(repository.mirrors) == []


def test_a_mirrors_manifest_with_other_bytes_is_not_taken(tmp_path: Path) -> None:
    def lie(exchange: Exchange) -> None:
        exchange.reply(200, RAW.replace(b"layers", b"lagers"))

    with (
        CrookedServer(lie) as mirror,
        CrookedServer(serve) as origin,
        client(tmp_path, f'[registry."{origin.address}"]\nmirrors = ["{mirror.address}"]\n') as c,
    ):
        assert Repository(c, origin.address, "a/b").manifest(Digest.of(RAW))[1] == RAW
        assert len(mirror.seen) == 1


def test_a_mirror_that_breaks_off_again_and_again_is_left_in_the_middle(tmp_path: Path) -> None:
    def cut(exchange: Exchange) -> None:
        start = int(exchange.headers.get("range", "bytes=0-")[6:-1])
        end = min(start + 70_000, len(DATA))
        headers = {"Content-Range": f"bytes {start}-{len(DATA) - 1}/{len(DATA)}"} if start else {}
        length = len(DATA) - start
        exchange.reply(206 if start else 200, DATA[start:end], headers, length=length)

    def rest(exchange: Exchange) -> None:
        start = int(exchange.headers["range"][6:-1])
        exchange.reply(
            206, DATA[start:], {"Content-Range": f"bytes {start}-{len(DATA) - 1}/{len(DATA)}"}
        )

    with (
        CrookedServer(cut) as mirror,
        CrookedServer(rest) as origin,
        client(tmp_path, f'[registry."{origin.address}"]\nmirrors = ["{mirror.address}"]\n') as c,
    ):
        assert fetch(Repository(c, origin.address, "a/b"), BLOB, 0) == DATA
        assert len(mirror.seen) == 3
        assert [each.headers["range"] for each in origin.seen] == ["bytes=210000-"]


def test_a_mirror_with_a_blob_of_another_length_is_passed_over(tmp_path: Path) -> None:
    with (
        CrookedServer(lambda each: each.reply(200, DATA[1:])) as mirror,
        CrookedServer(serve) as origin,
        client(tmp_path, f'[registry."{origin.address}"]\nmirrors = ["{mirror.address}"]\n') as c,
    ):
        assert fetch(Repository(c, origin.address, "a/b"), BLOB, 0) == DATA


def test_the_origins_credentials_never_go_to_a_mirror(tmp_path: Path) -> None:
    def locked(exchange: Exchange) -> None:
        if exchange.authorization:
            serve(exchange)
        else:
            exchange.reply(401, b"", {"WWW-Authenticate": 'Basic realm="x"'})

    with (
        CrookedServer(locked) as mirror,
        CrookedServer(locked) as origin,
        client(tmp_path, f'[registry."{origin.address}"]\nmirrors = ["{mirror.address}"]\n') as c,
    ):
        c.keychain.store(origin.address, Credentials("alice", "secret"))
        repository = Repository(c, origin.address, "a/b")
        assert repository.manifest("v1")[1] == RAW
        assert {each.authorization for each in mirror.seen} == {""}
        assert origin.seen[-1].authorization.startswith("Basic ")


def test_a_push_goes_to_the_origin_or_where_the_prefix_leads(tmp_path: Path) -> None:
    def take(exchange: Exchange) -> None:
        exchange.reply(201)

    with (
        CrookedServer(take) as mirror,
        CrookedServer(take) as origin,
        client(
            tmp_path,
            f'[registry."name.example/team"]\nlocation = "{origin.address}/here"\n'
            f'mirrors = ["{mirror.address}"]\n',
        ) as c,
    ):
        Repository(c, "name.example", "team/app").put_manifest("v1", RAW, "a/b")
        assert [each.path for each in origin.seen] == ["/v2/here/app/manifests/v1"]
        assert mirror.seen == []


def test_what_nobody_has_is_said_of_the_origin(tmp_path: Path) -> None:
    with (
        CrookedServer(lambda each: each.reply(404)) as mirror,
        CrookedServer(lambda each: each.reply(404)) as origin,
        client(tmp_path, f'[registry."{origin.address}"]\nmirrors = ["{mirror.address}"]\n') as c,
        pytest.raises(ManifestUnknown, match=f"{origin.address}/a/b:v1"),
    ):
        Repository(c, origin.address, "a/b").manifest("v1")


def test_an_authority_named_in_the_file_is_trusted(tmp_path: Path) -> None:
    from tests.remote.tunnels import TunnelProxy

    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("registry.example").configure_cert(context)
    (tmp_path / "registries.toml").write_text(
        f'[registry."registry.example"]\nca = "{tmp_path}/ca.pem"\n'
    )
    with CrookedServer(serve, context) as server, TunnelProxy(server.address) as proxy:
        environ = {
            "LAMINA_REGISTRIES": str(tmp_path / "registries.toml"),
            "HTTPS_PROXY": f"http://{proxy.address}",
        }
        with client_for(tmp_path, environ=environ) as made:
            assert Repository(made, "registry.example", "a/b").manifest("v1")[1] == RAW
