import pytest
from tests.engine.worlds import import_image, make_engine

from lamina.engine.names import ContainerUnknown, NameInvalid, NameTaken
from lamina.engine.renaming import rename
from lamina.engine.requests import CreateRequest
from lamina.errors import Invalid


@pytest.fixture
def engine(tmp_path):
    engine = make_engine(tmp_path)
    import_image(engine, "app")
    for name in ("one", "two"):
        engine.containers.create(CreateRequest("app", ("x",), name=name))
    return engine


@pytest.mark.root
def test_a_container_is_found_by_its_new_name_alone(engine):
    ident = engine.containers.record("one").id
    rename(engine, ident[:12], "/three")
    assert engine.containers.record("three").id == ident
    with pytest.raises(ContainerUnknown):
        engine.containers.record("one")
    rename(engine, "two", "one")


@pytest.mark.root
@pytest.mark.parametrize(
    ("new", "kind", "words"),
    [
        ("", Invalid, "Neither old nor new names may be empty"),
        ("one", Invalid, "Renaming a container with the same name as its current name"),
        ("two", NameTaken, 'The container name "/two" is already in use by container'),
        ("!", NameInvalid, r"Invalid container name \(!\), only"),
    ],
)
def test_names_that_cannot_be_are_refused_in_dockers_words(engine, new: str, kind, words: str):
    with pytest.raises(kind, match=words):
        rename(engine, "one", new)
    assert engine.containers.record("one").name == "one"
