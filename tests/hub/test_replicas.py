"""The hub's contract on PostgreSQL and S3, and what replicas are for."""

import contextlib
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from urllib.request import Request, urlopen

import pytest
from tests.containers import eventually
from tests.engine.worlds import import_image
from tests.hub import keeping_on_replicas, test_real_clients, test_registry, test_uploads
from tests.hub.api import test_quotas, test_repositories, test_retention, test_search
from tests.hub.clients import LAYER, PASSWORD, Client, digest, document
from tests.hub.repositories import hide
from tests.hub.test_collect import age_links
from tests.hub.v2 import test_blobs, test_listing, test_manifests
from tests.hub.v2 import test_uploads as test_uploads_over_http
from tests.hub.v2.test_uploads import head_of
from tests.images import Piece
from tests.postgres import PostgresServer
from tests.radosgw import KEYS, Radosgw
from tests.servers import Balancer, HubServer, Relay

from lamina.errors import Unavailable
from lamina.hub import Hub, HubSettings
from lamina.hub.doctor import examine
from lamina.hub.errors import UploadTaken
from lamina.hub.storage.address import S3Address
from lamina.hub.tables import blobs
from lamina.hub.tables.blobs import Kept
from lamina.remote.login import login
from lamina.spec.digest import Digest
from lamina.spec.wire import decode

MIB = 1024 * 1024
LARGE = os.urandom(MIB) * 21 + b"and a little more"
layout, run = test_real_clients.layout, test_real_clients.run

_CONTRACT = (
    test_listing, test_registry, test_uploads, test_search, test_blobs, test_manifests,
    test_uploads_over_http, test_retention, test_quotas, test_repositories,
    keeping_on_replicas,
)  # fmt: skip
for _module in _CONTRACT:
    _leaf = _module.__name__.rpartition(".")[2]
    for _name, _value in vars(_module).items():
        # splits by the hundred are the folder's; each_request_of_an_upload has those that matter here
        if _name.startswith("test_") and not _name.startswith("test_any_split"):
            globals()[f"{_name}__{_leaf}"] = _value
        elif type(_value).__name__ == "FixtureFunctionDefinition" and _name != "hub":
            globals()[_name] = _value


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    with PostgresServer() as server:
        yield server


@pytest.fixture(scope="module")
def radosgw() -> Iterator[Radosgw]:
    patch = pytest.MonkeyPatch()
    for name, value in KEYS.items():
        patch.setenv(name, value)
    with Radosgw() as gateway:
        yield gateway
    patch.undo()


@pytest.fixture(scope="module")
def hub(tmp_path_factory, postgres, radosgw) -> Iterator[Hub]:
    settings = HubSettings(
        root=str(tmp_path_factory.mktemp("hub")),
        database=postgres.make_database(),
        storage=radosgw.make_bucket(),
        port=0,
        shutdown_s=2.0,
        address_failures=1000,
    )
    with Hub(settings=settings) as hub:
        for name in ("chief", "alice", "bob"):
            hub.register(name, PASSWORD)
        yield hub


@pytest.fixture(scope="module")
def second(hub) -> Iterator[Hub]:
    """Another replica of `hub`."""
    with Hub(settings=replace(hub.settings, root=f"{hub.root}-2")) as second:
        yield second


@pytest.fixture(scope="module")
def served(tmp_path_factory, hub) -> Callable[[], HubServer]:
    """Start more replicas, as processes."""
    words = ("--database", hub.settings.database, "--storage", hub.settings.storage)

    def serve() -> HubServer:
        return HubServer(tmp_path_factory.mktemp("served"), *words)

    return serve


def objects(hub, radosgw) -> set[str]:
    """The keys in the hub's bucket."""
    address = S3Address.parse(hub.settings.storage)
    found = radosgw.client().list_objects_v2(Bucket=address.bucket).get("Contents", [])
    return {row["Key"].removeprefix(address.prefix) for row in found}


def begun_parts(hub, radosgw) -> int:
    address = S3Address.parse(hub.settings.storage)
    return len(radosgw.client().list_multipart_uploads(Bucket=address.bucket).get("Uploads", []))


def test_a_replica_is_ready_while_its_database_and_its_storage_answer(second):
    answer = Client(second.address).get("/readyz")
    assert (answer.status, answer.text) == (200, "ok\n")


