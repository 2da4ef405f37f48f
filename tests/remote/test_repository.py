"""One repository against distribution's registry, and against servers that misbehave."""

import io
import os
from pathlib import Path

import pytest
from tests.remote.crooked import CrookedServer, Exchange
from tests.servers import RegistryServer

from lamina.remote.client import Client
from lamina.remote.errors import (
    BlobUnknown,
    ManifestUnknown,
    RegistryFailed,
    RepositoryUnknown,
    RequestRefused,
    ResponseInvalid,
)
from lamina.remote.repository import ACCEPT, Repository
from lamina.remote.uploads import UploadResult
from lamina.spec.descriptor import Descriptor, MediaType
from lamina.spec.digest import Digest
from lamina.spec.manifest import Manifest
from lamina.spec.reference import Reference
from lamina.spec.wire import encode
from lamina.stream.verify import DigestMismatch, VerifyingReader, chunks


def descriptor_of(data: bytes, media_type: str = MediaType.OCI_LAYER) -> Descriptor:
    return Descriptor(media_type, Digest.of(data), len(data))


def push(repository: Repository, *layers: bytes) -> Manifest:
    """Push an artifact-like image of these layers; give its manifest."""
    config = b"{}"
    for data in (config, *layers):
        repository.upload(descriptor_of(data), lambda data=data: io.BytesIO(data))  # type: ignore[misc]
    return Manifest.build(
        descriptor_of(config, MediaType.OCI_CONFIG), tuple(descriptor_of(each) for each in layers)
    )


def fetch(repository: Repository, descriptor: Descriptor, offset: int = 0) -> bytes:
    with repository.blob(descriptor, offset) as stream:
        return b"".join(chunks(stream))


def test_what_was_pushed_is_pulled_byte_for_byte(
    client: Client, open_registry: RegistryServer
) -> None:
    repository = Repository(client, open_registry.address, "team/app")
    layer = os.urandom(3_000_000)
    manifest = push(repository, layer)
    assert repository.put_manifest("v1", manifest.raw, manifest.media_type) == manifest.digest
    reference = Reference.parse(f"{open_registry.address}/team/app:v1")
    assert repository.resolve(reference) == manifest.descriptor
    assert repository.manifest("v1") == (manifest.descriptor, manifest.raw)
    assert repository.manifest(manifest.digest) == (manifest.descriptor, manifest.raw)
    assert repository.resolve(reference.with_digest(manifest.digest)) == manifest.descriptor
    wanted = manifest.layers[0]
    with repository.blob(wanted) as stream:
        assert b"".join(chunks(VerifyingReader(stream, wanted.digest, wanted.size))) == layer
    assert fetch(repository, wanted, 2_999_990) == layer[2_999_990:]
    assert fetch(repository, wanted, 3_000_000) == b""
    assert repository.tags() == ("v1",)


def test_a_blob_that_is_there_is_not_sent_again(
    client: Client, open_registry: RegistryServer
) -> None:
    repository = Repository(client, open_registry.address, "team/twice")
    data = os.urandom(100_000)
    first = repository.upload(descriptor_of(data), lambda: io.BytesIO(data))
    assert first.result is UploadResult.UPLOADED
    assert repository.has_blob(Digest.of(data))
    assert not repository.has_blob(Digest.of(b"something else"))

    def refuse() -> io.BytesIO:
        raise AssertionError("the body was opened")

    assert repository.upload(descriptor_of(data), refuse).result is UploadResult.EXISTS


def test_a_blob_of_another_repository_is_mounted(
    client: Client, open_registry: RegistryServer
) -> None:
    data = os.urandom(100_000)
    source = Repository(client, open_registry.address, "team/source")
    source.upload(descriptor_of(data), lambda: io.BytesIO(data))
    target = Repository(client, open_registry.address, "other/target")
    outcome = target.upload(
        descriptor_of(data), lambda: io.BytesIO(data), mount_from=("no/such", "team/source")
    )
    assert (outcome.result, outcome.mounted_from) == (UploadResult.MOUNTED, "team/source")
    assert fetch(target, descriptor_of(data)) == data


