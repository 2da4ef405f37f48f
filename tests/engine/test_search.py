"""A registry is searched by its own search, else by the names in its catalogue, and it is said which."""

import pytest
from tests.engine.worlds import import_image
from tests.servers import RegistryServer

from lamina.engine.search import search
from lamina.errors import Invalid


def test_our_hub_is_searched_by_its_search(hub, alice):
    name = f"{hub.address}/alice/findable"
    import_image(alice, name)
    alice.images.push(name)
    found = search(alice, f"{hub.address}/indabl")
    assert (found.by, [row.name for row in found.rows]) == ("search", ["alice/findable"])
    assert search(alice, f"{hub.address}/nowhere-to-be-found").rows == ()


def test_a_registry_without_a_search_is_searched_by_its_catalogue(engine, registry: RegistryServer):
    for name in ("catalogued/one", "catalogued/two", "catalogued/three"):
        import_image(engine, f"{registry.address}/{name}")
        engine.images.push(f"{registry.address}/{name}")
    found = search(engine, f"{registry.address}/catalogued tw")
    assert found.by == "catalog"
    assert [row.name for row in found.rows] == ["catalogued/two"]
    assert len(search(engine, f"{registry.address}/catalogued", limit=1).rows) == 1


def test_a_search_for_nothing_is_refused(engine):
    with pytest.raises(Invalid, match="needs a word"):
        search(engine, " ")