def test_an_upload_goes_on_at_the_other_replica_after_kill_9_of_the_first(hub, served):
    path = "/v2/alice/killed"
    with served() as first:
        here, there = Client(first.address, "alice"), Client(hub.address, "alice")
        place = here.begin("alice/killed")
        host, _, port = first.address.partition(":")
        with socket.create_connection((host, int(port)), timeout=100) as sending:
            sending.sendall(head_of("PATCH", place, here, len(LARGE)) + LARGE[: 20 * MIB])
            eventually(lambda: there.get(place).headers["range"] == f"0-{16 * MIB - 1}")
            first.stop(signal.SIGKILL)
        span = f"{16 * MIB}-{len(LARGE) - 1}"
        answer = there.request("PATCH", place, LARGE[16 * MIB :], Content_Range=span)
        assert (answer.status, answer.headers["range"]) == (202, f"0-{len(LARGE) - 1}")
        assert there.request("PUT", f"{place}?digest={digest(LARGE)}").status == 201
        assert there.get(f"{path}/blobs/{digest(LARGE)}").body == LARGE
        answer = there.get(f"{path}/blobs/{digest(LARGE)}", Range=f"bytes={9 * MIB}-{9 * MIB + 99}")
        assert (answer.status, answer.body) == (206, LARGE[9 * MIB : 9 * MIB + 100])


@pytest.mark.parametrize("size", [3, 9 * MIB])
def test_each_request_of_an_upload_may_go_to_another_replica(alice, second, size):
    two = Client(second.address, "alice")
    data = os.urandom(size)
    third = size // 3
    place = alice.begin("alice/hop")
    for client, first in ((two, 0), (alice, third), (two, 2 * third)):
        last = len(data) if first == 2 * third else first + third
        answer = client.request(
            "PATCH", place, data[first:last], Content_Range=f"{first}-{last - 1}"
        )
        assert answer.status == 202
    assert alice.request("PUT", f"{place}?digest={digest(data)}").status == 201
    assert two.get(f"/v2/alice/hop/blobs/{digest(data)}").body == data


def test_an_upload_begun_here_ends_there_with_one_small_request_and_never_has_a_row(
    hub, second, radosgw, alice
):
    two, data = Client(second.address, "alice"), os.urandom(3000)
    place = alice.begin("alice/sole")
    ending = f"{place}?digest={digest(data)}"
    assert two.request("PUT", ending, data).status == 201
    hub.services.uploads.note_rested(for_s=0)
    assert [client.get(place).status for client in (alice, two)] == [404, 404]
    assert alice.request("PUT", ending, data).status == 404
    upload = place.rpartition("/")[2]
    assert len([key for key in objects(hub, radosgw) if key.startswith(upload)]) == 1
    assert alice.get(f"/v2/alice/sole/blobs/{digest(data)}").body == data


def test_a_request_that_hangs_at_one_replica_is_shut_out_when_another_goes_on(hub, second, alice):
    two = Client(second.address, "alice")
    place = alice.begin("alice/late")
    host, _, port = hub.address.partition(":")
    with socket.create_connection((host, int(port)), timeout=100) as hanging:
        hanging.sendall(head_of("PATCH", place, alice, len(LARGE)) + LARGE[: 9 * MIB])
        eventually(lambda: two.get(place).headers["range"] == f"0-{8 * MIB - 1}")
        span = f"{8 * MIB}-{len(LARGE) - 1}"
        assert two.request("PATCH", place, LARGE[8 * MIB :], Content_Range=span).status == 202
        hanging.sendall(LARGE[9 * MIB :])
        assert b" 409 " in hanging.recv(4096).partition(b"\r\n")[0]
    assert two.request("PUT", f"{place}?digest={digest(LARGE)}").status == 201
    assert alice.get(f"/v2/alice/late/blobs/{digest(LARGE)}").body == LARGE


