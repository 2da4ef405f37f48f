"""Only what the other side lacks travels, and it arrives whole or is refused."""

import io
import json
import tarfile
from pathlib import Path

import pytest
from tests.archives import archive
from tests.engine.worlds import make_engine, merged
from tests.images import Piece, tar

from lamina.engine.bundles import INVENTORY, read_inventory
from lamina.engine.engine import Engine
from lamina.errors import Invalid
from lamina.image.archive import LayerLeftOut
from lamina.spec.digest import Digest

BASE = tar([Piece("etc/", directory=True), Piece("etc/base", b"b" * 100_000)])
ONE = tar([Piece("etc/one", b"1")])
TWO = tar([Piece("etc/two", b"2")])


@pytest.fixture
def there(tmp_path: Path) -> Engine:
    return make_engine(tmp_path / "there")


def load(engine: Engine, name: str, *layers: bytes) -> None:
    engine.images.load(io.BytesIO(archive(name, layers=layers)))


def bundle(engine: Engine, name: str, without: frozenset[Digest]) -> bytes:
    out = io.BytesIO()
    engine.images.save([name], out, without=without)
    return out.getvalue()


def have(engine: Engine) -> frozenset[Digest]:
    raw = json.dumps(engine.images.inventory()).encode()  # noqa: TID251 - as a person's file
    return read_inventory(io.BytesIO(raw))


def test_only_the_missing_layers_travel_and_the_image_is_whole_there(engine: Engine, there: Engine):
    load(engine, "app:v2", BASE, TWO)
    load(there, "app:v1", BASE, ONE)
    data = bundle(engine, "app:v2", have(there))
    with tarfile.open(fileobj=io.BytesIO(data)) as file:  # noqa: TID251
        names = [member.name for member in file if member.isfile()]
    manifest = engine.images.resolve("app:v2").manifest
    assert f"blobs/sha256/{manifest.layers[0].digest.hex}" not in names
    assert f"blobs/sha256/{manifest.layers[1].digest.hex}" in names
    assert "manifest.json" not in names
    there.images.load(io.BytesIO(data))
    assert merged(there, "app:v2") == merged(engine, "app:v2")
    assert there.images.resolve("app:v2").manifest.raw == manifest.raw


def test_a_bundle_of_nothing_new_holds_documents_alone(engine: Engine, there: Engine):
    load(engine, "app:v1", BASE, ONE)
    load(there, "other:v1", BASE, ONE)
    there.images.load(io.BytesIO(bundle(engine, "app:v1", have(there))))
    assert merged(there, "app:v1") == merged(engine, "app:v1")


def test_a_bundle_for_another_machine_is_refused_and_says_why(engine: Engine, there: Engine):
    load(engine, "app:v2", BASE, TWO)
    data = bundle(engine, "app:v2", have(engine))
    with pytest.raises(LayerLeftOut, match="leaves out layer sha256:") as caught:
        there.images.load(io.BytesIO(data))
    assert "inventory" in caught.value.hint
    assert there.images.list() == ()


def test_an_inventory_lists_each_layer_once_with_its_size(engine: Engine):
    assert engine.images.inventory() == {"mediaType": INVENTORY, "layers": []}
    load(engine, "a", BASE, ONE)
    load(engine, "b", BASE, TWO)
    rows = engine.images.inventory()["layers"]
    assert len(rows) == 3
    assert rows == sorted(rows, key=lambda row: row["digest"])
    assert all(engine.store.blobs.size(Digest(row["digest"])) == row["size"] for row in rows)


@pytest.mark.parametrize(
    "raw",
    [b"", b"{}", b"[]", b'{"mediaType": "x", "layers": []}',
     b'{"mediaType": "%b", "layers": [{"digest": "sha256:12"}]}' % INVENTORY.encode(),
     b'{"mediaType": "%b", "layers": [7]}' % INVENTORY.encode()],
)  # fmt: skip
def test_what_is_no_inventory_is_refused(raw: bytes):
    with pytest.raises(Invalid):
        read_inventory(io.BytesIO(raw))
