"""What is pulled from a namespace that stands for another registry, of good and of bad manners."""

import http.client
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from tests.hub.clients import INDEX, MANIFEST, PASSWORD, Client, digest, document
from tests.hub.hostile import Hostile, Reply
from tests.hub.raw import nobody_listens

from lamina.hub import Hub, HubSettings, upstream
from lamina.hub.access import Caller
from lamina.spec.wire import decode

CHIEF = Caller("chief", is_admin=True)
_PATIENCE_S = 60


@pytest.fixture(scope="module")
def hub_(without_chores, tmp_path_factory):
    settings = HubSettings(root=str(tmp_path_factory.mktemp("hub")), port=0, shutdown_s=1)
    with Hub(settings=settings) as hub:
        for name in ("chief", "alice"):
            hub.register(name, PASSWORD)
        yield hub


@pytest.fixture
def hub(hub_):
    """A hub without caches; `cache` makes them, and with them goes what was fetched."""
    yield hub_
    for made in hub_.services.caches.all(CHIEF):
        hub_.services.caches.remove(CHIEF, made.namespace)


@pytest.fixture
def nobody(hub):
    return Client(hub.address)


@pytest.fixture(scope="module")
def origin(tmp_path_factory):
    """Another hub, whose images are passed on."""
    with Hub(root=str(tmp_path_factory.mktemp("origin"))) as origin:
        origin.register("team", PASSWORD)
        yield origin


def cache(hub, source, *, namespace="up", fresh_s=300, **more):
    address = getattr(source, "address", source)
    return hub.services.caches.create(CHIEF, namespace, address, fresh_s=fresh_s, **more)


def manifest(client, reference="v1", *, name="up/team/app"):
    return client.get(f"/v2/{name}/manifests/{reference}")


def layer(client, hostile, **headers):
    return client.get(f"/v2/up/team/app/blobs/{hostile.layer_digest}", **headers)


def pull(client, name):
    """Pull as clients do; give the bytes of every blob by digest."""
    found = client.get(f"/v2/{name}")
    assert found.status == 200, found
    repository = name.partition("/manifests/")[0]
    document = found.json
    blobs = {}
    for row in (document["config"], *document["layers"]):
        answer = client.get(f"/v2/{repository}/blobs/{row['digest']}")
        assert answer.status == 200, answer
        assert digest(answer.body) == row["digest"]
        blobs[row["digest"]] = answer.body
    return blobs


def tags_of(hub, name):
    return hub.services.registry.tag_names(CHIEF, name, last="", limit=100)


def test_an_image_is_fetched_once_and_given_again_without_its_registry(hub, nobody):
    with Hostile() as hostile:
        cache(hub, hostile)
        first = pull(nobody, "up/team/app/manifests/v1")
        asked = dict(hostile.asked)
        assert asked["GET", "layer"] == 1
        assert pull(nobody, "up/team/app/manifests/v1") == first
        assert dict(hostile.asked) == asked
    assert pull(nobody, "up/team/app/manifests/v1") == first
    found = manifest(nobody)
    assert pull(nobody, f"up/team/app/manifests/{found.headers['docker-content-digest']}") == first
    assert tags_of(hub, "up/team/app") == ("v1",)


def test_a_tag_is_compared_once_its_time_is_over_and_moves_with_its_registry(hub, origin, nobody):
    team = Client(origin.address, "team")
    cache(hub, origin, fresh_s=0)
    cache(hub, origin, namespace="slow", fresh_s=3600)
    one = team.image("team/moving", "v1", seed="one")
    for name in ("up", "slow"):
        found = manifest(nobody, name=f"{name}/team/moving")
        assert found.headers["docker-content-digest"] == one
    two = team.image("team/moving", "v1", seed="two")
    for _ in range(2):
        found = manifest(nobody, name="up/team/moving")
        assert found.headers["docker-content-digest"] == two
    found = manifest(nobody, name="slow/team/moving")
    assert found.headers["docker-content-digest"] == one
    assert manifest(nobody, one, name="up/team/moving").status == 200
    team.request("DELETE", "/v2/team/moving/manifests/v1")
    assert manifest(nobody, name="up/team/moving").status == 404
    assert tags_of(hub, "up/team/moving") == ()


