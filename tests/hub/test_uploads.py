"""Use cases of blobs that HTTP does not show."""

import pytest
from tests.hub.clients import digest
from tests.hub.repositories import hide

from lamina.hub.access import Caller
from lamina.hub.errors import UploadUnknown
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
