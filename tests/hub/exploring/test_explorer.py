"""After a push somebody looks into the image, once, and what is found is kept as the image is."""

import gzip
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from tests.containers import eventually
from tests.hub.clients import PASSWORD, Client, digest
from tests.hub.exploring.images import (
    BOTTOM,
    KEY,
    STATUS,
    TOP,
    explore,
    explorer,
    file,
    known,
    perhaps_known,
    push,
)
from tests.hub.test_collect import age_links
from tests.layer.trees import tar_of

from lamina.hub import Hub, HubSettings
from lamina.hub.exploring import look
from lamina.hub.exploring.artifact import ARTIFACT, CATALOGUE, INDEX, LAYER
from lamina.hub.exploring.explorer import Explorer
from lamina.hub.exploring.processes import work
from lamina.layer.entry import Entry, Kind
from lamina.spec.digest import Digest
from lamina.spec.wire import Document

HOUR = 3600.0


@pytest.fixture
def hub(tmp_path):
    with Hub(root=str(tmp_path / "hub")) as hub:
        hub.register("alice", PASSWORD)
        yield hub


@pytest.fixture
def alice(hub) -> Client:
    return Client(hub.address, "alice")


def referrers(client: Client, image: str, repository: str = "alice/app") -> list[Document]:
    path = f"/v2/{repository}/referrers/{image}?artifactType={ARTIFACT}"
    rows: list[Document] = client.get(path).json["manifests"]
    return rows


def test_what_is_found_is_attached_to_the_image_for_every_client_to_see(hub, alice):
    image = push(alice, "alice/app", "v1", [BOTTOM, TOP])
    assert explore(hub) == 1
    found = known(hub, "alice/app", "v1")
    assert (found.state, found.packages, found.secrets) == ("done", 1, 1)
    assert found.wasted == 256 * 400 + 500 + len(STATUS % b"1.0") + len(KEY)
    (row,) = referrers(alice, image)
    assert row["artifactType"] == ARTIFACT
    manifest = alice.get(f"/v2/alice/app/manifests/{row['digest']}").json
    assert manifest["subject"]["digest"] == image
    layers = alice.get("/v2/alice/app/manifests/v1").json["layers"]
    parts = manifest["layers"]
    assert [each["mediaType"] for each in parts] == [INDEX, INDEX, CATALOGUE]
    assert [each["annotations"][LAYER] for each in parts[:2]] == [one["digest"] for one in layers]
    for each in parts:
        body = alice.get(f"/v2/alice/app/blobs/{each['digest']}").body
        assert digest(body) == each["digest"]
    assert explore(hub) == 0


def test_what_everyone_may_pull_does_not_list_the_secrets(hub, alice):
    image = push(alice, "alice/app", "v1", [BOTTOM])
    explore(hub)
    assert known(hub, "alice/app", "v1").secrets == 1
    (row,) = referrers(alice, image)
    index = alice.get(f"/v2/alice/app/manifests/{row['digest']}").json["layers"][0]["digest"]
    places = explorer(hub).places
    with places.shelf.layer(Digest(index), places.fetch) as one:
        assert b"srv" not in one.notes
        assert b"secret" not in one.notes


def test_secrets_of_a_layer_are_known_from_the_first_image_that_has_it(hub, alice, monkeypatch):
    push(alice, "alice/app", "v1", [BOTTOM])
    explore(hub)
    did: list[str] = []

    def note(what, *given, **more):
        did.append(what)
        return work(what, *given, **more)

    monkeypatch.setattr(look, "work", note)
    push(alice, "alice/other", "v1", [BOTTOM, TOP])
    push(alice, "alice/none", "v1", [TOP])
    explore(hub)
    assert did.count("layer") == 1
    assert known(hub, "alice/other", "v1").secrets == 1
    assert known(hub, "alice/none", "v1").secrets == 0


def test_it_is_no_push_of_anyones(hub, alice):
    push(alice, "alice/app", "v1", [BOTTOM])
    before = hub.services.database.read(_traces)
    explore(hub)
    assert hub.services.database.read(_traces) == before