def test_an_index_comes_before_its_children_and_each_when_it_is_pulled(hub, origin, nobody):
    team = Client(origin.address, "team")
    children = [team.image("team/multi", "", seed=arch, arch=arch) for arch in ("amd64", "arm64")]
    raw = document(
        {
            "schemaVersion": 2,
            "mediaType": INDEX,
            "manifests": [
                {
                    "mediaType": MANIFEST,
                    "digest": each,
                    "size": len(team.get(f"/v2/team/multi/manifests/{each}").body),
                    "platform": {"os": "linux", "architecture": arch},
                }
                for each, arch in zip(children, ("amd64", "arm64"), strict=True)
            ],
        }
    )
    assert team.put_manifest("team/multi", "v1", raw, INDEX).status == 201
    cache(hub, origin)
    assert manifest(nobody, name="up/team/multi").body == raw
    assert len(pull(nobody, f"up/team/multi/manifests/{children[1]}")) == 3


def test_what_is_not_there_is_not_found_and_a_blob_that_nothing_names_is_not_fetched(hub, nobody):
    with Hostile() as hostile:
        cache(hub, hostile)
        absent = "sha256:" + "a" * 64
        assert manifest(nobody, "v2").status == 404
        assert manifest(nobody, absent).code == "MANIFEST_UNKNOWN"
        assert layer(nobody, hostile).code == "BLOB_UNKNOWN"
        manifest(nobody)
        assert nobody.get(f"/v2/up/team/app/blobs/{absent}").code == "BLOB_UNKNOWN"
        assert hostile.asked["GET", "layer"] + hostile.asked["GET", "blob"] == 0
        head = nobody.head(f"/v2/up/team/app/blobs/{hostile.layer_digest}")
        assert (head.status, head.headers["content-length"]) == (200, str(len(hostile.layer)))
        assert hostile.asked["GET", "layer"] == 0


def test_nothing_is_pushed_to_a_cache_and_its_owner_deletes_there(hub, nobody):
    with Hostile() as hostile:
        cache(hub, hostile)
        chief = Client(hub.address, "chief")
        assert manifest(nobody).status == 200
        for method, path in (
            ("POST", "/v2/up/team/app/blobs/uploads/"),
            ("PUT", "/v2/up/team/app/manifests/v2"),
            ("POST", "/v2/up/new/blobs/uploads/"),
        ):
            answer = chief.request(method, path, b"")
            assert (answer.status, answer.code) == (403, "DENIED")
            assert hostile.address in answer.json["errors"][0]["message"]
        assert chief.request("DELETE", "/v2/up/team/app/manifests/v1").status == 202
        assert tags_of(hub, "up/team/app") == ()


def test_a_private_cache_is_for_those_who_may_read_its_namespace(hub, nobody):
    with Hostile() as hostile:
        cache(hub, hostile, is_private=True)
        alice, chief = Client(hub.address, "alice"), Client(hub.address, "chief")
        for _ in range(2):  # before and after it came
            assert manifest(nobody).status == 401
            assert manifest(alice).status == 404
            assert layer(nobody, hostile).status == 401
            assert layer(alice, hostile).status == 404
            assert manifest(chief).status == 200
            assert layer(chief, hostile).status == 200
        token = chief.get_token("repository:up/team/app:pull").json["token"]
        assert manifest(nobody.with_token(token)).status == 200
        narrow = chief.get_token("repository:chief/other:pull").json["token"]
        assert manifest(nobody.with_token(narrow)).status == 401
        assert "up/team/app" not in alice.get("/v2/_catalog").text


def test_another_registry_gets_no_private_blob_out_by_naming_it(hub, nobody):
    alice = Client(hub.address, "alice")
    secret = b"private words " * 100
    alice.push_blob("alice/secret", secret)
    with Hostile() as hostile:
        config = b'{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}'
        hostile.set_image(config, b"not those words" + bytes(len(secret) - 15), named=secret)
        cache(hub, hostile)
        assert manifest(nobody).status == 200
        with pytest.raises((http.client.IncompleteRead, ConnectionError)):
            layer(nobody, hostile)


