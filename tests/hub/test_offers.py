"""What is kept together: each by itself is judged, and what is wrong with one is nobody else's trouble."""

import contextlib

import pytest

from lamina.hub.access import Caller
from lamina.hub.databases.sqlite import SqliteDatabase
from lamina.hub.offers import Footing, Login, Offer, Wish, keep
from lamina.hub.tables import arrivals, blobs, repositories
from lamina.hub.tables.pushes import Arrived
from lamina.spec.digest import Digest

NOW = 1000.0
ALICE, BOB = Login("alice"), Login("bob")


@pytest.fixture
def connection(tmp_path):
    with contextlib.closing(SqliteDatabase(str(tmp_path / "hub.db"))) as database:
        yield database._writer


def offer(data: bytes, *, upload: str = "", login: Login = ALICE, digest: str = "", name="alice/a"):
    named = Digest(digest) or Digest.of(data)
    place = upload or f"own-{data.decode()[:8]}-{name}"
    arrived = Arrived(place, named, data)
    return Offer(Wish(login, name, upload, named), arrived, lambda _: None)


def kept(connection, *offers: Offer, is_quiet: bool = True):
    asked: list[tuple[str, str]] = []

    def footing(login: Login, name: str) -> Footing | None:
        asked.append((login.name, name))
        found = repositories.find(connection, name)
        return None if login is BOB else Footing(Caller(login.name), found, is_quiet)

    return keep(connection, offers, footing, now=NOW), asked


def places(connection) -> dict[str, str]:
    return {row[0]: row[1] for row in connection.execute("SELECT digest, place FROM blobs")}


def test_each_is_judged_alone_and_who_may_is_asked_once(connection):
    good, other, elsewhere = offer(b"good"), offer(b"also"), offer(b"good", name="alice/b")
    told, asked = kept(
        connection, good, offer(b"bad", digest=f"sha256:{64 * 'a'}"), offer(b"his", login=BOB), other, elsewhere
    )  # fmt: skip
    assert told == ["alice", None, None, "alice", "alice"]
    assert asked == [("alice", "alice/a"), ("bob", "alice/a"), ("alice", "alice/b")]
    assert places(connection) == {
        good.arrived.digest: elsewhere.arrived.place,
        other.arrived.digest: other.arrived.place,
    }
    links = connection.execute(
        "SELECT name, digest FROM links JOIN repositories ON id = repository_id"
    )
    assert {tuple(row) for row in links} == {
        ("alice/a", good.arrived.digest), ("alice/a", other.arrived.digest), ("alice/b", good.arrived.digest)
    }  # fmt: skip


def test_a_repository_is_made_for_what_is_kept_and_for_nothing_else(connection):
    kept(connection, offer(b"bad", digest=f"sha256:{64 * 'a'}"))
    assert repositories.find(connection, "alice/a") is None
    kept(connection, offer(b"good", digest=f"sha512:{Digest.of(b'good', 'sha512').hex}"))
    assert repositories.find(connection, "alice/a") is not None


def test_an_upload_is_ended_once_though_both_come_together(connection):
    upload = "0190f7c8-0000-8000-8000-000000000000"
    told, _ = kept(connection, offer(b"one", upload=upload), offer(b"two", upload=upload))
    assert told == ["alice", None]
    assert kept(connection, offer(b"three", upload=upload))[0] == [None]


def test_a_newer_copy_takes_the_place_of_an_older_one_also_of_one_beside_it(connection):
    first, second, third = (offer(b"same", upload=f"upload-{number}") for number in range(3))
    assert kept(connection, first)[0] == ["alice"]
    assert kept(connection, second, third)[0] == ["alice"] * 2
    assert places(connection) == {first.arrived.digest: third.arrived.place}
    left = {row[0] for row in connection.execute("SELECT place FROM leftovers")}
    assert left == {first.arrived.place, second.arrived.place}
    assert arrivals.data(connection, third.arrived.place) == b"same"


def test_a_push_is_noted_where_none_was_lately(connection):
    def busy_at() -> float:
        return float(connection.execute("SELECT busy_at FROM repositories").fetchone()[0])

    kept(connection, offer(b"first"))
    assert busy_at() == NOW
    connection.execute("UPDATE repositories SET busy_at = ?", (NOW - blobs.BUSY_S - 1,))
    kept(connection, offer(b"second"), is_quiet=False)
    assert busy_at() == NOW - blobs.BUSY_S - 1


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
@pytest.mark.parametrize("size", [1, 2047, 2048, 16384, 16385])
def test_bytes_of_any_size_are_what_their_digest_says_or_not(algorithm, size):
    data = bytes(range(256)) * 65
    named = Digest.of(data[:size], algorithm)
    assert offer(data[:size].hex().encode(), digest=named).is_right() is False
    wish = Wish(ALICE, "alice/a", "", named)
    assert Offer(wish, Arrived("x", named, data[:size]), lambda _: None).is_right()
