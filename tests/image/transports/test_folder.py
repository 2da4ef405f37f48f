"""Folders of images: a copy that was cut short is repeated, and goes on with what is there."""

import io
import os
from contextlib import nullcontext
from pathlib import Path

import pytest

from lamina.errors import Invalid
from lamina.events import Phase
from lamina.image.sink import Arrival
from lamina.image.transports.folder import DirSink, LayoutSink
from lamina.spec.descriptor import Descriptor, MediaType
from lamina.spec.digest import Digest
from lamina.spec.wire import encode
from lamina.stream.files import acquire

BLOB = b"layer"
LAYER = Descriptor(MediaType.OCI_LAYER, Digest.of(BLOB), len(BLOB))
RAW = encode(
    {
        "schemaVersion": 2,
        "mediaType": MediaType.OCI_MANIFEST,
        "config": LAYER.to_json(),
        "layers": [LAYER.to_json()],
    }
)
TOP = Descriptor(MediaType.OCI_MANIFEST, Digest.of(RAW), len(RAW))
UNFINISHED = f".{'ab' * 16}~"
Sink = type[LayoutSink] | type[DirSink]
each_kind = pytest.mark.parametrize("kind", [LayoutSink, DirSink])


def take(sink: LayoutSink | DirSink) -> Arrival:
    return sink.take(LAYER, lambda: nullcontext(io.BytesIO(BLOB)), lambda _: None)


@each_kind
def test_a_copy_that_was_killed_is_taken_up_by_its_repeat(tmp_path: Path, kind: Sink):
    take(kind(str(tmp_path)))
    (tmp_path / UNFINISHED).write_bytes(b"lay")
    repeat = kind(str(tmp_path))
    assert take(repeat).phase is Phase.PRESENT
    repeat.manifest(TOP, RAW, top=True)
    repeat.finish()
    assert UNFINISHED not in os.listdir(tmp_path)
    assert not list(tmp_path.rglob("*~"))


@each_kind
def test_what_another_copy_is_writing_stays(tmp_path: Path, kind: Sink):
    sink = kind(str(tmp_path))
    take(sink)
    sink.manifest(TOP, RAW, top=True)
    fd = acquire(str(tmp_path / UNFINISHED))
    try:
        sink.finish()
        assert UNFINISHED in os.listdir(tmp_path)
    finally:
        os.close(fd)


@each_kind
@pytest.mark.parametrize("name", ["notes.txt", ".cache~", "a" * 63])
def test_a_folder_with_anything_else_in_it_is_refused(tmp_path: Path, kind: Sink, name: str):
    take(kind(str(tmp_path)))
    (tmp_path / name).touch()
    with pytest.raises(Invalid, match="not empty"):
        kind(str(tmp_path))


@each_kind
def test_a_blob_that_fails_midway_leaves_nothing(tmp_path: Path, kind: Sink):
    def fails() -> None:
        raise KeyError

    with pytest.raises(KeyError):
        kind(str(tmp_path)).write(str(tmp_path / "x"), lambda _: fails())
    assert os.listdir(tmp_path) == []
