"""The front page with its search, and people's pages."""

import re

import pytest
from tests.hub.repositories import find

from lamina.hub.tables import repositories


@pytest.fixture(scope="module", autouse=True)
def published(hub, alice, bob):
    alice.image("alice/python-app")
    bob.image("bob/tools")
    bob.image("bob/hidden")

    def work(connection) -> None:
        hidden = find(connection, "bob/hidden")
        repositories.set_private(connection, hidden, is_private=True)
        tools = find(connection, "bob/tools")
        repositories.describe(connection, tools, summary="Things for 100% of people", readme="")

    hub.services.database.write(work)
    bob.begin("bob/never-pushed")


def listed(answer) -> list[str]:
    return re.findall(r'class="name" href="/([^"]+)"', answer.text)


def test_the_front_page_lists_public_repositories_newest_first(visitor):
    assert listed(visitor.get("/")) == ["bob/tools", "alice/python-app"]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("python", ["alice/python-app"]),
        ("APP alice", ["alice/python-app"]),
        ("things", ["bob/tools"]),
        ("100%25", ["bob/tools"]),
        ("%25", ["bob/tools"]),
        ("_", []),
        ("hidden", []),
        ("'; drop table", []),
    ],
)
def test_search_finds_names_and_summaries_and_nothing_private(visitor, words, found):
    assert listed(visitor.get(f"/?q={words.replace(' ', '+')}")) == found


def test_owners_find_their_private_ones(hub, visitor):
    visitor.sign_in("bob")
    hub.services.uploads.note_rested(for_s=0)
    assert "bob/hidden" in listed(visitor.get("/?q=hidden"))
    assert set(listed(visitor.get("/bob"))) == {"bob/tools", "bob/hidden", "bob/never-pushed"}


def test_a_persons_page_shows_their_public_repositories(visitor):
    assert listed(visitor.get("/bob")) == ["bob/tools"]
    assert "admin of this hub" in visitor.get("/chief").text
    assert visitor.get("/nobody-here").status == 404


def test_a_search_is_shown_escaped(visitor):
    text = visitor.get("/?q=%3Cscript%3Ealert(1)%3C/script%3E").text
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(1)" in text


def test_pages_past_the_end_are_empty_not_errors(visitor):
    for page in ("99999999999999999999", "-1", "x", "0", "7"):
        assert visitor.get(f"/?page={page}").status == 200
