"""Lists of tags and repositories, in pages."""

import pytest


@pytest.fixture(scope="module")
def tags(alice) -> list[str]:
    raw = alice.manifest("alice/list")
    names = ["10", "2", "V1", "a", "latest", "v1", "v1.0", "v1_0"]
    for name in names:
        assert alice.put_manifest("alice/list", name, raw).status == 201
    return names


def test_tags_come_in_byte_order(alice, tags):
    assert alice.get("/v2/alice/list/tags/list").json == {"name": "alice/list", "tags": tags}


@pytest.mark.parametrize("size", [1, 3, 8])
def test_pages_of_tags_follow_each_other_by_link(alice, tags, size):
    seen: list[str] = []
    path = f"/v2/alice/list/tags/list?n={size}"
    while path:
        answer = alice.get(path)
        assert len(answer.json["tags"]) <= size
        seen += answer.json["tags"]
        path = answer.headers.get("link", "")[1:].partition(">")[0]
    assert seen == tags


def test_last_alone_and_zero_and_nonsense(alice, tags):
    assert alice.get("/v2/alice/list/tags/list?last=latest").json["tags"] == tags[5:]
    answer = alice.get("/v2/alice/list/tags/list?n=0")
    assert (answer.json["tags"], "link" in answer.headers) == ([], False)
    for value in ("x", "-1", ""):
        answer = alice.get(f"/v2/alice/list/tags/list?n={value}")
        assert (answer.status, answer.code) == (400, "UNSUPPORTED")


def test_catalog_shows_repositories_with_content_in_pages(alice, nobody, tags):
    alice.image("alice/list2")
    alice.begin("alice/never-finished")
    seen: list[str] = []
    path = "/v2/_catalog?n=1"
    while path:
        answer = nobody.get(path)
        seen += answer.json["repositories"]
        path = answer.headers.get("link", "")[1:].partition(">")[0]
    assert seen == ["alice/list", "alice/list2"]


def test_an_unknown_repository_has_no_tag_list(alice):
    answer = alice.get("/v2/alice/nothing-here/tags/list")
    assert (answer.status, answer.code) == (404, "NAME_UNKNOWN")
