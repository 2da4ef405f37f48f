"""Parts of a blob ahead of their turn."""

import os

from lamina.spec.digest import Digest
from lamina.store.spares import Spares
from lamina.store.store import Store


def test_parts_are_found_again_with_what_they_had(tmp_path):
    spares = Spares(str(tmp_path), "sha256-abc")
    assert spares.found() == {}
    for begin in (4096, 0):
        part = spares.open(begin)
        part.write(b"x" * 10)
        part.close()
        part.close()
    other = Spares(str(tmp_path), "sha256-abcd").open(7)
    assert spares.found() == {0: 10, 4096: 10}
    again = spares.open(4096)
    again.write(b"yz")
    assert again.size == 12
    assert again.read(9, 100) == b"xyz"
    again.discard()
    assert spares.found() == {0: 10}
    spares.drop()
    assert os.listdir(tmp_path) == ["sha256-abcd.part-7"]
    other.discard()


def test_parts_count_as_interrupted_downloads_and_go_with_them(tmp_path):
    store = Store.open(str(tmp_path))
    part = store.blobs.spares(Digest.of(b"x")).open(0)
    part.write(b"12345")
    part.close()
    (row,) = store.blobs.partials()
    assert (row.size, row.busy) == (5, False)
    assert store.blobs.drop_partials(before=float("inf")) == 5
    assert store.blobs.spares(Digest.of(b"x")).found() == {}
