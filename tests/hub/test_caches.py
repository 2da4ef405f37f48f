"""Who makes caches, of what, and what is told of them."""

import threading
from concurrent.futures import ThreadPoolExecutor, wait

import pytest
from tests.hub.clients import Client, document
from tests.hub.hostile import Hostile

from lamina.hub import Hub
from lamina.hub.access import ANONYMOUS, Caller
from lamina.hub.errors import CacheUnknown, FormInvalid, LoginRequired, NameTaken, NameUnknown

CHIEF, ALICE = Caller("chief", is_admin=True), Caller("alice")
API = "/api/v1/caches"


@pytest.fixture(scope="module")
def hub(without_chores, hub: Hub) -> Hub:
    """The hub of all tests, which looks for caches when it is told to."""
    return hub


@pytest.fixture
def caches(hub):
    known = hub.services.caches
    yield known
    for made in known.all(CHIEF):
        known.remove(CHIEF, made.namespace)


def post(client, **fields):
    return client.request("POST", API, document(fields), Content_Type="application/json")


@pytest.mark.parametrize(
    ("field", "given"),
    [
        ("namespace", {"namespace": "Up"}),
        ("namespace", {"namespace": "admin"}),
        ("upstream", {"upstream": "http://registry.example"}),
        ("upstream", {"upstream": "registry.example/Team"}),
        ("upstream", {"upstream": "user:pass@registry.example"}),
        ("upstream", {"upstream": ""}),
        ("username", {"username": "me"}),
        ("username", {"username": "a:b", "password": "x"}),
        ("username", {"username": "a", "password": "x\r\ny"}),
        ("fresh_s", {"fresh_s": -1}),
        ("keep_days", {"keep_days": 0}),
    ],
)
def test_what_is_wrong_with_a_cache_is_said_by_field(caches, field, given):
    fields = {"namespace": "up", "upstream": "registry.example", **given}
    with pytest.raises(FormInvalid) as caught:
        caches.create(CHIEF, **fields)
    assert list(caught.value.fields) == [field]


def test_a_look_that_began_before_a_cache_was_made_does_not_forget_it(hub, caches, monkeypatch):
    database = hub.services.database
    read, begun, gate = database.read, threading.Event(), threading.Event()

    def slow(work):
        monkeypatch.setattr(database, "read", read)
        found = read(work)
        begun.set()
        assert gate.wait(100)
        return found

    with ThreadPoolExecutor(2) as pool:
        monkeypatch.setattr(database, "read", slow)
        early = pool.submit(caches.look)
        assert begun.wait(100)
        making = pool.submit(caches.create, CHIEF, "up", "registry.example")
        wait([making], timeout=0.2)  # long enough for one that waits for nobody
        gate.set()
        early.result(100)
        made = making.result(100)
    assert caches.locate("up/app", "")[0] == made


def test_docker_hub_has_one_name_and_a_path_is_kept(caches):
    assert caches.create(CHIEF, "one", "https://index.docker.io/").upstream == "docker.io"
    assert caches.create(CHIEF, "two", "quay.io/team").upstream == "quay.io/team"
    assert caches.create(CHIEF, "three", "[::1]:5000").upstream == "[::1]:5000"


def test_admins_alone_make_see_and_remove_them(caches):
    for caller, error in ((ALICE, NameUnknown), (ANONYMOUS, LoginRequired)):
        for deed in (
            lambda caller=caller: caches.all(caller),
            lambda caller=caller: caches.create(caller, "up", "docker.io"),
            lambda caller=caller: caches.remove(caller, "up"),
        ):
            with pytest.raises(error):
                deed()


def test_a_name_with_repositories_is_no_cache_and_a_free_one_is_nobodys_afterwards(hub, caches):
    Client(hub.address, "alice").image("alice/app", "v1")
    with pytest.raises(FormInvalid, match="repositories of its own"):
        caches.create(CHIEF, "alice", "docker.io")
    caches.create(CHIEF, "free", "docker.io")
    with pytest.raises(NameTaken):
        caches.create(CHIEF, "free", "quay.io")
    with pytest.raises(NameTaken):
        hub.register("free", "a long enough password")
    caches.remove(CHIEF, "free")
    with pytest.raises(CacheUnknown):
        caches.remove(CHIEF, "free")


def test_one_cache_is_the_default(caches):
    caches.create(CHIEF, "one", "docker.io", is_default=True)
    caches.create(CHIEF, "two", "quay.io", is_default=True)
    assert [each.is_default for each in caches.all(CHIEF)] == [False, True]


def test_names_lead_to_caches(caches):
    assert caches.locate("docker/x", "docker.io") == (None, "docker/x")
    caches.create(CHIEF, "docker", "docker.io")
    caches.create(CHIEF, "quay", "quay.io", is_default=True)
    assert caches.locate("docker/library/x", "")[0].namespace == "docker"
    assert caches.locate("library/x", "docker.io")[1] == "docker/library/x"
    assert caches.locate("library/x", "registry-1.docker.io")[1] == "docker/library/x"
    assert caches.locate("docker/library/x", "docker.io")[1] == "docker/library/x"
    assert caches.locate("library/x", "other.example") == (None, "library/x")
    assert caches.locate("library/x", "") == (None, "library/x")
    assert [caches.may_adopt(each) for each in ("", "other.example")] == [True, False]
    assert caches.adopt("library/x")[1] == "quay/library/x"
    assert caches.adopt("alice/x") == (None, "alice/x")


def test_another_process_of_the_hub_learns_of_a_cache(tmp_path):
    with Hub(root=str(tmp_path / "hub")) as one:
        one.register("chief", "correct horse battery")
        with Hub(root=str(tmp_path / "hub")) as two:
            one.services.caches.create(CHIEF, "up", "docker.io")
            two.services.caches.look()
            assert two.services.caches.locate("up/x", "")[0] is not None
            one.services.caches.remove(CHIEF, "up")
            two.services.caches.look()
            assert two.services.caches.locate("up/x", "")[0] is None


def test_caches_are_made_listed_and_removed_by_json_without_their_passwords(hub, chief, caches):
    with Hostile() as hostile:
        made = post(chief, namespace="up", upstream=hostile.address, username="me",
                    password="secret words", is_private=True, fresh_s=10)  # fmt: skip
        assert made.status == 201, made
        assert "secret words" not in made.text
        assert chief.get("/v2/up/team/app/manifests/v1").status == 200
        listed = chief.get(API)
        assert "secret words" not in listed.text
        (row,) = listed.json["caches"]
        assert (row["namespace"], row["upstream"]) == ("up", hostile.address)
        assert (row["username"], row["is_private"], row["fresh_s"]) == ("me", True, 10)
        text = hub.services.passing.families()
        assert 'lamina_hub_cache_manifests_total{namespace="up",outcome="miss"} 1' in text
    assert chief.request("DELETE", f"{API}/up").status == 204
    assert chief.request("DELETE", f"{API}/up").status == 404


def test_strangers_and_nobody_find_no_caches_by_json(chief, alice, nobody, caches):
    for client, status in ((alice, 404), (nobody, 401)):
        assert client.get(API).status == status
        assert post(client, namespace="up", upstream="docker.io").status == status
        assert client.request("DELETE", f"{API}/up").status == status
    assert post(chief, namespace="up", upstream="docker.io", fresh_s="x").status == 400
    assert post(chief, namespace="up", upstream=1).status == 400
