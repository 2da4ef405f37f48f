"""Which tags stay as they are."""

import pytest
from tests.hub.clients import PASSWORD, Client, digest

from lamina.errors import Invalid
from lamina.hub import Hub, HubSettings
from lamina.hub.access import Caller
from lamina.hub.errors import TagImmutable
from lamina.hub.rules import TagRules


@pytest.fixture(scope="module")
def alice(tmp_path_factory):
    rules = ("alice/app:v*", "*/nightly-?:*")
    settings = HubSettings(
        root=str(tmp_path_factory.mktemp("hub")), port=0, shutdown_s=1, immutable=rules
    )
    with Hub(settings=settings) as hub:
        hub.register("alice", PASSWORD)
        yield Client(hub.address, "alice")


def test_patterns_are_of_repositories_and_tags():
    rules = TagRules.parse(("team/*:v[0-9]*", "a/b:latest"))
    assert rules.holds("team/app", "v1.2")
    assert rules.holds("team/deep/app", "v1")
    assert not rules.holds("team/app", "version")
    assert not rules.holds("teams/app", "v1")
    assert rules.for_repository("a/b") == ("latest",)
    assert not TagRules().holds("a/b", "latest")


@pytest.mark.parametrize("text", ["", "app", "app:", ":v1", "a:b:c", "host:5000/app:v1"])
def test_what_is_no_rule_is_refused(text):
    with pytest.raises(Invalid, match="is no rule for tags"):
        TagRules.parse((text,))


def test_an_immutable_tag_is_made_once_and_may_be_pushed_again_as_it_is(alice):
    first = alice.image("alice/app", "v1")
    assert alice.image("alice/app", "v1") == first
    raw = alice.manifest("alice/app", seed="two")
    answer = alice.put_manifest("alice/app", "v1", raw)
    assert (answer.status, answer.code) == (403, "DENIED")
    (row,) = answer.json["errors"]
    assert row["message"] == f"tag v1 of alice/app is immutable and names {first}"
    assert row["detail"]["hint"] == "push under another tag"
    named = alice.get("/v2/alice/app/manifests/v1").headers["docker-content-digest"]
    assert named == first
    for tag in ("v2", "latest"):
        assert alice.put_manifest("alice/app", tag, raw).status == 201


def test_other_tags_and_repositories_move_as_ever(alice):
    for repository, tag in (("alice/app", "latest"), ("alice/apps", "v1")):
        first = alice.image(repository, tag, seed="a")
        assert alice.image(repository, tag, seed="b") != first


def test_an_immutable_tag_goes_neither_by_name_nor_by_digest(alice):
    named = alice.image("alice/nightly-1", "monday", seed="kept")
    for reference in ("monday", named):
        answer = alice.request("DELETE", f"/v2/alice/nightly-1/manifests/{reference}")
        assert (answer.status, answer.code) == (403, "DENIED")
    assert alice.get("/v2/alice/nightly-1/manifests/monday").status == 200
    assert alice.request("DELETE", "/v2/alice/nightly-1/manifests/never").status == 404
    loose = alice.manifest("alice/nightly-1", seed="no tag")
    alice.put_manifest("alice/nightly-1", digest(loose), loose)
    answer = alice.request("DELETE", f"/v2/alice/nightly-1/manifests/{digest(loose)}")
    assert answer.status == 202


def test_a_repository_goes_with_its_tags_unless_one_is_immutable(tmp_path):
    settings = HubSettings(root=str(tmp_path), port=0, shutdown_s=1, immutable=("*:v*",))
    with Hub(settings=settings) as hub:
        hub.register("alice", PASSWORD)
        alice = Client(hub.address, "alice")
        alice.image("alice/app", "v1")
        alice.image("alice/free", "latest")
        remove, caller = hub.services.registry.remove_repository, Caller("alice")
        with pytest.raises(TagImmutable, match="tag v1 of alice/app is immutable"):
            remove(caller, "alice/app")
        remove(caller, "alice/free")
        assert alice.get("/v2/alice/app/manifests/v1").status == 200
        assert alice.get("/v2/alice/free/manifests/latest").status == 404
