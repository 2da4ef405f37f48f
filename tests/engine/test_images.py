"""Images here: found by name and ID, listed, tagged, described."""

import os

import pytest
from tests.engine.worlds import import_image, make_engine
from tests.images import Piece

from lamina.engine.engine import Engine
from lamina.engine.local import ImageUnknown
from lamina.errors import Invalid
from lamina.spec.reference import ReferenceInvalid
from lamina.store.blobs import BlobStore, BlobUnknown
from lamina.store.names import Names


@pytest.fixture
def engine(tmp_path):
    return make_engine(tmp_path)


def test_image_is_found_by_every_name_it_goes_by(engine):
    made = import_image(engine, "app:v1")
    spellings = (
        "app:v1", "docker.io/app:v1", "docker.io/library/app:v1", "index.docker.io/library/app:v1",
        str(made), made.hex, made.short, made.hex[:4],
    )  # fmt: skip
    for text in spellings:
        assert engine.images.resolve(text).id == made


@pytest.mark.parametrize("text", ["app", "app:v2", "other/app:v1", "sha256:00", "UPPER", "", "a b"])
def test_unknown_image_is_not_found_whatever_it_is_called(engine, text):
    import_image(engine, "app:v1")
    with pytest.raises(ImageUnknown, match="No such image"):
        engine.images.resolve(text)


def test_missing_image_is_named_with_its_tag(engine):
    with pytest.raises(ImageUnknown, match="No such image: mysql:latest"):
        engine.images.resolve("mysql")


def test_id_that_fits_two_images_is_refused(engine):
    ids = [import_image(engine, f"x:{n}", [Piece("f", str(n).encode())]) for n in range(17)]
    first = next(a for a in ids if sum(b.hex[0] == a.hex[0] for b in ids) > 1)
    with pytest.raises(Invalid, match="ambiguous"):
        engine.images.resolve(first.hex[0])


def test_listing_is_newest_first_with_all_names_of_an_image_in_one_row(engine, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1000")
    old = import_image(engine, "old", [Piece("f", b"old")])
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "2000")
    new = import_image(engine, "new", [Piece("f", b"new")])
    engine.images.tag("old", "me/second:v2")
    rows = engine.images.list()
    assert [row.id for row in rows] == [new, old]
    assert rows[1].names == ("docker.io/library/old:latest", "docker.io/me/second:v2")
    assert rows[1].created == "1970-01-01T00:16:40Z"
    assert rows[1].size == 3


def test_same_input_at_the_same_time_gives_the_same_image(tmp_path, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1000")
    one = import_image(make_engine(tmp_path / "one"), "x")
    two = import_image(make_engine(tmp_path / "two"), "y")
    assert one == two


def test_moved_tag_leaves_the_old_image_without_a_name(engine):
    old = import_image(engine, "app", [Piece("f", b"1")])
    new = import_image(engine, "app", [Piece("f", b"2")])
    rows = {row.id: row.names for row in engine.images.list()}
    assert rows == {old: (), new: ("docker.io/library/app:latest",)}
    assert engine.images.resolve(str(old)).names == ()


def test_tag_with_a_digest_is_refused(engine):
    made = import_image(engine, "app")
    with pytest.raises(ReferenceInvalid, match="digest"):
        engine.images.tag("app", f"app@{made}")


@pytest.fixture
def meanwhile(engine, monkeypatch):
    """Let another process act between the next read of the index and the read of a document."""

    def arrange(act):
        opened = BlobStore.open

        def late(blobs, digest):
            monkeypatch.setattr(BlobStore, "open", opened)
            other = Engine(engine.settings)
            act(other)
            other.close()
            return opened(blobs, digest)

        monkeypatch.setattr(BlobStore, "open", late)

    return arrange


def test_image_removed_while_it_is_looked_for_is_unknown(engine, meanwhile):
    import_image(engine, "app:v1")
    meanwhile(lambda other: other.images.remove("app:v1", now=True))
    with pytest.raises(ImageUnknown, match="No such image: app:v1"):
        engine.images.resolve("app:v1")


def test_name_that_moves_while_it_is_looked_for_gives_the_image_it_moved_to(engine, meanwhile):
    import_image(engine, "app:v1")
    new = import_image(engine, "next", [Piece("f", b"new")])

    def move(other):
        other.images.tag("next", "app:v1")
        other.images.prune(all_unused=False, now=True)

    meanwhile(move)
    assert engine.images.resolve("app:v1").id == new


def test_damaged_image_is_not_looked_for_for_ever(engine):
    import_image(engine, "app:v1")
    image = engine.images.resolve("app:v1")
    os.unlink(engine.store.blobs.path(image.manifest.digest))
    with pytest.raises(BlobUnknown):
        engine.images.resolve("app:v1")


def test_removal_does_not_stumble_over_what_another_process_removes(engine, monkeypatch):
    import_image(engine, "one", [Piece("f", b"one")])
    import_image(engine, "two", [Piece("f", b"two")])
    take = Names.take

    def late(names, leaving, *rest, **options):
        taken = take(names, leaving, *rest, **options)
        monkeypatch.setattr(Names, "take", take)
        rows = Names.all

        def stale(names):  # the listing as it was before another process removed the image
            found = rows(names)
            monkeypatch.setattr(Names, "all", rows)
            engine.images.remove("two", now=True)
            return found

        monkeypatch.setattr(Names, "all", stale)
        return taken

    monkeypatch.setattr(Names, "take", late)
    engine.images.remove("one", now=True)
    assert engine.images.list() == ()
    assert list(engine.store.blobs) == []
