"""Bases at a registry, found by manifests alone: distribution's registry and our hub answer."""

import io
from pathlib import Path

import pytest
from tests.archives import archive
from tests.engine.worlds import PASSWORD, make_engine
from tests.images import Piece, tar
from tests.servers import RegistryServer

from lamina.engine.engine import Engine
from lamina.engine.remote_bases import Looked, remote_bases
from lamina.errors import Invalid, LaminaError, NotFound
from lamina.hub import Hub
from lamina.remote.login import login
from lamina.stream.codec import Compression

ONE, TWO, THREE, OTHER = (tar([Piece(name, b"x" * 100)]) for name in ("one", "two", "three", "n"))
"""`app` is all of the first three; `low`, `mid` and `same` are parts of it or all, `stranger` is not."""
IMAGES = {
    "app": (ONE, TWO, THREE),
    "low": (ONE,),
    "mid": (ONE, TWO),
    "same": (ONE, TWO, THREE),
    "stranger": (OTHER, TWO),
}


def load(engine: Engine, name: str, layers: tuple[bytes, ...]) -> None:
    steps: list[dict[str, object]] = [{"created_by": f"RUN {n}"} for n in range(len(layers))]
    engine.images.load(io.BytesIO(archive(name, layers=layers, steps=steps)))


def found(looked: Looked) -> list[tuple[tuple[str, ...], int]]:
    return [(base.names, base.layers) for base in looked.bases]


@pytest.fixture(scope="module")
def filled(registry: RegistryServer, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of a registry with `team/bases` of four tags, and `low` packed with zstd elsewhere."""
    with make_engine(tmp_path_factory.mktemp("filler")) as engine:
        for name in ("low", "mid", "same", "stranger"):
            for tag in (name, "first") if name == "low" else (name,):
                load(engine, f"{registry.address}/team/bases:{tag}", IMAGES[name])
                engine.images.push(f"{registry.address}/team/bases:{tag}")
        other = f"{registry.address}/other/packed:zstd"
        load(engine, other, IMAGES["low"])
        engine.images.push(other, compression=Compression("zstd"))
    return registry.address


@pytest.fixture
def app(engine: Engine) -> Engine:
    """An engine with `app:1`, and nothing that it stands on."""
    load(engine, "app:1", IMAGES["app"])
    return engine


def test_all_tags_of_a_repository_are_looked_at_and_those_below_found(app: Engine, filled: str):
    heard: list[tuple[int, int]] = []
    place = f"{filled}/team/bases"
    looked = remote_bases(app, "app:1", [place], told=lambda *row: heard.append(row))
    assert found(looked) == [
        ((f"{place}:mid",), 2),
        ((f"{place}:first", f"{place}:low"), 1),
    ]
    assert (looked.tags, looked.left, looked.failed, looked.more) == (5, 0, (), False)
    assert sorted(heard) == [(number, 5) for number in range(1, 6)]
    assert len(app.images.list()) == 1, "nothing was pulled"


def test_a_whole_registry_is_asked_for_its_repositories_and_other_packing_is_no_hindrance(
    app: Engine, filled: str
):
    looked = remote_bases(app, "app:1", [filled])
    assert ((f"{filled}/other/packed:zstd",), 1) in found(looked)
    assert looked.tags == 6
    looked = remote_bases(app, "app:1", [f"{filled}/team"])
    assert looked.tags == 5


def test_one_image_can_be_asked_for_and_a_limit_leaves_the_rest(app: Engine, filled: str):
    place = f"{filled}/team/bases"
    assert found(remote_bases(app, "app:1", [f"{place}:low"])) == [((f"{place}:low",), 1)]
    looked = remote_bases(app, "app:1", [filled], limit=2)
    assert (looked.tags, looked.left) == (2, 4)
    packed = (f"{filled}/other/packed:zstd",)
    assert packed in [base.names for base in looked.bases], "each repository gets its turn"


def test_what_cannot_be_read_is_named_and_the_rest_looked_at(app: Engine, filled: str):
    place = f"{filled}/team/bases"
    looked = remote_bases(app, "app:1", [f"{place}:nosuch", f"{place}:mid"])
    assert found(looked) == [((f"{place}:mid",), 2)]
    assert len(looked.failed) == 1
    assert looked.failed[0].startswith(f"{place}:nosuch: ")
    with pytest.raises(NotFound) as caught:
        remote_bases(app, "app:1", [f"{filled}/no/such"])
    assert f"as {filled}/no/such/NAME" in caught.value.hint
    with pytest.raises(Invalid):
        remote_bases(app, "app:1", ["not a/name"])


def test_a_hub_lists_what_it_has_and_is_looked_at(app: Engine, hub: Hub, tmp_path: Path):
    with make_engine(tmp_path / "carol") as carol:
        login(carol.client, hub.address, "carol", PASSWORD)
        name = f"{hub.address}/carol/bases:low"
        load(carol, name, IMAGES["low"])
        carol.images.push(name)
        load(carol, "app:1", IMAGES["app"])
        assert found(remote_bases(carol, "app:1", [hub.address])) == [((name,), 1)]
        assert found(remote_bases(carol, "app:1", [f"{hub.address}/carol"])) == [((name,), 1)]
        with pytest.raises(LaminaError) as caught:
            remote_bases(carol, "app:1", [f"{hub.address}/nobody"])
        assert "name a repository" in caught.value.hint
    assert remote_bases(app, "app:1", [f"{hub.address}/"], limit=0).tags == 1