def _traces(connection):
    return [
        connection.execute("SELECT updated_at, pulls FROM repositories").fetchall()[0][:],
        connection.execute("SELECT count(*) FROM audit").fetchone()[0],
        connection.execute("SELECT count(*) FROM deliveries").fetchone()[0],
    ]


def test_a_layer_is_read_once_however_many_images_have_it(hub, alice, monkeypatch):
    push(alice, "alice/app", "v1", [BOTTOM])
    explore(hub)
    asked: list[str] = []

    def count(what, *rest, **more):
        asked.append(what)
        return work(what, *rest, **more)

    monkeypatch.setattr(look, "work", count)
    push(alice, "alice/app", "v2", [BOTTOM, TOP])
    push(alice, "alice/other", "v1", [BOTTOM, TOP], env=("A=b",))
    assert explore(hub) == 2
    assert sorted(asked) == ["image", "image", "layer"]
    assert known(hub, "alice/other", "v1").parts == known(hub, "alice/app", "v2").parts


def test_an_image_that_is_deleted_takes_its_findings_along(hub, alice):
    image = push(alice, "alice/app", "v1", [BOTTOM])
    other = push(alice, "alice/app", "v2", [TOP])
    explore(hub)
    assert alice.request("DELETE", f"/v2/alice/app/manifests/{image}").status == 202
    age_links(hub, HOUR * 2)
    hub.collect()
    assert referrers(alice, image) == []
    assert len(referrers(alice, other)) == 1
    assert alice.request("DELETE", f"/v2/alice/app/manifests/{other}").status == 202
    age_links(hub, HOUR * 2)
    hub.collect()
    left = hub.services.database.read(
        lambda connection: [
            connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for table in ("blobs", "links", "layer_indexes", "explorations", "exploration_answers")
        ]
    )
    assert left == [0] * 5
    assert [each for each in Path(hub.root, "blobs").rglob("*") if each.is_file()] == []


def test_garbage_collection_leaves_the_findings_of_what_is_there(hub, alice):
    image = push(alice, "alice/app", "v1", [BOTTOM])
    explore(hub)
    age_links(hub, HOUR * 2)
    assert hub.collect().manifests == 0
    (row,) = referrers(alice, image)
    for each in alice.get(f"/v2/alice/app/manifests/{row['digest']}").json["layers"]:
        assert alice.head(f"/v2/alice/app/blobs/{each['digest']}").status == 200


@pytest.mark.parametrize("what", ["image", "repository"])
def test_what_is_deleted_while_somebody_looks_is_not_brought_back(hub, alice, monkeypatch, what):
    image = push(alice, "alice/app", "v1", [BOTTOM])

    def work_and_delete(*arguments, **more):
        told = work(*arguments, **more)
        if what == "image":
            alice.request("DELETE", f"/v2/alice/app/manifests/{image}")
        else:
            caller = hub.services.accounts.caller(hub.services.accounts.find("alice"))
            hub.services.registry.remove_repository(caller, "alice/app")
        return told

    monkeypatch.setattr(look, "work", work_and_delete)
    assert explore(hub) == 1
    assert referrers(alice, image) == []
    count = hub.services.database.read(
        lambda connection: connection.execute("SELECT count(*) FROM repositories").fetchone()[0]
    )
    assert count == (1 if what == "image" else 0)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (os.urandom(4096), "layer 1: "),
        (gzip.compress(tar_of([file(b"a", b"x" * 4096)]))[:-20], "layer 1: gzip data ends too soon"),
        (gzip.compress(tar_of([file(b"bomb", bytes(40_000_000))])), "more than 2000000 bytes unpacked"),
    ],
    ids=["no tar", "cut short", "bomb"],
)  # fmt: skip
def test_what_cannot_be_looked_into_says_why_and_is_not_tried_again(hub, alice, data, words):
    push(alice, "alice/app", "v1", [b"unused"], pack=lambda _: data)
    explore(hub, limit=2_000_000)
    found = known(hub, "alice/app", "v1")
    assert found.state == "failed"
    assert words in found.trouble
    assert explore(hub) == 0
    assert os.listdir(Path(hub.root, "exploring", "jobs")) == []