def test_its_login_is_for_its_registry_and_a_wrong_one_is_said(hub, origin, nobody):
    team = Client(origin.address, "team")
    team.image("team/closed", "v1")
    origin.services.database.write(
        lambda connection: connection.execute(
            "UPDATE repositories SET is_private = 1 WHERE name = 'team/closed'"
        )
    )
    cache(hub, origin, username="team", password=PASSWORD)
    cache(hub, origin, namespace="open")
    cache(hub, origin, namespace="wrong", username="team", password="not the password")
    assert len(pull(nobody, "up/team/closed/manifests/v1")) == 3
    assert manifest(nobody, name="open/team/closed").code == "NAME_UNKNOWN"
    refused = manifest(nobody, name="wrong/team/closed")
    assert (refused.status, "incorrect username" in refused.text) == (503, True)
    assert PASSWORD not in repr(hub.services.caches.all(CHIEF))


def test_a_hundred_clients_for_one_blob_are_one_fetch(hub, nobody):
    with Hostile(layer=b"many want it " * 50_000) as hostile:
        cache(hub, hostile)
        assert manifest(nobody).status == 200
        hostile.gate.clear()
        with ThreadPoolExecutor(100) as pool:
            waiting = [pool.submit(layer, nobody, hostile) for _ in range(100)]
            pause = threading.Event()
            while hub.services.metrics.in_flight < 100:
                assert not any(each.done() for each in waiting)
                pause.wait(0.02)
            hostile.gate.set()
            answers = [each.result(_PATIENCE_S) for each in waiting]
        assert {(each.status, digest(each.body)) for each in answers} == {
            (200, hostile.layer_digest)
        }
        assert hostile.asked["GET", "layer"] == 1
        assert layer(nobody, hostile).body == hostile.layer
        assert hostile.asked["GET", "layer"] == 1


def test_bytes_go_on_to_a_client_before_all_have_come(hub, nobody):
    def halfway(method, kind, before):
        return Reply(cut_at=15_000) if (method, kind, before) == ("GET", "layer", 0) else None

    with Hostile(manner=halfway) as hostile:
        cache(hub, hostile)
        assert manifest(nobody).status == 200
        connection = http.client.HTTPConnection(hub.address, timeout=_PATIENCE_S)
        connection.request("GET", f"/v2/up/team/app/blobs/{hostile.layer_digest}")
        answer = connection.getresponse()
        begun = answer.read(10_000)  # of what came before the break
        rest = answer.read()
        assert begun + rest == hostile.layer
        assert hostile.asked["GET", "layer"] == 2  # the second from where the first broke off
        connection.close()


def test_a_part_is_sent_while_the_whole_comes(hub, nobody):
    with Hostile() as hostile:
        cache(hub, hostile)
        assert manifest(nobody).status == 200
        hostile.gate.clear()
        with ThreadPoolExecutor(4) as pool:
            whole = pool.submit(layer, nobody, hostile)
            parts = [
                pool.submit(layer, nobody, hostile, Range=wanted)
                for wanted in ("bytes=100-199", "bytes=-10", "bytes=99999999-")
            ]
            hostile.gate.set()
            assert whole.result(_PATIENCE_S).body == hostile.layer
            middle, last, beyond = (each.result(_PATIENCE_S) for each in parts)
        assert (middle.status, middle.body) == (206, hostile.layer[100:200])
        assert (last.status, last.body) == (206, hostile.layer[-10:])
        assert beyond.status == 416


@pytest.mark.parametrize("manner", ["wrong", "cut"])
def test_a_blob_that_is_wrong_or_breaks_off_is_whole_for_nobody_and_kept_nowhere(
    hub, nobody, manner
):
    def bad(method, kind, before):
        if (method, kind) != ("GET", "layer"):
            return None
        return Reply(body=b"other " * 5000) if manner == "wrong" else Reply(cut_at=before % 2)

    with Hostile(manner=bad) as hostile:
        cache(hub, hostile)
        assert manifest(nobody).status == 200
        answer = None
        with pytest.raises((http.client.IncompleteRead, ConnectionError, AssertionError)):
            answer = layer(nobody, hostile)
            assert answer.status == 200
        assert answer is None or answer.status == 503
        hostile.manner = None
        hub.services.caches.upstream(hub.services.caches.all(CHIEF)[0])._down_until = 0
        assert layer(nobody, hostile).body == hostile.layer
    kept = hub.services.database.read(
        lambda connection: connection.execute("SELECT count(*) FROM uploads").fetchone()[0]
    )
    assert kept == 0


