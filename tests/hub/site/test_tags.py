"""The list of a repository's tags: found by a part of the name, a piece at a time, deleted together."""

import re

import pytest
from tests.hub.repositories import find


@pytest.fixture(scope="module", autouse=True)
def tags(hub, alice):
    """120 tags of one image, pushed one after the other; and one that attaches something."""
    named = alice.image("alice/many", "v0")

    def work(connection) -> None:
        row = find(connection, "alice/many")
        first = connection.execute(
            "SELECT manifest_id, pushed_at FROM tags WHERE repository_id = ?", (row.id,)
        ).fetchone()
        names = [f"v{n}" for n in range(1, 119)] + ["Release_1", f"sha256-{named[7:]}.sig"]
        connection.executemany(
            "INSERT INTO tags (repository_id, name, manifest_id, pushed_at, pushed_by)"
            " VALUES (?, ?, ?, ?, 'alice')",
            [(row.id, name, first[0], first[1] + at // 2) for at, name in enumerate(names)],
        )

    hub.services.database.write(work)


def listed(text: str) -> list[str]:
    return re.findall(r'class="first"><a href="/alice/many/-/tag/([^"]+)"', text)


def test_all_tags_are_listed_once_newest_first_over_its_pages(visitor):
    path, seen = "/alice/many/-/tags", []
    while path:
        text = visitor.get(path).text
        assert "120 in all" in text
        seen += listed(text)
        found = re.search(r'rel="next" href="([^"]+)"', text)
        path = found[1].replace("&amp;", "&") if found else ""
    assert len(seen) == len(set(seen)) == 120
    assert seen[0] == "Release_1"
    assert seen[-3:] == ["v0", "v1", "v2"]  # pushed at the same moment: by name


def test_the_repositorys_page_shows_the_newest_and_how_many_there_are(visitor):
    text = visitor.get("/alice/many").text
    assert len(listed(text)) == 10
    assert "All 120 tags" in text


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("v11", ["v117", "v118", "v115", "v116", "v113", "v114", "v111", "v112", "v110", "v11"]),
        ("release_", ["Release_1"]), ("%25", []), ("%00v118", ["v118"]), ("no'thing", []),
    ],
)  # fmt: skip
def test_tags_are_found_by_a_part_of_their_name(visitor, words, found):
    assert listed(visitor.get(f"/alice/many/-/tags?q={words}").text) == found


def test_what_attaches_is_found_where_it_is_asked_for(visitor):
    assert len(listed(visitor.get("/alice/many/-/tags?q=sha256-").text)) == 1


@pytest.mark.parametrize("after", ["x", "nan~v1", "1e999~v1", "~", "%00", "1~%00"])
def test_a_place_that_is_none_is_the_beginning_or_the_end(visitor, after):
    assert visitor.get(f"/alice/many/-/tags?after={after}").status == 200


def test_those_who_may_delete_several_at_once(owner, visitor, alice):
    assert 'type="checkbox"' not in visitor.get("/alice/many/-/tags").text
    for tag in ("gone-1", "gone-2", "stays"):
        alice.image("alice/few", tag)
    token = owner.token("/alice/few/-/tags")
    body = f"form_token={token}&tag=gone-1&tag=gone-2&tag=never-there".encode()
    assert owner.send("/alice/few/-/delete-tags", body).headers["location"] == "/alice/few/-/tags"
    assert alice.get("/v2/alice/few/tags/list").json["tags"] == ["stays"]
