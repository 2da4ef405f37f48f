"""One image in every encoding at a registry, never pulled: what is said of it is what is said here."""

from pathlib import Path

import pytest
from tests.consoles import console
from tests.engine.worlds import make_engine
from tests.images import write_layout
from tests.journeys.test_encodings import ENCODINGS, LAYERS, loaded
from tests.servers import RegistryServer

from lamina.engine.indexing import index_image

QUESTIONS = (
    ("whence", "--all", "--json", "it", "/"), ("whence", "-p", "it", "/etc/motd"), ("waste", "--json", "it"),
    ("packages", "--json", "it"), ("secrets", "--json", "it"), ("diff", "--json", "it", "it"),
)  # fmt: skip


@pytest.mark.parametrize("encoding", ["plain", "gzip", "zstd", "zstd:chunked", "eStargz"])
def test_answers_from_the_registry_are_those_of_the_image_here(
    registry: RegistryServer, tmp_path: Path, encoding: str
):
    write_layout(tmp_path / "layout", LAYERS, config={"Env": ["API_TOKEN=abcdef", "PATH=/bin"]})
    work = tmp_path / "work"
    work.mkdir()
    archive = ENCODINGS[encoding](tmp_path / "layout", work)
    (tmp_path / "archive").write_bytes(archive)
    name = f"{registry.address}/{encoding.replace(':', '-').lower()}:1"
    here = loaded(tmp_path / "here", archive)
    with make_engine(tmp_path / "maker") as maker:
        maker.images.copy(f"oci-archive:{tmp_path}/archive", f"docker://{name}")
        assert index_image(maker, name).made == len(LAYERS)
    with make_engine(tmp_path / "reader") as reader:
        there = console(reader.settings)
        for words in QUESTIONS:
            asked = [f"docker://{name}" if word == "it" else word for word in words]
            assert there(*asked).replace(f"docker://{name}", "it").replace(name, "it") == here(
                *words
            )
        assert there("images", "-q") == ""