def test_a_registrys_limit_is_obeyed_and_what_is_here_is_given_meanwhile(hub, nobody):
    limited = Reply(429, headers=(("Retry-After", "600"),))

    def after_one(method, kind, before):
        return limited if kind == "manifest" and before >= 1 else None

    with Hostile(manner=after_one) as hostile:
        hostile.headers = (("RateLimit-Limit", "100;w=21600"), ("RateLimit-Remaining", "7;w=21600"))
        cache(hub, hostile, fresh_s=0)
        assert manifest(nobody).status == 200
        stale = manifest(nobody)
        assert (stale.status, stale.headers["warning"][:7]) == (200, '299 - "')
        asked = sum(hostile.asked.values())
        assert manifest(nobody).headers["warning"].startswith('299 - "the registry does not')
        refused = manifest(nobody, "v9")
        assert (refused.status, refused.code) == (429, "TOOMANYREQUESTS")
        assert 0 < int(refused.headers["retry-after"]) <= 601
        assert sum(hostile.asked.values()) == asked
        assert hub.services.caches.limits() == {"up": (100, 7)}


@pytest.mark.parametrize("status", [500, 502, 503])
def test_a_registry_that_fails_is_503_for_what_is_not_here_and_stale_for_what_is(
    hub, nobody, status
):
    with Hostile() as hostile:
        cache(hub, hostile, fresh_s=0)
        assert manifest(nobody).status == 200
        hostile.manner = lambda *_: Reply(status)
        stale = manifest(nobody)
        assert (stale.status, stale.body) == (200, hostile.manifest)
        assert stale.headers["warning"].startswith('299 - "the registry does not')
        refused = manifest(nobody, "v2")
        assert (refused.status, refused.headers["retry-after"]) == (503, "5")
        assert layer(nobody, hostile).status == 503


def test_a_dead_registry_is_not_asked_again_for_a_while(hub, nobody, monkeypatch):
    monkeypatch.setattr(upstream, "_DOWN_S", 1000.0)
    with nobody_listens() as address:
        cache(hub, address)
        assert manifest(nobody).status == 503
        again = manifest(nobody)
        assert (again.status, "moment" in again.text) == (503, True)


def test_manifests_that_make_no_sense_are_the_registrys_fault(hub, nobody):
    for body in (b"<html>", b"{}", b'{"schemaVersion": 1, "fsLayers": []}', b"x" * 5_000_000):
        with Hostile(manner=lambda *_, body=body: Reply(body=body)) as hostile:
            made = cache(hub, hostile)
            assert manifest(nobody).status == 503
            hub.services.caches.remove(CHIEF, made.namespace)


def test_clients_say_which_registry_they_mean_and_the_default_is_for_what_is_nobodys(hub, nobody):
    alice = Client(hub.address, "alice")
    own = alice.image("alice/app", "v1")
    with Hostile() as hostile:
        cache(hub, hostile, is_default=True)
        named = f"/v2/team/app/manifests/v1?ns={hostile.address}"
        assert nobody.get(named).body == hostile.manifest
        assert nobody.get("/v2/team/app/manifests/v1").body == hostile.manifest
        assert nobody.get(f"/v2/team/app/blobs/{hostile.layer_digest}").body == hostile.layer
        assert manifest(nobody, name="alice/app").headers["docker-content-digest"] == own
        assert nobody.get("/v2/alice/other/manifests/v1").status == 401
        assert nobody.get("/v2/team/app/manifests/v1?ns=other.example").status == 401
        found = nobody.get(f"/v2/up/team/app/manifests/v1?ns={hostile.address}")
        assert found.body == hostile.manifest


def test_a_cache_of_itself_ends_at_once(hub, nobody):
    cache(hub, hub.address, namespace="loop")
    answer = manifest(nobody, name="loop/loop/x")
    assert answer.status == 503
    assert "Loop Detected" in answer.text


