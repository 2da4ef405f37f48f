"""Lists as SQLite and PostgreSQL give them alike: repositories, tags, who shares a layer."""

import contextlib
import itertools
import sqlite3
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest
from tests.hub.clients import digest
from tests.hub.repositories import find
from tests.postgres import PostgresServer, has_postgres

from lamina.hub.database import Connection, Database
from lamina.hub.databases.postgres import PostgresDatabase
from lamina.hub.databases.sqlite import SqliteDatabase
from lamina.hub.tables import repositories, sharing, tag_lists
from lamina.hub.tables.roles import Reader
from lamina.hub.tables.tag_lists import Place
from lamina.spec.digest import Digest

NOW = 1_000_000.0
LAYER = Digest(digest(b"layer"))
ANYONE, ALICE, ADMIN = Reader(), Reader("alice", "alice"), Reader("chief", "chief", is_admin=True)
SUBJECT = Digest(digest(b"alice/web"))


class Named(NamedTuple):
    """A repository, public and with an image."""

    name: str
    summary: str
    pulls: int
    at: float


def content(connection: Connection) -> None:
    """Four repositories with an image each that have a layer in common; one of them private."""
    for at, (name, pulls) in enumerate(
        (("alice/web", 5), ("alice/secret", 90), ("bob/web-tools", 7), ("bob/quiet", 0))
    ):
        repositories.add(connection, name, now=NOW + at)
        row = find(connection, name)
        repositories.describe(connection, row, summary=f"About {name[-3:]}", readme="")
        repositories.set_private(connection, row, is_private="secret" in name)
        repositories.count_pulls(connection, {row.id: pulls} if pulls else {}, now=NOW)
        for kind, tags in (("", ("latest", "v1", "v2")), ("application/x.file", ("file",))):
            named = digest(f"{name}{kind}".encode())
            connection.execute(
                "INSERT INTO manifests (repository_id, digest, media_type, raw, artifact_type,"
                " content_size, pushed_at, pushed_by) VALUES (?, ?, 'm', ?, ?, 1, 1, 'a')",
                (row.id, named, b"{}", kind),
            )
            manifest = connection.execute(
                "SELECT id FROM manifests WHERE repository_id = ? AND digest = ?", (row.id, named)
            ).fetchone()[0]
            moments = {"latest": 3.0, "v1": 5.0, "v2": 5.0, "file": 4.0}
            for tag in (*tags, *([f"sha256-{SUBJECT.hex}.sig"] if kind else [])):
                connection.execute(
                    "INSERT INTO tags (repository_id, name, manifest_id, pushed_at, pushed_by)"
                    " VALUES (?, ?, ?, ?, 'a')",
                    (row.id, tag, manifest, moments.get(tag, 9.0)),
                )
    connection.execute("INSERT INTO blobs (digest, size) VALUES (?, 1)", (LAYER,))
    connection.execute(
        "INSERT INTO links (repository_id, digest) SELECT id, ? FROM repositories", (LAYER,)
    )


@pytest.fixture(scope="module", params=["sqlite", *(["postgres"] if has_postgres() else [])])
def fresh(request, tmp_path_factory) -> Iterator[Callable[[], Database]]:
    """Makes empty databases of a kind."""
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(PostgresServer()) if request.param == "postgres" else None

        def make() -> Database:
            opened: Database
            if server is not None:
                opened = PostgresDatabase(server.make_database())
            else:
                opened = SqliteDatabase(str(tmp_path_factory.mktemp("db") / "hub.db"))
            stack.callback(opened.close)
            return opened

        yield make


@pytest.fixture(scope="module")
def database(fresh) -> Database:
    opened: Database = fresh()
    opened.write(content)
    return opened


def names(rows) -> list[str]:
    return [row.repository.name for row in rows]


@pytest.mark.parametrize(
    ("words", "reader", "found"),
    [
        ("", ANYONE, ["bob/quiet", "bob/web-tools", "alice/web"]),
        ("WEB", ANYONE, ["alice/web", "bob/web-tools"]),
        ("about", ADMIN, ["alice/secret", "bob/web-tools", "alice/web", "bob/quiet"]),
        ("secret", ALICE, ["alice/secret"]),
        ("a\0bout %", ANYONE, []),
    ],
)
def test_search_puts_the_very_name_first_then_what_is_pulled_most(database, words, reader, found):
    rows = database.read(lambda c: repositories.search(c, words, reader=reader, limit=9))
    assert names(rows) == found
    one = database.read(lambda c: repositories.search(c, words, reader=reader, limit=1, offset=1))
    assert names(one) == found[1:2]


ALIKE = [
    Named(f"{owner}/{rest}", summary, pulls, at)
    for at, (owner, (rest, summary, pulls)) in enumerate(
        itertools.product(
            ("ann", "app"),
            (
                ("app", "", 1),
                ("tools/app", "Sends", 9),
                ("app/tools", "the APP", 9),
                ("apps", "sends what", 0),
                ("app_1", "100% app", 9),
                ("quiet", "", 3),
            ),
        )
    )
]


def many_alike(connection: Connection) -> None:
    for each in ALIKE:
        repositories.add(connection, each.name, now=each.at)
        row = find(connection, each.name)
        repositories.describe(connection, row, summary=each.summary, readme="")
        repositories.count_pulls(connection, {row.id: each.pulls}, now=NOW)
        connection.execute(
            "INSERT INTO manifests (repository_id, digest, media_type, raw, content_size, pushed_at,"
            " pushed_by) VALUES (?, ?, 'm', ?, 1, 1, 'a')",
            (row.id, digest(each.name.encode()), b"{}"),
        )


