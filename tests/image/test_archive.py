"""Reading image archives: members, links, and what lies about itself."""

import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.images import Piece, tar

from lamina.errors import Invalid, NotFound
from lamina.image.archive import Archive, ArchiveSource, MemberMissing
from lamina.spec.descriptor import Descriptor, MediaType
from lamina.spec.digest import Digest
from lamina.spec.wire import encode
from lamina.stream.verify import DigestMismatch, chunks


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Callable[[Sequence[Piece]], Archive]]:
    with ExitStack() as files:

        def make(pieces: Sequence[Piece]) -> Archive:
            path = tmp_path / "archive.tar"
            path.write_bytes(tar(pieces))
            return Archive(files.enter_context(path.open("rb")))

        yield make


def test_members_are_read_by_position_and_through_links(archive):
    found = archive(
        [
            Piece("a/one", b"0123456789"),
            Piece("b/sym", link="../a/one"),
            Piece("hard", hard="a/one"),
        ]
    )
    assert found.read("a/one") == found.read("b/sym") == found.read("hard") == b"0123456789"
    assert found.open("a/one", 4).read(3) == b"456"
    assert found.open("a/one", 10).read() == b""


@pytest.mark.parametrize("name", ["nothing", "loop", "out", "folder"])
def test_what_is_not_there_or_leads_nowhere_is_missing(archive, name):
    found = archive(
        [
            Piece("loop", link="loop"),
            Piece("out", link="../../etc/passwd"),
            Piece("folder", directory=True),
        ]
    )
    with pytest.raises(MemberMissing):
        found.read(name)


def test_damaged_manifest_is_noticed(archive):
    raw = encode({"schemaVersion": 2, "manifests": []})
    digest = Digest.of(b"other")
    found = archive([Piece(f"blobs/sha256/{digest.hex}", raw)])
    source = ArchiveSource(found, Descriptor(MediaType.OCI_INDEX, digest, len(raw)))
    with pytest.raises(DigestMismatch):
        source.manifest(None)


def test_names_come_from_annotations_and_from_dockers_list(archive):
    config = encode({"architecture": "amd64", "os": "linux", "rootfs": {"diff_ids": []}})
    wanted = Descriptor(MediaType.OCI_CONFIG, Digest.of(config), len(config))
    manifest = encode({"schemaVersion": 2, "config": wanted.to_json(), "layers": []})
    rows = []
    for annotations in (
        {"org.opencontainers.image.ref.name": "v1"},
        {"io.containerd.image.name": "x/y:v2"},
    ):
        row = Descriptor(
            MediaType.OCI_MANIFEST, Digest.of(manifest), len(manifest), annotations=annotations
        )
        rows.append(row.to_json())
    found = archive(
        [
            Piece("oci-layout", b"{}"),
            Piece("index.json", encode({"manifests": rows})),
            Piece(f"blobs/sha256/{Digest.of(manifest).hex}", manifest),
            Piece("c.json", config),
            Piece(
                "manifest.json",
                encode([{"Config": "c.json", "RepoTags": ["mysql:8"], "Layers": []}]),
            ),
        ]
    )
    (image,) = found.images()
    assert set(image.names) == {"x/y:v2", "mysql:8"}


def test_list_of_images_that_is_none_is_refused(archive):
    with pytest.raises(Invalid):
        archive([Piece("manifest.json", b'{"not": "a list"}')]).legacy_images()
    assert archive([Piece("x", b"")]).legacy_images() == ()
    assert archive([Piece("x", b"")]).images() == ()


def test_missing_member_is_a_kind_of_not_found():
    assert issubclass(MemberMissing, NotFound)


@pytest.mark.parametrize("form", [["--format=gnu"], ["--format=posix"]])
def test_members_that_tar_stored_without_their_zeros_are_whole(tmp_path: Path, form: list[str]):
    body = bytes(70_000) + b"middle" + bytes(2_000_000) + b"end" + bytes(50_000)
    with (tmp_path / "blob").open("wb") as blob:
        for at, words in ((70_000, b"middle"), (2_070_006, b"end")):
            blob.seek(at)
            blob.write(words)
        blob.truncate(len(body))
    path = tmp_path / "archive.tar"
    subprocess.run(
        ["tar", "-C", tmp_path, *form, "--sparse", "--hole-detection=raw", "-cf", path, "blob"],
        check=True,
    )
    assert path.stat().st_size < 100_000
    with path.open("rb") as file:
        archive = Archive(file)
        assert archive.read("blob") == body
        for at in (0, 1000, 69_999, 70_003, 1_000_000, 2_070_008, len(body) - 1, len(body)):
            assert b"".join(chunks(archive.open("blob", at))) == body[at:]