def test_the_empty_blob_travels_too(client: Client, open_registry: RegistryServer) -> None:
    repository = Repository(client, open_registry.address, "team/empty")
    repository.upload(descriptor_of(b""), lambda: io.BytesIO(b""))
    assert fetch(repository, descriptor_of(b"")) == b""


def test_deleted_things_are_gone(client: Client, open_registry: RegistryServer) -> None:
    repository = Repository(client, open_registry.address, "team/deleted")
    manifest = push(repository, b"a layer")
    repository.put_manifest("v1", manifest.raw, manifest.media_type)
    repository.delete_manifest(manifest.digest)
    with pytest.raises(ManifestUnknown):
        repository.manifest("v1")
    repository.delete_blob(manifest.layers[0].digest)
    with pytest.raises(BlobUnknown):
        repository.blob(manifest.layers[0])


def test_missing_tags_and_blobs_are_named_in_dockers_words(
    client: Client, open_registry: RegistryServer
) -> None:
    repository = Repository(client, open_registry.address, "team/nothing")
    name = f"{open_registry.address}/team/nothing"
    with pytest.raises(ManifestUnknown) as caught:
        repository.resolve(Reference.parse(f"{name}:v9"))
    assert (
        str(caught.value) == f"manifest for {name}:v9 not found: manifest unknown: manifest unknown"
    )
    with pytest.raises(RepositoryUnknown, match="not found: name unknown"):
        repository.tags()
    with pytest.raises(BlobUnknown, match=r"sha256:.* not found in .*/team/nothing"):
        repository.blob(descriptor_of(b"nobody has this"))


def test_a_manifest_whose_blobs_are_missing_is_refused(
    client: Client, open_registry: RegistryServer
) -> None:
    repository = Repository(client, open_registry.address, "team/holes")
    manifest = Manifest.build(descriptor_of(b"{}"), (descriptor_of(b"never pushed"),))
    with pytest.raises((RequestRefused, ManifestUnknown, BlobUnknown), match="blob unknown"):
        repository.put_manifest("v1", manifest.raw, manifest.media_type)


MANIFEST = Manifest.build(descriptor_of(b"{}", MediaType.OCI_CONFIG), (descriptor_of(b"layer"),))


def manifest_server(**changes: str) -> CrookedServer:
    """A server with one manifest, whose headers a test changes or (empty) takes away."""

    def answer(exchange: Exchange) -> None:
        headers = {
            "Content-Type": MANIFEST.media_type,
            "Docker-Content-Digest": str(MANIFEST.digest),
            **{name.replace("_", "-"): value for name, value in changes.items()},
        }
        exchange.reply(200, MANIFEST.raw, {k: v for k, v in headers.items() if v})

    return CrookedServer(answer)


def test_all_manifest_types_are_asked_for_in_one_header(client: Client) -> None:
    with manifest_server() as server:
        Repository(client, server.address, "a/b").manifest("v1")
        assert server.asked("GET", "/manifests/v1")[-1].headers["accept"] == ACCEPT
    assert ACCEPT.count(",") == 3


def test_without_a_digest_header_the_content_is_hashed(client: Client) -> None:
    with manifest_server(Docker_Content_Digest="") as server:
        repository = Repository(client, server.address, "a/b")
        found = repository.resolve(Reference.parse(f"{server.address}/a/b:v1"))
        assert found == MANIFEST.descriptor


def test_a_digest_header_that_lies_is_found_out(client: Client) -> None:
    lying = manifest_server(Docker_Content_Digest=str(Digest.of(b"lie")))
    with lying as server, pytest.raises(DigestMismatch, match="expected sha256"):
        Repository(client, server.address, "a/b").manifest("v1")


def test_a_manifest_that_is_not_the_one_asked_for_is_refused(client: Client) -> None:
    with manifest_server() as server, pytest.raises(DigestMismatch):
        Repository(client, server.address, "a/b").manifest(Digest.of(b"another"))


def test_a_vague_content_type_is_replaced_by_the_documents_own(client: Client) -> None:
    with manifest_server(Content_Type="text/plain; charset=utf-8") as server:
        repository = Repository(client, server.address, "a/b")
        assert (
            repository.resolve(Reference.parse(f"{server.address}/a/b:v1")) == MANIFEST.descriptor
        )