def test_a_piece_for_where_the_upload_no_longer_ends_is_refused_at_once(hub, second, alice):
    place = alice.begin("alice/moved")
    upload = place.rpartition("/")[2]
    alice.request("PATCH", place, b"abc")
    incoming = hub.services.storage.resume(upload)
    assert incoming.offset == 3
    assert Client(second.address, "alice").request("PATCH", place, b"def").status == 202
    incoming.write([b"xyz"])
    with pytest.raises(UploadTaken):
        incoming.close()
    assert alice.request("PUT", f"{place}?digest={digest(b'abcdef')}").status == 201


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_large_bytes_that_are_not_what_they_were_called_leave_nothing(
    hub, radosgw, alice, algorithm
):
    hub.collect(grace_s=0)
    before = objects(hub, radosgw)
    place = alice.begin("alice/wrong")
    assert alice.request("PATCH", place, LARGE[: 9 * MIB]).status == 202
    answer = alice.request("PUT", f"{place}?digest={digest(b'other', algorithm)}")
    assert (answer.status, answer.code) == (400, "DIGEST_INVALID")
    hub.collect(grace_s=0)
    assert objects(hub, radosgw) == before
    assert begun_parts(hub, radosgw) == 0


def test_an_upload_that_is_given_up_leaves_no_parts_and_no_tail(hub, radosgw, alice):
    hub.collect(grace_s=0)
    before = objects(hub, radosgw)
    cancelled, forgotten = alice.begin("alice/given"), alice.begin("alice/given")
    for place in (cancelled, forgotten):
        assert alice.request("PATCH", place, LARGE[: 9 * MIB]).status == 202
    assert begun_parts(hub, radosgw) == 2
    assert alice.request("DELETE", cancelled).status == 204
    assert begun_parts(hub, radosgw) == 1
    assert hub.collect(grace_s=0, upload_grace_s=0).uploads >= 1
    assert begun_parts(hub, radosgw) == 0
    assert objects(hub, radosgw) <= before


def test_closing_is_repeated_after_the_database_did_not_answer(hub, alice, monkeypatch):
    place = alice.begin("alice/again")
    assert alice.request("PATCH", place, LARGE).status == 202
    monkeypatch.setattr(blobs, "finish_upload", fail_once)
    answer = alice.request("PUT", f"{place}?digest={digest(LARGE)}")
    assert (answer.status, answer.headers["retry-after"]) == (503, "5")
    monkeypatch.undo()
    assert alice.request("PUT", f"{place}?digest={digest(LARGE)}").status == 201
    assert alice.get(f"/v2/alice/again/blobs/{digest(LARGE)}").body == LARGE


def fail_once(*_: object, **__: object) -> None:
    raise Unavailable("the hub's database cannot be reached: on purpose")


def test_what_a_finished_upload_left_beside_its_blob_is_swept(hub, radosgw, alice):
    raw = alice.manifest("alice/tails")
    place = alice.begin("alice/tails")
    for first in range(0, len(LARGE), 5 * MIB):
        assert alice.request("PATCH", place, LARGE[first : first + 5 * MIB]).status == 202
    assert alice.request("PUT", f"{place}?digest={digest(LARGE)}").status == 201
    layer = {"mediaType": LAYER, "digest": digest(LARGE), "size": len(LARGE)}
    manifest = decode(raw)
    manifest["layers"] = [*manifest["layers"], layer]
    assert alice.put_manifest("alice/tails", "v1", document(manifest)).status == 201
    upload = place.rpartition("/")[2]
    assert len([key for key in objects(hub, radosgw) if key.startswith(upload)]) > 1
    hub.collect(grace_s=0)
    assert [key for key in objects(hub, radosgw) if key.startswith(upload)] == [f"{upload}/blob"]
    assert alice.get(f"/v2/alice/tails/blobs/{digest(LARGE)}").body == LARGE


def test_a_small_blob_whose_push_took_longer_than_the_grace_is_not_half_kept(
    hub, alice, monkeypatch
):
    put = hub.services.storage.take

    def take_and_sweep(upload: str, wanted: Digest, data: bytes) -> Kept:
        kept: Kept = put(upload, wanted, data)
        hub.collect(grace_s=0)
        return kept

    monkeypatch.setattr(hub.services.storage, "take", take_and_sweep)
    path = f"/v2/alice/slow/blobs/uploads/?digest={digest(b'slow')}"
    assert alice.request("POST", path, b"slow").code == "BLOB_UPLOAD_UNKNOWN"
    monkeypatch.undo()
    assert alice.request("POST", path, b"slow").status == 201
    assert alice.get(f"/v2/alice/slow/blobs/{digest(b'slow')}").body == b"slow"