def test_what_is_no_image_is_passed_over(hub, alice):
    kind = "application/vnd.example.thing"
    blob = alice.push_blob("alice/app", b"{}")
    raw = (
        '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",'
        f'"artifactType":"{kind}","config":{{"mediaType":"{kind}","digest":"{blob}","size":2}},"layers":[]}}'
    ).encode()
    assert alice.put_manifest("alice/app", "v1", raw).status == 201
    assert explore(hub) == 1
    assert perhaps_known(hub, "alice/app", "v1") is None
    assert explore(hub) == 0


def test_a_layer_that_leans_on_the_ones_below_has_an_index_for_each_answer_of_theirs(
    hub, alice, monkeypatch
):
    """It had one for each pile: an image of 500 times such a layer was unpacked 500 times."""
    unpacked: list[str] = []

    def count(what, *given, **more):
        unpacked.append(what)
        return work(what, *given, **more)

    monkeypatch.setattr(look, "work", count)
    leaning = tar_of([file(b"deep/inside/file", b"x")])  # its folders are not listed
    other = tar_of([file(b"tool", b"two" * 50)])
    strict = tar_of([Entry(b"deep", Kind.DIRECTORY, 0o700, uid=7)])
    push(alice, "alice/app", "v1", [tar_of([file(b"tool", b"one" * 100)]), *[leaning] * 9])
    push(alice, "alice/app", "v2", [other, leaning, leaning])
    assert explore(hub) == 2
    assert unpacked.count("layer") == 3
    assert len(set(known(hub, "alice/app", "v1").parts)) == 3
    push(alice, "alice/app", "v3", [other, strict, leaning, leaning])
    explore(hub)
    assert unpacked.count("layer") == 5
    one, two = known(hub, "alice/app", "v2").parts[1], known(hub, "alice/app", "v3").parts[2]
    places = explorer(hub).places
    for digest_of, mode in ((one, 0o755), (two, 0o700)):
        with places.shelf.layer(digest_of, places.fetch) as layer:
            node = layer.lookup(b"deep")
            assert node is not None
            assert node.mode == mode


def test_a_quota_without_room_for_it_is_named_and_the_image_stays(hub, alice):
    image = push(alice, "alice/app", "v1", [BOTTOM])
    hub.services.database.write(
        lambda connection: connection.execute(
            "INSERT INTO quotas (target, size, used) VALUES ('alice', 1, 1)"
        )
    )
    explore(hub)
    found = known(hub, "alice/app", "v1")
    assert found.state == "failed"
    assert found.trouble == "the quota has no room for what was found"
    assert alice.head(f"/v2/alice/app/manifests/{image}").status == 200


def test_of_two_processes_one_takes_an_image(hub, alice):
    push(alice, "alice/app", "v1", [BOTTOM])
    both = [explorer(hub), explorer(hub)]
    done: list[int] = []
    threads = [
        threading.Thread(target=lambda one=one: done.append(one.look_at_due())) for one in both
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done) == [0, 1]
    assert known(hub, "alice/app", "v1").state == "done"


def test_who_stops_lets_go_of_what_it_looks_at(hub, alice, monkeypatch):
    push(alice, "alice/app", "v1", [BOTTOM])
    one = explorer(hub)

    def stop(*_, goes_on, **__):
        one.close()
        goes_on()

    monkeypatch.setattr(look, "work", stop)
    one.look_at_due()
    monkeypatch.undo()
    assert explore(hub) == 1
    found = known(hub, "alice/app", "v1")
    assert found.state == "done"