def test_what_nobody_pulls_goes_after_its_time_and_what_is_pulled_stays(hub, nobody):
    with Hostile() as hostile:
        cache(hub, hostile, keep_days=1)
        pull(nobody, "up/team/app/manifests/v1")
        hub.services.passing.flush_uses()
        assert hub.services.passing.evict() == 0
        hub.services.database.write(
            lambda connection: connection.execute("UPDATE cached_uses SET used_at = 0")
        )
        assert hub.services.passing.evict() == 1
        gone = hub.collect()
        assert gone.manifests == 1
        assert gone.blobs >= 2
        assert tags_of(hub, "up/team/app") == ()
        assert len(pull(nobody, "up/team/app/manifests/v1")) == 2


def test_what_came_in_bits_is_held_by_its_manifest_when_the_sweep_comes(hub, nobody):
    with Hostile() as hostile:
        cache(hub, hostile)
        first = pull(nobody, "up/team/app/manifests/v1")
        for _ in range(2):
            hub.collect()
    assert pull(nobody, "up/team/app/manifests/v1") == first


def test_a_second_repository_takes_over_what_another_of_the_cache_has(hub, origin, nobody):
    team = Client(origin.address, "team")
    raw = team.manifest("team/first")
    team.put_manifest("team/first", "v1", raw)
    for row in (decode(raw)["config"], *decode(raw)["layers"]):
        path = f"/v2/team/second/blobs/uploads/?mount={row['digest']}&from=team/first"
        assert team.request("POST", path).status == 201
    team.put_manifest("team/second", "v1", raw)
    cache(hub, origin)
    first = pull(nobody, "up/team/first/manifests/v1")
    before = hub.services.passing.fetched["up"]
    assert pull(nobody, "up/team/second/manifests/v1") == first
    assert hub.services.passing.fetched["up"] == before


def test_removing_a_cache_removes_what_was_fetched_and_the_name_is_its_own_again(hub, nobody):
    with Hostile() as hostile:
        cache(hub, hostile)
        pull(nobody, "up/team/app/manifests/v1")
        hub.services.caches.remove(CHIEF, "up")
        assert manifest(nobody).status == 401
        chief = Client(hub.address, "chief")
        assert chief.image("up/team/app", "v2")
        hub.services.registry.remove_repository(CHIEF, "up/team/app")


def test_the_same_question_at_the_same_time_is_asked_once(hub, nobody):
    with Hostile() as hostile:
        cache(hub, hostile)
        ready = threading.Event()

        def late(*_):
            ready.wait(_PATIENCE_S)

        hostile.manner = late
        with ThreadPoolExecutor(20) as pool:
            waiting = [pool.submit(partial(manifest, nobody)) for _ in range(20)]
            pause = threading.Event()
            while hub.services.metrics.in_flight < 20:
                pause.wait(0.02)
            ready.set()
            assert {each.result(_PATIENCE_S).status for each in waiting} == {200}
        assert hostile.asked["HEAD", "manifest"] == 1


def test_what_is_attached_there_is_listed_and_pulled_here(hub, origin, nobody):
    team = Client(origin.address, "team")
    subject = team.image("team/signed", "v1")
    described = {
        "mediaType": MANIFEST,
        "digest": subject,
        "size": len(team.get("/v2/team/signed/manifests/v1").body),
    }
    raw = team.manifest(
        "team/signed", artifactType="application/vnd.example.signature", subject=described
    )
    assert team.put_manifest("team/signed", digest(raw), raw).status == 201
    cache(hub, origin)
    path = f"/v2/up/team/signed/referrers/{subject}"
    assert nobody.get(path).status == 401  # of an image that nobody pulled
    assert manifest(nobody, name="up/team/signed").status == 200
    (row,) = nobody.get(path).json["manifests"]
    assert row["digest"] == digest(raw)
    assert len(pull(nobody, f"up/team/signed/manifests/{row['digest']}")) == 3
    chief = Client(hub.address, "chief")
    assert chief.request("DELETE", f"/v2/up/team/signed/manifests/{digest(raw)}").status == 202
    assert nobody.get(path).json["manifests"] == []  # believed for as long as a tag is


def test_a_registry_without_that_list_costs_nothing_but_the_list(hub, nobody):
    with Hostile() as hostile:
        cache(hub, hostile, fresh_s=0)
        found = manifest(nobody).headers["docker-content-digest"]
        for reply in (None, Reply(500)):
            hostile.manner = lambda *_, reply=reply: reply
            answer = nobody.get(f"/v2/up/team/app/referrers/{found}")
            assert (answer.status, answer.json["manifests"]) == (200, [])
