"""A layer is the same however its bytes are framed: members, frames, tables of contents, padding."""

import gzip
import hashlib
import json
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.commands import Lamina
from tests.images import Piece, tar
from tests.layer.trees import facts_of_tree, sealed
from tests.servers import HubServer

from lamina.layer.sealed import SealedLayer
from lamina.layer.view import Tree
from lamina.stream.codec import compressor

PASSWORD = "correct horse battery"
OCI = "application/vnd.oci.image"


def zstd(data: bytes) -> bytes:
    machine = compressor("zstd")
    return machine.compress(data) + machine.flush()


def skippable(body: bytes) -> bytes:
    return b"\x5a\x2a\x4d\x18" + struct.pack("<I", len(body)) + body


def cut(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


def members(data: bytes) -> bytes:
    return b"".join(gzip.compress(piece, mtime=0) for piece in cut(data, 1000))


def estargz(data: bytes) -> bytes:
    """A member for each piece, one with the table of contents, and an empty one that says where it is."""
    toc = json.dumps({"version": 1, "entries": []}).encode()  # noqa: TID251 - another tool's document
    entry = tar([Piece("stargz.index.json", toc)])
    plain = data.rstrip(b"\0")
    plain += bytes(-len(plain) % 512)
    body = b"".join(gzip.compress(piece, mtime=0) for piece in cut(plain, 512 * 3))
    extra = b"SG" + struct.pack("<H", 22) + b"%016xSTARGZ" % len(body)
    empty = b"\x01\x00\x00\xff\xff" + bytes(8)
    footer = (
        b"\x1f\x8b\x08\x04" + bytes(4) + b"\0\xff" + struct.pack("<H", len(extra)) + extra + empty
    )
    return body + gzip.compress(entry, mtime=0) + footer


def chunked(data: bytes) -> bytes:
    """A frame for each piece, and two frames to be skipped: the manifest and where it is."""
    frames = b"".join(zstd(piece) for piece in cut(data, 2000))
    manifest = zstd(b'{"version":1,"entries":[]}')
    return frames + skippable(manifest) + skippable(struct.pack("<5Q", 0, 0, 0, 0, 1) + b"GNUlInUx")


def pigz(data: bytes) -> bytes:
    return subprocess.run(
        ["pigz", "-b128", "-p2"], input=data, check=True, capture_output=True
    ).stdout


FRAMINGS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "plain": ("", bytes),
    "gzip": ("+gzip", lambda data: gzip.compress(data, 9)),
    "members": ("+gzip", members),
    "pigz": ("+gzip", pigz),
    "zeros": ("+gzip", lambda data: gzip.compress(data) + bytes(700)),
    "estargz": ("+gzip", estargz),
    "zstd": ("+zstd", zstd),
    "frames": ("+zstd", lambda data: b"".join(zstd(piece) for piece in cut(data, 999))),
    "skipped": ("+zstd", lambda data: skippable(b"x") + zstd(data) + skippable(b"")),
    "chunked": ("+zstd", chunked),
}


def write_image(folder: Path, name: str, data: bytes) -> str:
    """Write an image of one layer, framed so, as a layout; give the layer's diff ID."""
    suffix, frame = FRAMINGS[name]
    blob = frame(data)
    plain = unframed(suffix, blob)
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True)

    def put(body: bytes, media_type: str) -> dict[str, object]:
        digest = hashlib.sha256(body).hexdigest()
        (blobs / digest).write_bytes(body)
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(body)}

    def document(value: object) -> bytes:
        return json.dumps(value).encode()  # noqa: TID251 - another tool's document

    diff_id = hashlib.sha256(plain).hexdigest()
    config = {"architecture": "amd64", "os": "linux",
              "rootfs": {"type": "layers", "diff_ids": [f"sha256:{diff_id}"]}}  # fmt: skip
    manifest = {
        "schemaVersion": 2, "mediaType": f"{OCI}.manifest.v1+json",
        "config": put(document(config), f"{OCI}.config.v1+json"),
        "layers": [put(blob, f"{OCI}.layer.v1.tar{suffix}")],
    }  # fmt: skip
    target = put(document(manifest), f"{OCI}.manifest.v1+json")
    target["annotations"] = {"org.opencontainers.image.ref.name": "v1"}
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    (folder / "index.json").write_bytes(document({"schemaVersion": 2, "manifests": [target]}))
    return diff_id


def unframed(suffix: str, blob: bytes) -> bytes:
    """What other people's programs make of it."""
    program = {"+gzip": ["gzip", "-dc"], "+zstd": ["zstd", "-dc"], "": ["cat"]}[suffix]
    return subprocess.run(program, input=blob, check=True, capture_output=True).stdout


def test_every_framing_pulled_through_the_hub_gives_the_same_tree(
    tmp_path: Path, lamina: Lamina, hub: HubServer
):
    hub.register("frida", PASSWORD)
    for name in FRAMINGS:
        body = [
            Piece("d/", directory=True),
            Piece("d/f", name.encode() * 3000),
            Piece("l", link="d/f"),
        ]
        data = tar(body)
        diff_id = write_image(tmp_path / name, name, data)
        target = f"{hub.address}/frida/{name}:v1"
        subprocess.run(
            ["skopeo", "--insecure-policy", "copy", "-q", "--preserve-digests",
             "--dest-tls-verify=false", f"--dest-creds=frida:{PASSWORD}",
             f"oci:{tmp_path / name}:v1", f"docker://{target}"],
            check=True, capture_output=True,
        )  # fmt: skip
        lamina("pull", "--platform", "linux/amd64", target)
        path = Path(lamina.settings.root, "layers", "sha256", diff_id)
        with (
            SealedLayer.open(str(path)) as pulled,
            sealed(tmp_path / f"{name}.layer", data) as plain,
        ):
            pulled.verify()
            wanted = facts_of_tree(Tree.of([plain]))
            found = facts_of_tree(Tree.of([pulled]))
            found.pop(b"stargz.index.json", None)
            assert found == wanted, name


@pytest.mark.parametrize("name", ["members", "chunked", "frames"])
def test_a_framing_cut_short_or_followed_by_rubbish_is_corrupt(
    tmp_path: Path, lamina: Lamina, name: str
):
    data = tar([Piece("f", b"f" * 5000)])
    folder = tmp_path / "layout"
    write_image(folder, name, data)
    layer = next(
        path
        for path in (folder / "blobs/sha256").iterdir()
        if not path.read_bytes().startswith(b"{")
    )
    good = layer.read_bytes()
    for bad in (good[:-5], good + b"rubbish", good[:100] + bytes([good[100] ^ 1]) + good[101:]):
        layer.write_bytes(bad)
        archive = tmp_path / "archive.tar"
        subprocess.run(["tar", "-C", folder, "-cf", archive, "."], check=True)
        outcome = lamina.attempt("load", "-i", str(archive))
        assert outcome.code == 1
        assert "Traceback" not in outcome.err
        assert lamina("images", "-aq") == ""
