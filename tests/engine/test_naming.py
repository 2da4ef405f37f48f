"""Names and the facts beside them: what a listing reads without opening an image."""

import pytest
from tests.engine.worlds import import_image, make_engine
from tests.images import Piece

from lamina.engine import naming


@pytest.fixture
def engine(tmp_path):
    return make_engine(tmp_path)


def facts(engine, name: str) -> dict[str, str]:
    row = engine.store.names.get(name)
    assert row is not None
    return dict(row.facts)


def test_facts_say_what_a_listing_shows(engine, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1000")
    made = import_image(engine, "app", [Piece("f", b"12345")])
    assert facts(engine, "docker.io/library/app:latest") == {
        naming.IMAGE_ID: str(made),
        naming.CREATED: "1970-01-01T00:16:40Z",
        naming.SIZE: "5",
        naming.LAYER_SIZES: "5",
        naming.TAGGED: "1970-01-01T00:16:40Z",
    }


def test_naming_the_same_image_again_changes_nothing_and_says_so(engine):
    import_image(engine, "app")
    image = engine.images.resolve("app")
    before = facts(engine, "docker.io/library/app:latest")
    name = "docker.io/library/app:latest"
    assert not naming.name_image(engine, name, image.manifest, image.config, command="tag")
    assert facts(engine, name) == before
    assert naming.name_image(
        engine, "docker.io/library/app:v2", image.manifest, image.config, command="tag"
    )


def test_further_names_keep_the_parent(engine):
    parent = str(import_image(engine, "parent"))
    import_image(engine, "app", [Piece("f", b"1")])
    image = engine.images.resolve("app")
    first, second = "docker.io/me/first:v1", "docker.io/me/second:v1"
    naming.name_image(engine, first, image.manifest, image.config, command="tag", parent=parent)
    engine.images.tag("me/first:v1", "me/second:v1")
    assert facts(engine, second)[naming.PARENT] == parent
    assert engine.images.inspect("me/second:v1")["Parent"] == parent


def test_kept_image_is_listed_without_a_name(engine):
    made = import_image(engine)
    assert [(row.id, row.names) for row in engine.images.list()] == [(made, ())]
