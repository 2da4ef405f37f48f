"""What changed between two images."""

from tests.hub.clients import INDEX, MANIFEST, document
from tests.hub.site.test_image import CONFIGURATION, image, layer

from lamina.hub.site.changes import Change, changes


def made(layers, *, created: str = "2026-11-20T10:00:00Z", **config) -> tuple[bytes, str, bytes]:
    settings = {**CONFIGURATION, "config": {"Cmd": ["sh"], **config}, "created": created}
    raw, text = image([layer(*each) for each in layers], settings)
    return raw, MANIFEST, text


def test_what_is_fetched_and_what_the_configuration_lost_and_got():
    older = made([("base", 900), ("old", 50)], Env=["A=b", "V=1"])
    newer = made([("base", 900), ("new", 70)], Env=["A=b", "V=2"], User="app")
    found = changes(older, newer)
    assert found is not None
    assert (found.kept, found.new, found.gone, found.fetched, found.grown) == (1, 1, 1, 70, 20)
    assert found.facts == (
        Change("User", (), ("app",)),
        Change("Environment", ("V=1",), ("V=2",)),
    )
    assert not found.is_nothing


def test_the_same_image_built_at_another_time_has_not_changed():
    found = changes(made([("base", 900)]), made([("base", 900)], created="2026-11-21T00:00:00Z"))
    assert found is not None
    assert found.is_nothing


def test_an_index_is_compared_by_its_members_and_not_itself():
    index = document({"schemaVersion": 2, "mediaType": INDEX, "manifests": []})
    assert changes(made([("base", 1)]), (index, INDEX, b"")) is None