def as_shown(words: str) -> list[str]:
    """What is found for `words` and in which order, by the rule of `search`."""
    terms = words.lower().split()
    found = [
        each
        for each in ALIKE
        if all(term in each.name or term in each.summary.lower() for term in terms)
    ]
    found.sort(key=lambda it: (not it.name.endswith(f"/{terms[0]}"), -it.pulls, -it.at, it.name))
    return [each.name for each in found]


def test_pages_of_a_search_together_are_what_the_rule_says(fresh):
    database = fresh()
    database.write(many_alike)
    for words in ("app", "tools/app", "APP sends", "app/", "_1", "100%", "a", "quiet", "/", "none"):
        expected = as_shown(words)
        for limit in (2, 20):
            pages = [
                names(
                    database.read(
                        lambda c, o=offset, w=words, n=limit: repositories.search(
                            c, w, reader=ANYONE, limit=n, offset=o
                        )
                    )
                )
                for offset in range(0, len(ALIKE) + limit, limit)
            ]
            assert list(itertools.chain(*pages)) == expected, words
            assert all(len(page) <= limit for page in pages)


def test_a_search_sorts_nothing_and_reads_no_row_that_it_does_not_show(tmp_path):
    path = str(tmp_path / "hub.db")
    SqliteDatabase(path).close()
    with contextlib.closing(sqlite3.connect(path)) as connection:
        asked: list[str] = []
        connection.set_trace_callback(asked.append)
        repositories.search(connection, "app", reader=ALICE, limit=31)
        connection.set_trace_callback(None)
        plans = [
            " ".join(row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}"))
            for sql in asked
        ]
    first, rest = plans
    assert "SEARCH repositories USING INDEX repositories_by_last_name" in first
    assert "SCAN repositories USING COVERING INDEX repositories_by_pulls" in rest
    assert not any("TEMP B-TREE" in plan for plan in plans)


def test_popular_ones_were_pulled_and_may_be_seen(database):
    for reader, found in ((ANYONE, ["bob/web-tools", "alice/web"]), (ALICE, ["alice/secret", "bob/web-tools"])):  # fmt: skip
        rows = database.read(lambda c, who=reader: repositories.popular(c, reader=who, limit=2))
        assert names(rows) == found


def test_a_namespace_is_listed_by_pages_with_tags_counted_and_the_latest_named(database):
    rows = database.read(lambda c: repositories.of_namespace(c, "alice", reader=ALICE, limit=9))
    assert [(row.repository.name, row.tags, row.latest_tag) for row in rows] == [
        ("alice/secret", 5, "latest"), ("alice/web", 5, "latest"),
    ]  # fmt: skip
    rows = database.read(
        lambda c: repositories.of_namespace(c, "alice", reader=ANYONE, limit=9, offset=0)
    )
    assert names(rows) == ["alice/web"]


def test_tags_go_on_after_a_place_without_those_that_attach(database):
    def work(connection: Connection) -> list[list[str]]:
        row = find(connection, "alice/web")
        pages, after = [], None
        for _ in range(3):
            page = tag_lists.page(connection, row.id, after=after, limit=2)
            pages.append([tag.name for tag in page])
            after = Place(page[-1].pushed_at, page[-1].name) if page else after
        assert tag_lists.count(connection, row.id) == 4
        return pages

    assert database.read(work) == [["v1", "v2"], ["file", "latest"], []]


def test_tags_are_found_by_a_word_and_latest_by_its_name(database):
    def work(connection: Connection) -> None:
        row = find(connection, "alice/web")
        found = tag_lists.page(connection, row.id, words="V", limit=9)
        assert [tag.name for tag in found] == ["v1", "v2"]
        assert tag_lists.count(connection, row.id, words="sha256-") == 1
        latest = tag_lists.latest(connection, row.id)
        assert latest is not None
        assert latest.pushed_at == 3.0
        attached = tag_lists.attached_tags(connection, row.id, SUBJECT, limit=9)
        assert [tag.name for tag in attached] == [f"sha256-{SUBJECT.hex}.sig"]

    database.read(work)


def test_the_tag_before_is_of_another_manifest_and_the_same_kind(database):
    def work(connection: Connection) -> list[str]:
        row = find(connection, "alice/web")
        manifest = connection.execute(
            "SELECT manifest_id FROM tags WHERE repository_id = ? AND name = 'v2'", (row.id,)
        ).fetchone()[0]
        place = Place(5.0, "v2")
        return [
            tag_lists.before(connection, row.id, place, manifest_id=manifest_id, kind=kind)
            for manifest_id, kind in ((manifest, ""), (0, ""), (manifest, "application/x.file"))
        ]

    assert database.read(work) == ["", "v1", "file"]


@pytest.mark.parametrize(
    ("reader", "found"),
    [
        (ANYONE, ("bob/web-tools", "bob/quiet")),
        (ALICE, ("alice/secret", "bob/web-tools", "bob/quiet")),
    ],
)
def test_sharers_of_a_layer_are_those_the_reader_may_see(database, reader, found):
    def work(connection: Connection) -> dict[Digest, tuple[str, ...]]:
        row = find(connection, "alice/web")
        absent = Digest(digest(b"absent"))
        return sharing.sharers(
            connection, [LAYER, absent], repository_id=row.id, reader=reader, limit=5
        )

    assert database.read(work) == {LAYER: found}


def test_pulls_of_days_are_counted_from_a_day_on(database):
    def work(connection: Connection) -> tuple[dict[int, int], dict[int, int]]:
        row = find(connection, "alice/web")
        day = int(NOW // 86400)
        return (
            repositories.pulls_by_day(connection, row.id, since=day),
            repositories.pulls_by_day(connection, row.id, since=day + 1),
        )

    assert database.read(work) == ({int(NOW // 86400): 5}, {})
