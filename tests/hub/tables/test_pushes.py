"""Many small blobs with few statements: the same rows as one at a time leaves."""

import contextlib

import pytest

from lamina.hub.databases.sqlite import SqliteDatabase
from lamina.hub.tables import accounts, arrivals, blobs, pushes, quotas, repositories
from lamina.hub.tables.blobs import Kept
from lamina.hub.tables.pushes import Arrived
from lamina.spec.digest import Digest

NOW = 1000.0


@pytest.fixture
def connection(tmp_path):
    with contextlib.closing(SqliteDatabase(str(tmp_path / "hub.db"))) as database:
        accounts.add(database._writer, name="alice", password="x", now=NOW)
        yield database._writer


def ground(connection, account: str, repository: str):
    values = pushes.ground_values(account, repository)
    return pushes.ground_of(connection.execute(pushes.GROUND, values).fetchone())


def arrived(number: int) -> Arrived:
    data = b"%d " % number * 700
    return Arrived(f"place-{number}", Digest.of(data), data)


def test_one_statement_says_what_several_would(connection):
    assert ground(connection, "bob", "alice/app") is None
    nothing = ground(connection, "alice", "alice/app")
    assert (nothing.repository, nothing.busy_at, nothing.is_limited) == (None, 0, False)
    made = repositories.ensure(connection, "alice/app", now=NOW)
    blobs.note_push(connection, made.id, NOW)
    found = ground(connection, "alice", "alice/app")
    assert (found.repository, found.busy_at) == (made, NOW)
    assert found.account == nothing.account == accounts.find(connection, "alice")


@pytest.mark.parametrize("target", ["alice/app", "alice", "hub", "alice/other", "bob"])
def test_a_quota_is_known_wherever_it_comes_from(connection, target):
    quotas.set_quota(connection, target, 10)
    is_limited = target in ("alice/app", "alice", "hub")
    assert ground(connection, "alice", "alice/app").is_limited == is_limited


def test_places_are_known_by_upload_blob_and_leftover_and_digests_by_blob(connection):
    repository = repositories.ensure(connection, "alice/app", now=NOW)
    blobs.add_upload(connection, "an upload", repository.id, account="alice", now=NOW)
    blobs.keep_leftover(connection, "", "a leftover", now=NOW)
    digest = Digest.of(b"here")
    blobs.add(connection, repository.id, digest, Kept("a blob", 4), now=NOW)
    places = [f"none-{number}" for number in range(40)]
    places[3::11] = ["an upload", "a blob", "a leftover", "a blob"]
    others = [Digest.of(b"%d" % number) for number in range(40)]
    others[30] = digest
    asked = [Arrived(place, name, b"") for place, name in zip(places, others, strict=True)]
    assert pushes.known(connection, asked) == {"an upload", "a blob", "a leftover", digest}
    assert pushes.known(connection, []) == frozenset()


@pytest.mark.parametrize("count", [1, 16, 17, 40])
def test_many_leave_the_rows_that_one_at_a_time_leaves(connection, count):
    first, second = (
        repositories.ensure(connection, f"alice/{name}", now=NOW) for name in ("many", "each")
    )
    many = [arrived(number) for number in range(count)]
    each = [arrived(number + 1000) for number in range(count)]
    pushes.add(connection, first.id, many, now=NOW)
    for one in each:
        arrivals.add(connection, one.place, one.digest, one.data)
        blobs.add(connection, second.id, one.digest, Kept(one.place, len(one.data)), now=NOW)
    for repository, those in ((first, many), (second, each)):
        names = sorted(one.digest for one in those)
        rows = connection.execute(
            "SELECT * FROM links WHERE repository_id = ? ORDER BY digest", (repository.id,)
        ).fetchall()
        assert [tuple(row) for row in rows] == [(repository.id, name, NOW, NOW) for name in names]
        for one in those:
            assert arrivals.data(connection, one.place) == one.data
            row = connection.execute("SELECT * FROM blobs WHERE digest = ?", (one.digest,))
            assert tuple(row.fetchone()) == (
                one.digest, len(one.data), None, one.place, NOW, "",
            )  # fmt: skip
