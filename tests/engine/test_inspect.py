"""What people ask about an image: inspect, history, layers."""

import pytest
from tests.engine.worlds import import_image, make_engine
from tests.images import Piece


@pytest.fixture
def engine(tmp_path):
    return make_engine(tmp_path)


def test_inspect_has_every_field_that_docker_shows(engine):
    made = import_image(engine, "app", [Piece("f", b"1")], 'CMD ["sh"]', "ENV A=b", "LABEL l=m")
    document = engine.images.inspect("app")
    assert document["Id"] == str(made)
    assert document["RepoTags"] == ["app:latest"]
    assert document["Comment"] == "Imported from -"
    assert document["Config"]["Env"] == ["A=b"]
    assert document["Config"]["Labels"] == {"l": "m"}
    assert list(document["Config"])[:3] == ["Hostname", "Domainname", "User"]
    assert document["RootFS"]["Layers"] == [
        str(d) for d in engine.images.resolve("app").config.diff_ids
    ]
    assert document["Size"] == 1
    for field in ("Parent", "Created", "Author", "Architecture", "Os", "GraphDriver", "Metadata"):
        assert field in document


def test_history_gives_sizes_to_the_steps_that_made_layers(engine):
    import_image(engine, "app", [Piece("f", b"12345")])
    rows = engine.images.history("app")
    assert [(row.size, row.comment) for row in rows] == [(5, "Imported from -")]
    assert rows[0].id == str(engine.images.resolve("app").id)


def test_layers_tell_who_shares_them(engine):
    import_image(engine, "app")
    engine.images.tag("app", "also")
    import_image(engine, "other", [Piece("etc", directory=True)])
    import_image(engine, "same-layer", [Piece("etc", directory=True)], 'CMD ["sh"]')
    rows = {name: engine.images.stack(name) for name in ("app", "other", "same-layer")}
    assert rows["app"][0].shared_with == ()
    assert rows["other"][0].shared_with == ("same-layer:latest",)
    assert rows["same-layer"][0].shared_with == ("other:latest",)
    assert rows["app"][0].size == 70006