def test_sweeps_on_two_replicas_during_pushes_to_both_lose_nothing(hub, second):
    done = threading.Event()
    failures: list[BaseException] = []

    def guarded(work: Callable[[], None]) -> Callable[[], None]:
        def run() -> None:
            try:
                work()
            except BaseException as error:
                failures.append(error)
                raise

        return run

    def push(number: int, turn: int) -> None:
        client = Client((hub, second)[number % 2].address, "alice")
        name = f"alice/swept{number % 2}"
        client.image(name, f"t{number}", seed=f"seed {turn % 2}")
        answer = client.get(f"/v2/{name}/manifests/t{number}")
        for row in answer.json["layers"]:
            assert digest(client.get(f"/v2/{name}/blobs/{row['digest']}").body) == row["digest"]
        client.request("DELETE", f"/v2/{name}/manifests/t{number}")

    def sweep(replica: Hub) -> None:
        while not done.is_set():
            replica.collect(grace_s=200)

    sweepers = [threading.Thread(target=guarded(partial(sweep, each))) for each in (hub, second)]
    for thread in sweepers:
        thread.start()
    try:
        for turn in range(4):
            pushers = [threading.Thread(target=guarded(partial(push, n, turn))) for n in range(4)]
            for thread in pushers:
                thread.start()
            for thread in pushers:
                thread.join()
            age_links(hub, 400)  # what nobody needs now is garbage at once, and is pushed again
    finally:
        done.set()
        for thread in sweepers:
            thread.join()
    assert failures == []


