"""Lists, as the distribution specification 1.1 has them: tags and referrers."""

import pytest
from tests.hub.clients import CONFIG, INDEX, digest
from tests.hub.conformance.parts import artifact, index, pages, pointer


def test_a_repository_without_tags_has_an_empty_list(alice):
    alice.push_blob("alice/untagged", b"x")
    answer = alice.get("/v2/alice/untagged/tags/list")
    assert (answer.status, answer.json) == (200, {"name": "alice/untagged", "tags": []})


def test_pages_of_tags_are_full_until_the_last_and_begin_after_last(alice):
    raw = alice.manifest("alice/tagged")
    for tag in ("B", "a", "b", "c", "d"):
        alice.put_manifest("alice/tagged", tag, raw)
    path = "/v2/alice/tagged/tags/list"
    assert pages(alice, f"{path}?n=2", "tags") == [["B", "a"], ["b", "c"], ["d"]]
    assert pages(alice, f"{path}?n=5", "tags") == [["B", "a", "b", "c", "d"]]
    assert pages(alice, f"{path}?n=2&last=aa", "tags") == [["b", "c"], ["d"]]
    assert pages(alice, f"{path}?last=zzz", "tags") == [[]]


@pytest.mark.parametrize(
    "query", ["n=-1", "n=1.5", "n=" + "9" * 5000, "n=%D9%A1", "last=a%00", "n="]
)
@pytest.mark.parametrize(
    "path", ["alice/app/tags/list", f"alice/app/referrers/{digest(b'x')}", "_catalog"]
)
def test_a_page_nobody_can_count_is_refused(alice, path, query):
    alice.image("alice/app")
    answer = alice.get(f"/v2/{path}?{query}")
    assert (answer.status, answer.code) == (400, "UNSUPPORTED")


def test_an_image_that_refers_is_listed_under_its_configurations_type(alice):
    subject = alice.image("alice/refer")
    raw = alice.manifest(
        "alice/refer", seed="two", subject=pointer(subject), annotations={"a": "b"}
    )
    alice.put_manifest("alice/refer", "two", raw)
    path = f"/v2/alice/refer/referrers/{subject}"
    (row,) = alice.get(path).json["manifests"]
    assert row["artifactType"] == CONFIG
    assert (row["digest"], row["size"], row["annotations"]) == (digest(raw), len(raw), {"a": "b"})
    assert alice.get(f"{path}?artifactType={CONFIG.replace('+', '%2B')}").json["manifests"] == [row]
    other = "application/vnd.docker.container.image.v1%2Bjson"
    answer = alice.get(f"{path}?artifactType={other}")
    assert (answer.json["manifests"], answer.headers["oci-filters-applied"]) == ([], "artifactType")


def test_an_index_that_refers_is_listed_with_the_type_it_gives_or_none(alice):
    subject = digest(b"an image to come")
    bare = index(subject=pointer(subject), config=3)
    typed = index(subject=pointer(subject), artifactType="a/b", annotations={"k": "v"})
    for raw in (bare, typed):
        assert alice.put_manifest("alice/indexes", digest(raw), raw, INDEX).status == 201
    rows = alice.get(f"/v2/alice/indexes/referrers/{subject}").json["manifests"]
    found = {row["digest"]: row for row in rows}
    assert found[digest(bare)] == {
        "mediaType": INDEX, "digest": digest(bare), "size": len(bare),
    }  # fmt: skip
    assert found[digest(typed)] == {
        "mediaType": INDEX, "digest": digest(typed), "size": len(typed),
        "artifactType": "a/b", "annotations": {"k": "v"},
    }  # fmt: skip


def test_referrers_of_a_repository_that_is_not_there_are_none_and_not_404(alice):
    answer = alice.get(f"/v2/alice/never/referrers/{digest(b'x')}")
    assert (answer.status, answer.headers["content-type"]) == (200, INDEX)
    assert answer.json == {"schemaVersion": 2, "mediaType": INDEX, "manifests": []}


@pytest.mark.parametrize("named", ["v1", "sha256:abc", "md5:" + "0" * 32, "sha256:" + "g" * 64])
def test_referrers_of_what_is_no_digest_are_refused(alice, named):
    answer = alice.get(f"/v2/alice/app/referrers/{named}")
    assert (answer.status, answer.code) == (400, "DIGEST_INVALID")


def test_the_referrers_tag_of_older_clients_lives_beside_the_list(alice):
    subject = alice.image("alice/older")
    raw = artifact(alice, "alice/older", artifactType="a/sig", subject=pointer(subject))
    alice.put_manifest("alice/older", digest(raw), raw)
    tag = subject.replace(":", "-")
    assert alice.get(f"/v2/alice/older/manifests/{tag}").status == 404
    kept = index(raw)
    assert alice.put_manifest("alice/older", tag, kept, INDEX).status == 201
    assert alice.get(f"/v2/alice/older/manifests/{tag}").body == kept
    rows = alice.get(f"/v2/alice/older/referrers/{subject}").json["manifests"]
    assert [row["digest"] for row in rows] == [digest(raw)]


def test_a_page_of_referrers_ends_before_it_weighs_more_than_a_manifest_may(alice):
    subject = digest(b"much referred to")
    for number in range(3):
        raw = artifact(
            alice,
            "alice/heavy",
            subject=pointer(subject),
            annotations={str(number): "x" * 1_900_000},
        )
        assert alice.put_manifest("alice/heavy", digest(raw), raw).status == 201
    found = pages(alice, f"/v2/alice/heavy/referrers/{subject}", "manifests")
    assert [len(page) for page in found] == [2, 1]
    assert len({row["digest"] for page in found for row in page}) == 3


def test_pages_of_referrers_go_on_whatever_n_is(alice):
    subject = digest(b"referred to")
    for number in range(3):
        raw = artifact(alice, "alice/few", subject=pointer(subject), annotations={"n": str(number)})
        alice.put_manifest("alice/few", digest(raw), raw)
    for size, lengths in ((0, [1, 1, 1]), (2, [2, 1]), (3, [3])):
        found = pages(alice, f"/v2/alice/few/referrers/{subject}?n={size}", "manifests")
        assert [len(page) for page in found] == lengths


def test_a_deleted_referrer_is_listed_no_more(alice):
    subject = alice.image("alice/unrefer")
    raw = artifact(alice, "alice/unrefer", artifactType="a/b", subject=pointer(subject))
    alice.put_manifest("alice/unrefer", digest(raw), raw)
    assert alice.request("DELETE", f"/v2/alice/unrefer/manifests/{digest(raw)}").status == 202
    assert alice.get(f"/v2/alice/unrefer/referrers/{subject}").json["manifests"] == []