def test_what_is_the_hubs_own_trouble_is_for_its_log_alone(hub, alice, monkeypatch, caplog):
    """Whoever may see an image reads why it was not looked into."""
    push(alice, "alice/app", "v1", [BOTTOM])

    def fail(*_, **__):
        raise OSError(28, "No space left", "/srv/secret-place")

    monkeypatch.setattr(look, "work", fail)
    explore(hub)
    found = known(hub, "alice/app", "v1")
    assert (found.state, "secret" in found.trouble) == ("later", False)
    assert "/srv/secret-place" in caplog.text


def test_a_layer_that_would_fill_the_disk_is_left_before_it_does(hub, alice, monkeypatch):
    """A few megabytes may be packed so that no disk has room for them unpacked."""
    push(alice, "alice/app", "v1", [BOTTOM])

    def fill(*given, goes_on, **more):
        monkeypatch.setattr(look, "_ROOM", 1 << 62)  # while the worker works, the disk fills
        goes_on()
        return work(*given, goes_on=goes_on, **more)

    monkeypatch.setattr(look, "work", fill)
    explore(hub)
    found = known(hub, "alice/app", "v1")
    assert (found.state, found.trouble) == ("later", "too little is free on the hub's disk")
    assert not os.listdir(os.path.join(hub.services.settings.root, "exploring", "jobs"))


def test_a_replica_without_a_folder_of_its_own_looks_into_images_too(hub, alice):
    """Database and storage are elsewhere: nothing has made the folder before the first look."""
    push(alice, "alice/app", "v1", [BOTTOM])
    services, root = hub.services, f"{hub.root}-2"
    replica = Explorer(
        services.database, services.storage, clock=services.clock, root=root, limit=10**9
    )
    assert replica.begin_due()
    eventually(lambda: (found := perhaps_known(hub, "alice/app", "v1")) and found.state == "done")
    replica.close()


def test_a_process_that_is_killed_is_followed_by_another(tmp_path):
    root = str(tmp_path / "hub")
    script = (
        "import sys, time; from lamina.hub import Hub, HubSettings\n"
        "from lamina.hub.exploring import look\n"
        "def work(what, folder, *_, **__):\n"
        "    open(folder + '/sealed', 'w').close(); print('looks', flush=True); time.sleep(1000)\n"
        "look.work = work\n"
        "with Hub(settings=HubSettings(root=sys.argv[1], port=0, explore_limit=10**9)) as hub:\n"
        "    sys.stdin.read()\n"
    )
    with Hub(root=root) as hub:
        hub.register("alice", PASSWORD)
        push(Client(hub.address, "alice"), "alice/app", "v1", [BOTTOM])
    began = time.time()
    with subprocess.Popen(
        [sys.executable, "-c", script, root],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == "looks\n"
        process.send_signal(signal.SIGKILL)
        process.wait()
    with Hub(root=root) as hub:
        assert known(hub, "alice/app", "v1").state == "looking"
        assert len(list(Path(root, "exploring", "jobs").rglob("sealed"))) == 1
        early = explorer(hub, clock=lambda: began + 60)
        assert early.look_at_due() == 0  # it is another's, for two minutes
        hub.services.database.write(
            lambda connection: connection.execute("UPDATE manifests SET look_at = 1")
        )
        hub.services.explorer._limit = 10**9
        eventually(
            lambda: (
                hub.services.explorer.begin_due() or known(hub, "alice/app", "v1").state == "done"
            ),
        )
        eventually(lambda: known(hub, "alice/app", "v1").state == "done")
        hub.services.explorer.close()
        assert os.listdir(Path(root, "exploring", "jobs")) == []


def test_a_hub_does_it_by_itself_once_it_is_told_to(tmp_path):
    settings = HubSettings(root=str(tmp_path), port=0, shutdown_s=2.0, explore_limit=10**9)
    with Hub(settings=settings) as hub:
        hub.register("alice", PASSWORD)
        push(Client(hub.address, "alice"), "alice/app", "v1", [BOTTOM])
        eventually(
            lambda: (found := perhaps_known(hub, "alice/app", "v1")) and found.state == "done",
        )