def test_one_of_those_who_register_first_at_once_is_the_admin(postgres, radosgw, tmp_path):
    settings = HubSettings(
        root=str(tmp_path), database=postgres.make_database(), storage=radosgw.make_bucket(), port=0
    )
    with Hub(settings=settings) as one, Hub(settings=settings) as two:
        found: list[bool] = []

        def register(number: int) -> None:
            account = (one, two)[number % 2].register(f"first{number}", PASSWORD)
            found.append(account.is_admin)

        threads = [threading.Thread(target=register, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(found) == [False, False, False, True]


def test_wrong_passwords_at_one_replica_count_at_the_other(hub, second):
    hub.register("mallory", PASSWORD)
    codes = [
        Client(address, "mallory", "a wrong password").get("/v2/").status
        for address in (hub.address, second.address) * 5
    ]
    assert codes == [401] * hub.settings.account_failures + [429] * 2


def test_a_token_and_a_session_of_one_replica_are_good_at_the_other(hub, second, alice):
    named = alice.push_blob("alice/both", b"private to both")
    hide(hub, "alice/both")
    token = str(alice.get_token("repository:alice/both:pull").json["token"])
    there = Client(second.address).with_token(token)
    assert there.get(f"/v2/alice/both/blobs/{named}").body == b"private to both"
    session = hub.services.sessions.begin(hub.services.accounts.find("alice"))
    assert second.services.sessions.find(session)[0].name == "alice"
    hub.services.accounts.set_disabled("alice", is_disabled=True)
    try:
        assert there.get(f"/v2/alice/both/blobs/{named}").status == 401
        assert second.services.sessions.find(session) is None
    finally:
        hub.services.accounts.set_disabled("alice", is_disabled=False)
    assert there.get(f"/v2/alice/both/blobs/{named}").status == 200


def test_pushes_go_on_after_the_database_restarted(postgres, second, alice):
    two = Client(second.address, "alice")
    alice.image("alice/restart", "before")
    postgres.stop()
    waiting = threading.Thread(target=postgres.start)
    waiting.start()
    named = two.image("alice/restart", "during")
    waiting.join()
    assert alice.get("/v2/alice/restart/manifests/during").headers["docker-content-digest"] == named


def test_with_redirects_clients_fetch_blobs_from_the_storage(hub, radosgw, tmp_path, engine):
    storage = f"{hub.settings.storage}&redirect=600"
    settings = replace(hub.settings, root=str(tmp_path / "hub"), storage=storage)
    with Hub(settings=settings) as redirecting:
        alice = Client(redirecting.address, "alice")
        data = os.urandom(100_000)
        named = alice.push_blob("alice/direct", data)
        answer = alice.get(f"/v2/alice/direct/blobs/{named}")
        assert (answer.status, answer.body) == (307, b"")
        assert answer.headers["location"].startswith(radosgw.url)
        assert answer.headers["docker-content-digest"] == named
        wanted = Request(answer.headers["location"], headers={"Range": "bytes=10-19"})
        with urlopen(wanted, timeout=60) as part:
            assert (part.status, part.read()) == (206, data[10:20])
        assert alice.head(f"/v2/alice/direct/blobs/{named}").headers["content-length"] == "100000"
        reference = f"{redirecting.address}/alice/direct:v1"
        pushed = import_image(engine, reference, [Piece("file", data)])
        login(engine.client, redirecting.address, "alice", PASSWORD)
        engine.images.push(reference)
        engine.images.remove(reference)
        engine.images.pull(reference)
        assert engine.images.resolve(reference).id == pushed


def test_other_peoples_clients_push_and_pull_through_a_balancer(hub, second, run, layout, tmp_path):
    with Balancer([hub.address, second.address]) as balancer:
        name = f"docker://{balancer.address}/alice/balanced:v1"
        login_words = ("skopeo", "login", "--tls-verify=false", "-u", "alice", "--password-stdin")
        run(*login_words, balancer.address, stdin=PASSWORD)
        run("skopeo", "copy", "--dest-tls-verify=false", f"oci:{layout}:v1", name)
        run("skopeo", "copy", "--src-tls-verify=false", name, f"oci:{tmp_path}/back:v1")
        assert set(balancer.given) == {hub.address, second.address}
    blobs = [sorted(os.listdir(f"{root}/blobs/sha256")) for root in (layout, f"{tmp_path}/back")]
    assert blobs[0] == blobs[1]


def test_a_push_goes_on_when_its_replica_dies_in_mid_upload(hub, served, engine):
    with (
        served() as first,
        contextlib.ExitStack() as line,
        Balancer(
            [line.enter_context(Relay(first.address, up=12 * MIB)).address, hub.address],
            in_turn=False,
        ) as balancer,
    ):
        reference = f"{balancer.address}/alice/survivor:v1"
        pushed = import_image(engine, reference, [Piece("file", LARGE)])
        login(engine.client, balancer.address, "alice", PASSWORD)
        failures: list[BaseException] = []

        def push() -> None:
            try:
                engine.images.push(reference)
            except Exception as error:  # noqa: BLE001 - asserted below
                failures.append(error)

        pushing = threading.Thread(target=push)
        pushing.start()
        eventually(lambda: largest_upload(hub) >= 8 * MIB)
        first.stop(signal.SIGKILL)
        line.close()
        pushing.join()
        assert failures == []
        engine.images.remove(reference)
        engine.images.pull(reference)
        assert engine.images.resolve(reference).id == pushed


def largest_upload(hub) -> int:
    return int(
        hub.services.database.read(
            lambda connection: connection.execute(
                "SELECT coalesce(max(received), 0) FROM progress JOIN uploads"
                " ON uploads.id = upload_id JOIN repositories ON repositories.id = repository_id"
                " WHERE repositories.name = 'alice/survivor'"
            ).fetchone()[0]
        )
    )


def test_the_doctor_finds_both_well_and_leaves_nothing(hub, radosgw):
    before = objects(hub, radosgw)
    findings = examine(replace(hub.settings, storage=f"{hub.settings.storage}&redirect=60"))
    wrong = {finding.subject for finding in findings if not finding.is_good}
    assert wrong == {"fsync"}  # it is off: the tests' database need not survive a power cut
    assert {"links", "parts", "ranges", "deletion", "clock", "schema"} <= {
        f.subject for f in findings
    }
    assert objects(hub, radosgw) == before
    assert begun_parts(hub, radosgw) == 0


def test_the_doctor_says_what_is_wrong_with_either_and_no_secret(hub, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
    settings = replace(hub.settings, database="postgresql://hub:hunter2@127.0.0.1:9/hub")
    findings = examine(settings)
    assert [finding.is_good for finding in findings] == [False, False]
    said = " ".join(f"{finding.text} {finding.hint}" for finding in findings)
    assert "SignatureDoesNotMatch" in said
    assert "AWS_SECRET_ACCESS_KEY" in said
    assert "refused" in said
    assert "hunter2" not in said
    monkeypatch.undo()
    nowhere = settings.storage.replace("s3://bucket-", "s3://no-such-bucket-")
    found = examine(replace(settings, storage=nowhere))[-1]
    assert "NoSuchBucket" in found.text
    assert "make the bucket" in found.hint