@pytest.mark.parametrize("status", [400, 404, 405, 501])
def test_a_registry_without_head_is_asked_with_get(client: Client, status: int) -> None:
    def answer(exchange: Exchange) -> None:
        if exchange.method == "HEAD":
            exchange.reply(status)
        else:
            exchange.reply(200, MANIFEST.raw, {"Content-Type": MANIFEST.media_type})

    with CrookedServer(answer) as server:
        repository = Repository(client, server.address, "a/b")
        assert (
            repository.resolve(Reference.parse(f"{server.address}/a/b:v1")) == MANIFEST.descriptor
        )


def test_a_manifest_beyond_four_mebibytes_is_not_read(client: Client) -> None:
    huge = b" " * (4 * 1024 * 1024 + 1)
    with (
        CrookedServer(lambda exchange: exchange.reply(200, huge)) as server,
        pytest.raises(ResponseInvalid, match="larger than 4194304 bytes"),
    ):
        Repository(client, server.address, "a/b").manifest("v1")


def test_tags_follow_relative_links_and_stop_at_a_loop(client: Client) -> None:
    def answer(exchange: Exchange) -> None:
        last = exchange.query.get("last", ["0"])[0]
        following = {"0": "1", "1": "2", "2": "1"}[last]
        link = f'</v2/a/b/tags/list?n=1&last={following}>; rel="next"'
        exchange.reply(200, b'{"name": "a/b", "tags": ["t%s"]}' % last.encode(), {"Link": link})

    with CrookedServer(answer) as server:
        assert Repository(client, server.address, "a/b").tags() == ("t0", "t1", "t2")


def test_no_tags_at_all_is_an_empty_list(client: Client) -> None:
    with CrookedServer(lambda each: each.reply(200, b'{"name": "a/b", "tags": null}')) as server:
        assert Repository(client, server.address, "a/b").tags() == ()


def test_a_web_site_is_not_taken_for_a_registry(client: Client) -> None:
    page = b"<!DOCTYPE html><title>Hello</title>"

    def answer(exchange: Exchange) -> None:
        exchange.reply(
            404 if "manifests" in exchange.path else 200, page, {"Content-Type": "text/html"}
        )

    with CrookedServer(answer) as server:
        repository = Repository(client, server.address, "a/b")
        with pytest.raises(
            ManifestUnknown, match=r"404 Not Found \(a web page: is .* a registry\?\)"
        ):
            repository.manifest("v1")
        with pytest.raises(ResponseInvalid, match="a registry"):
            repository.tags()


def test_referrers_come_from_the_api_and_else_from_the_tag(client: Client) -> None:
    row = {**MANIFEST.descriptor.to_json(), "artifactType": "application/sbom"}
    index = encode({"schemaVersion": 2, "mediaType": MediaType.OCI_INDEX, "manifests": [row]})
    apis = [True]

    def answer(exchange: Exchange) -> None:
        if "/referrers/" in exchange.path and not apis[0]:
            exchange.reply(404, b"page not found")
        elif "/manifests/sha256-" in exchange.path or "/referrers/" in exchange.path:
            exchange.reply(200, index, {"Content-Type": MediaType.OCI_INDEX})
        else:
            exchange.reply(404)

    with CrookedServer(answer) as server:
        repository = Repository(client, server.address, "a/b")
        for apis[0] in (True, False):
            (found,) = repository.referrers(Digest.of(b"subject"))
            assert (found.digest, found.artifact_type) == (MANIFEST.digest, "application/sbom")
            assert repository.referrers(Digest.of(b"subject"), artifact_type="other/type") == ()


def test_an_error_of_the_registry_says_method_address_and_status(client: Client) -> None:
    with CrookedServer(lambda each: each.reply(500, b"out of order")) as server:
        with pytest.raises(RegistryFailed) as caught:
            Repository(client, server.address, "a/b").manifest("v1")
        assert str(caught.value) == (
            f"GET http://{server.address}/v2/a/b/manifests/v1: 500 Internal Server Error: out of order"
        )


def test_a_reference_leads_to_its_repository(client: Client, tmp_path: Path) -> None:
    repository = Repository.of(client, Reference.parse("debian:12"))
    assert (repository.registry, repository.repository) == ("docker.io", "library/debian")
    assert repository.name == "debian"
