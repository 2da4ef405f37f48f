"""One image in every encoding at a registry, never pulled: what is said of it is what is said here."""

import gzip
import hashlib
import io
import json
import struct
import tarfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.consoles import console
from tests.engine.worlds import make_engine
from tests.images import Piece, tar, write_layout
from tests.journeys.test_encodings import ENCODINGS, LAYERS, layout_of, loaded, without_table
from tests.servers import RegistryServer

from lamina.engine.indexing import index_image
from lamina.image.contents_table import read_table
from lamina.image.seek_build import FileRanges
from lamina.layer.spans import SeekIndexInvalid
from lamina.layer.tabled import TabledLayer
from lamina.spec.descriptor import Descriptor

CHUNK = 100_000

QUESTIONS = (
    ("whence", "--all", "--json", "it", "/"), ("whence", "-p", "it", "/etc/motd"), ("waste", "--json", "it"),
    ("packages", "--json", "it"), ("secrets", "--json", "it"), ("diff", "--json", "it", "it"),
)  # fmt: skip


TYPES = {
    tarfile.REGTYPE: "reg", tarfile.DIRTYPE: "dir", tarfile.SYMTYPE: "symlink", tarfile.LNKTYPE: "hardlink",
}  # fmt: skip


def stargz(layout: Path, work: Path) -> bytes:
    """Write eStargz as its specification has it: contents in chunks, a table, and its digest in the manifest."""
    blobs, plains, notes = [], [], []
    for data in LAYERS:
        out, rows, done = io.BytesIO(), [], 0
        with tarfile.open(fileobj=io.BytesIO(data)) as source:  # noqa: TID251 - the judge's own
            for member in source.getmembers():
                out.write(gzip.compress(data[done : member.offset_data], mtime=0))
                done = member.offset_data
                row = {
                    "name": member.name, "type": TYPES[member.type], "size": member.size, "mode": member.mode,
                    "uid": member.uid, "gid": member.gid, "linkName": member.linkname,
                    "modtime": datetime.fromtimestamp(member.mtime, UTC).isoformat().replace("+00:00", "Z"),
                }  # fmt: skip
                chunks = range(0, member.size if member.isreg() else 0, CHUNK)
                for at in chunks:
                    piece = data[done + at : done + min(at + CHUNK, member.size)]
                    digest = "sha256:" + hashlib.sha256(piece).hexdigest()
                    own = {"offset": out.tell(), "chunkOffset": at, "chunkDigest": digest}
                    own["chunkSize"] = 0 if at == chunks[-1] else CHUNK
                    rows.append(
                        row | own if at == 0 else {"name": member.name, "type": "chunk"} | own
                    )
                    out.write(gzip.compress(piece, mtime=0))
                if not chunks:
                    rows.append(row)
                done += member.size if member.isreg() else 0
        toc = json.dumps({"version": 1, "entries": rows}).encode()  # noqa: TID251 - another tool's
        out.write(gzip.compress(data[done : len(data.rstrip(b"\0")) + 511 & -512], mtime=0))
        at = out.tell()
        out.write(gzip.compress(tar([Piece("stargz.index.json", toc)]), mtime=0))
        extra = b"SG" + struct.pack("<H", 22) + b"%016xSTARGZ" % at
        out.write(b"\x1f\x8b\x08\x04" + bytes(4) + b"\0\xff" + struct.pack("<H", len(extra)))
        out.write(extra + b"\x01\x00\x00\xff\xff" + bytes(8))
        blobs.append((out.getvalue(), "+gzip"))
        plains.append(gzip.decompress(out.getvalue()))
        digest = "sha256:" + hashlib.sha256(toc).hexdigest()
        notes.append({"containerd.io/snapshot/stargz/toc.digest": digest})
    return layout_of(blobs, plains, layout, notes)


@pytest.mark.parametrize("encoding", ["zstd:chunked", "eStargz"])
def test_a_table_of_contents_in_the_blob_is_index_enough(
    registry: RegistryServer, tmp_path: Path, encoding: str
):
    write_layout(tmp_path / "layout", LAYERS, config={"Env": ["API_TOKEN=abcdef", "PATH=/bin"]})
    work = tmp_path / "work"
    work.mkdir()
    encode = stargz if encoding == "eStargz" else ENCODINGS[encoding]
    archive = encode(tmp_path / "layout", work)
    (tmp_path / "archive").write_bytes(archive)
    name = f"{registry.address}/tabled/{encoding.replace(':', '-').lower()}:1"
    here = loaded(tmp_path / "here", archive)
    with make_engine(tmp_path / "reader") as reader:
        reader.images.copy(f"oci-archive:{tmp_path}/archive", f"docker://{name}")
        there = console(reader.settings)
        for words in (*QUESTIONS, ("ls", "--json", "-R", "it:/"), ("cat", "it:/etc/big")):
            asked = [
                word.replace("it", f"docker://{name}", 1) if word[:3] in ("it", "it:") else word
                for word in words
            ]
            said = there(*asked).replace(f"docker://{name}", "it").replace(name, "it")
            assert without_table(said) == without_table(here(*words)), words
        assert there("images", "-q") == ""


def test_a_table_or_a_chunk_that_is_not_the_promised_one_is_refused(tmp_path: Path):
    write_layout(tmp_path / "layout", LAYERS)
    stargz(tmp_path / "layout", tmp_path)
    index = json.loads((tmp_path / "again/index.json").read_bytes())
    blobs = tmp_path / "again/blobs"
    manifest = json.loads((blobs / index["manifests"][0]["digest"].replace(":", "/")).read_bytes())
    layer = Descriptor.from_json(manifest["layers"][0])
    path = blobs / layer.digest.replace(":", "/")
    table = read_table(layer, FileRanges(str(path)))
    good = path.read_bytes()
    bad = table._replace(chunks=tuple(chunk._replace(digest=bytes(32)) for chunk in table.chunks))
    blob = FileRanges(str(path))
    with TabledLayer.of("it", bad, codec="gzip", blob=blob, diff_id=layer.digest) as tabled:
        big = tabled.lookup(b"etc/big")
        assert big is not None
        with pytest.raises(SeekIndexInvalid, match="other bytes"):
            tabled.read(big)
    place = next(chunk for chunk in table.chunks if chunk.size == CHUNK)
    for at in (place.packed_at + 12, len(good) - 200, len(good) - 30):
        path.write_bytes(good[:at] + bytes([good[at] ^ 8]) + good[at + 1 :])
        with pytest.raises(SeekIndexInvalid):
            found = read_table(layer, FileRanges(str(path)))
            with TabledLayer.of(
                "it", found, codec="gzip", blob=FileRanges(str(path)), diff_id=layer.digest
            ) as tabled:
                big = tabled.lookup(b"etc/big")
                assert big is not None
                assert tabled.read(big) == b"0" * 300_000


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
