"""Use cases of blobs that HTTP does not show."""

import threading
import time

import pytest
from tests.containers import eventually
from tests.hub.clients import digest
from tests.hub.repositories import hide

from lamina.hub.access import Caller
from lamina.hub.errors import DigestDisagrees, UploadUnknown
from lamina.spec.digest import Digest


def test_a_token_must_cover_the_source_of_a_mount_unless_everyone_may_pull_it(hub, alice):
    named = Digest(alice.push_blob("alice/inner", b"inner"))
    hide(hub, "alice/inner")
    push = frozenset({"pull", "push"})
    narrow = Caller("alice", grants={"alice/outer": push})
    wide = Caller("alice", grants={"alice/outer": push, "alice/inner": frozenset({"pull"})})
    mount = hub.services.uploads.mount
    assert not mount(narrow, "alice/outer", named, "alice/inner")
    assert mount(wide, "alice/outer", named, "alice/inner")


def test_a_digest_being_closed_is_leased_against_the_sweep(hub, alice):
    hub.collect()  # what other tests left
    services = hub.services
    caller = Caller("alice")
    named = Digest(alice.push_blob("alice/lease", b"leased"))
    upload = services.uploads.find(
        caller, "alice/lease", services.uploads.begin(caller, "alice/lease")
    )
    services.database.write(
        lambda c: (
            c.execute("UPDATE uploads SET digest = ? WHERE id = ?", (named, upload.id)).rowcount
        )
    )
    alice.request("DELETE", f"/v2/alice/lease/blobs/{named}")
    assert hub.collect().blobs == 0
    services.uploads.cancel(upload)
    assert hub.collect().blobs == 1


def test_a_finished_upload_is_gone(hub):
    services = hub.services
    caller = Caller("alice")
    upload = services.uploads.find(
        caller, "alice/done", services.uploads.begin(caller, "alice/done")
    )
    assert services.uploads.finish(upload, Digest(digest(b""))) == 0
    with pytest.raises(UploadUnknown):
        services.uploads.find(caller, "alice/done", upload.id)


def test_a_small_blob_whose_file_a_sweep_took_in_between_is_written_again(hub, alice, monkeypatch):
    services = hub.services
    named = Digest(digest(b"swept"))
    commit = services.storage.commit
    swept: list[Digest] = []

    def commit_and_lose(upload: str, wanted: Digest) -> int:
        size: int = commit(upload, wanted)
        if not swept:
            swept.append(wanted)
            services.storage.delete(wanted)
        return size

    monkeypatch.setattr(services.storage, "commit", commit_and_lose)
    services.uploads.take(Caller("alice"), "alice/swept", named, b"swept")
    assert swept == [named]
    with services.uploads.open(Caller("alice"), "alice/swept", named).file as file:
        assert file.read() == b"swept"


def test_a_blob_that_comes_back_in_the_commit_that_sweeps_it_keeps_its_file(hub, alice):
    services = hub.services
    named = Digest(alice.push_blob("alice/back", b"there and back"))
    alice.request("DELETE", f"/v2/alice/back/blobs/{named}")
    release = threading.Event()
    begun = threading.Event()

    def hold(_: object) -> None:
        begun.set()
        release.wait(60)

    services.database.submit(hold)
    assert begun.wait(60)  # what is submitted from here on shares one commit
    sweep = threading.Thread(target=hub.services.collector._sweep_blobs, args=(time.time() + 1,))
    sweep.start()
    eventually(lambda: services.database._jobs.qsize() == 1)
    push = threading.Thread(
        target=services.uploads.take,
        args=(Caller("alice"), "alice/back", named, b"there and back"),
    )
    push.start()
    eventually(lambda: services.database._jobs.qsize() == 2)
    release.set()
    sweep.join()
    push.join()
    with services.uploads.open(Caller("alice"), "alice/back", named).file as file:
        assert file.read() == b"there and back"


def test_a_small_blob_of_other_bytes_than_promised_leaves_nothing(hub, alice):
    services = hub.services
    before = set(services.storage.uploads())
    with pytest.raises(DigestDisagrees):
        services.uploads.take(Caller("alice"), "alice/wrong", Digest(digest(b"one")), b"other")
    assert set(services.storage.uploads()) == before
