"""Use cases of blobs that HTTP does not show."""

from typing import BinaryIO

import pytest
from tests.hub.clients import digest
from tests.hub.repositories import hide

from lamina.hub.access import Caller
from lamina.hub.errors import BlobUnknown, DigestDisagrees, NameUnknown, UploadUnknown
from lamina.hub.tables import blobs, repositories
from lamina.hub.tables.blobs import Kept
from lamina.spec.digest import Digest


def place(hub, named: Digest) -> str:
    found = hub.services.database.read(lambda connection: blobs.place(connection, named))
    assert isinstance(found, str)
    return found


def read(hub, named: Digest, where: str) -> bytes:
    with hub.services.storage.open(named, where) as file:
        data: bytes = file.read()
    return data


def open_blob(hub, caller: Caller, name: str, named: Digest) -> BinaryIO:
    blob = hub.services.uploads.blob(caller, name, named)
    file: BinaryIO = hub.services.storage.open(named, blob.place)
    return file


def test_a_token_must_cover_the_source_of_a_mount_unless_everyone_may_pull_it(hub, alice):
    named = Digest(alice.push_blob("alice/inner", b"inner"))
    hide(hub, "alice/inner")
    push = frozenset({"pull", "push"})
    narrow = Caller("alice", grants={"alice/outer": push})
    wide = Caller("alice", grants={"alice/outer": push, "alice/inner": frozenset({"pull"})})
    mount = hub.services.uploads.mount
    assert not mount(narrow, "alice/outer", named, "alice/inner")
    assert mount(wide, "alice/outer", named, "alice/inner")


def test_a_finished_upload_is_gone(hub):
    services = hub.services
    caller = Caller("alice")
    upload = services.uploads.find(
        caller, "alice/done", services.uploads.begin(caller, "alice/done")
    )
    assert services.uploads.finish(upload, Digest(digest(b""))) == 0
    with pytest.raises(UploadUnknown):
        services.uploads.find(caller, "alice/done", upload.id)


def test_a_blob_that_comes_back_while_a_sweep_drops_the_old_one_keeps_its_bytes(
    hub, alice, monkeypatch
):
    hub.collect()  # what other tests left
    services = hub.services
    named = Digest(alice.push_blob("alice/back", b"there and back"))
    alice.request("DELETE", f"/v2/alice/back/blobs/{named}")
    drop = services.storage.drop

    def drop_late(leftovers: list[tuple[Digest, str]]) -> None:
        services.uploads.take(Caller("alice"), "alice/back", named, b"there and back")
        drop(leftovers)

    monkeypatch.setattr(services.storage, "drop", drop_late)
    assert hub.collect().blobs == 1
    with open_blob(hub, Caller("alice"), "alice/back", named) as file:
        assert file.read() == b"there and back"


def test_a_blob_pushed_again_takes_the_place_of_the_older_copy_and_a_sweep_drops_that(hub, alice):
    alice.image("alice/twice")
    data = b"alice/twice base" * 500
    named = Digest(digest(data))
    first = place(hub, named)
    assert alice.push_blob("alice/twice", data) == named
    assert place(hub, named) != first
    assert read(hub, named, first) == data
    assert hub.collect(grace_s=3600).blobs == 0
    assert read(hub, named, first) == data
    hub.collect()
    with pytest.raises(BlobUnknown):
        read(hub, named, first)
    assert alice.get(f"/v2/alice/twice/blobs/{named}").body == data


def test_an_upload_closed_twice_at_once_is_one_blob_and_the_second_is_told_so(hub, monkeypatch):
    services = hub.services
    caller = Caller("alice")
    upload = services.uploads.find(
        caller, "alice/double", services.uploads.begin(caller, "alice/double")
    )
    named = Digest(digest(b""))
    commit = services.storage.commit

    def commit_both(wanted: str, named: Digest) -> Kept:
        kept: Kept = commit(wanted, named)
        monkeypatch.undo()
        assert services.uploads.finish(upload, named) == 0
        return kept

    monkeypatch.setattr(services.storage, "commit", commit_both)
    with pytest.raises(UploadUnknown):
        services.uploads.finish(upload, named)
    with open_blob(hub, caller, "alice/double", named) as file:
        assert file.read() == b""


def test_a_small_blob_of_other_bytes_than_promised_leaves_nothing(hub, alice):
    services = hub.services
    before = set(services.storage.strays(age_s=0))
    with pytest.raises(DigestDisagrees):
        services.uploads.take(Caller("alice"), "alice/wrong", Digest(digest(b"one")), b"other")
    assert set(services.storage.strays(age_s=0)) == before


def test_an_upload_that_ends_just_when_it_has_rested_for_long_is_kept(hub, monkeypatch):
    uploads, storage, caller = hub.services.uploads, hub.services.storage, Caller("alice")
    data = b"in the last moment"
    named, take = Digest(digest(data)), storage.take

    def slow(upload: str, named: Digest, data: bytes) -> Kept:
        kept: Kept = take(upload, named, data)
        uploads.note_rested(for_s=0)  # its bytes have a file now, and no row
        return kept

    monkeypatch.setattr(storage, "take", slow)
    upload = uploads.open(caller, "alice/late")
    uploads.append_and_finish(caller, "alice/late", upload, data, named)
    assert read(hub, named, place(hub, named)) == data


def test_a_repository_that_is_deleted_does_not_come_back_with_what_was_begun_there(hub, alice):
    services, caller = hub.services, Caller("alice")
    services.uploads.note_rested(for_s=0)  # what other tests began

    def is_there(name: str) -> bool:
        return services.database.read(lambda it: repositories.find(it, name)) is not None

    alice.push_blob("alice/deleted", b"here for a while")
    begun = services.uploads.open(caller, "alice/deleted")
    first = services.uploads.open(caller, "alice/first")
    services.registry.remove_repository(caller, "alice/deleted")
    services.uploads.note_rested(for_s=0)
    assert not is_there("alice/deleted")
    assert is_there("alice/first")
    assert services.uploads.find(caller, "alice/first", first).account == "alice"
    with pytest.raises(NameUnknown):
        services.uploads.find(caller, "alice/deleted", begun)
