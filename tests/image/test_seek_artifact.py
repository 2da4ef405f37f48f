"""The artifact's manifest: the same each time, and about one image only."""

import pytest

from lamina.image.seek_artifact import (
    ARTIFACT,
    HEAD,
    LAYER,
    PILE,
    SEEK_LAYER,
    artifact,
    describe,
    read_artifact,
)
from lamina.layer.seek_index_writer import Written
from lamina.layer.spans import SeekIndexInvalid
from lamina.spec.descriptor import Descriptor, MediaType
from lamina.spec.digest import Digest
from lamina.spec.manifest import Manifest
from lamina.spec.platform import Platform
from lamina.spec.wire import decode, encode
from lamina.values import replace


def blob(text: bytes, kind: str = MediaType.OCI_LAYER_GZIP) -> Descriptor:
    return Descriptor(kind, Digest.of(text), len(text))


IMAGE = Manifest.build(blob(b"config", MediaType.OCI_CONFIG), (blob(b"one"), blob(b"two")))
WRITTEN = Written(Digest.of(b"index"), 5000, Digest.of(b"head"), 321)
ROWS = [describe(WRITTEN, layer.digest, None) for layer in IMAGE.layers]


def test_what_was_written_is_read():
    made = artifact(IMAGE.descriptor, ROWS)
    first, second = read_artifact(made.raw, IMAGE)
    assert first.head == second.head == (321, bytes.fromhex(Digest.of(b"head").hex))
    assert first.descriptor.annotations[LAYER] == str(IMAGE.layers[0].digest)
    assert PILE not in first.descriptor.annotations
    assert describe(WRITTEN, IMAGE.layers[0].digest, Digest.of(b"p")).annotations[PILE]
    document = decode(made.raw)
    assert document["artifactType"] == ARTIFACT
    assert document["config"] == {
        "mediaType": MediaType.OCI_EMPTY,
        "digest": "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
        "size": 2,
    }
    assert [row["mediaType"] for row in document["layers"]] == [SEEK_LAYER] * 2


def test_the_subject_is_the_manifest_alone_whatever_a_list_says_of_it():
    listed = replace(IMAGE.descriptor, platform=Platform("linux", "arm64"), annotations={"a": "b"})
    assert artifact(listed, ROWS).raw == artifact(IMAGE.descriptor, ROWS).raw


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("artifactType",), "application/other"),
        (("subject",), None),
        (("subject", "digest"), str(Digest.of(b"other"))),
        (("layers",), []),
        (("layers", 0, "annotations"), {}),
        (("layers", 0, "annotations", LAYER), str(IMAGE.layers[1].digest)),
        (("layers", 0, "annotations", HEAD), "321"),
        (("layers", 0, "annotations", HEAD), f"{'9' * 5000} {Digest.of(b'head')}"),
        (("layers", 0, "annotations", HEAD), f"-1 {Digest.of(b'head')}"),
        (("layers", 0, "annotations", HEAD), f"\u0663 {Digest.of(b'head')}"),
        (("layers", 0, "annotations", HEAD), f"3 {Digest.of(b'head', 'sha512')}"),
        (("layers", 0, "size"), -1),
    ],
)
def test_another_images_or_a_malformed_one_is_refused(path: tuple[str | int, ...], value: object):
    document = decode(artifact(IMAGE.descriptor, ROWS).raw)
    at = document
    for key in path[:-1]:
        at = at[key]  # type: ignore[index]
    at[path[-1]] = value  # type: ignore[index]
    with pytest.raises(SeekIndexInvalid):
        read_artifact(encode(document), IMAGE)
    for raw in (b"", b"[]", b"{}", IMAGE.raw):
        with pytest.raises(SeekIndexInvalid):
            read_artifact(raw, IMAGE)
