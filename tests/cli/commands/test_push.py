"""`lamina push` tells each layer's way, then the digest."""

import re

from tests.archives import archive
from tests.commands import Lamina
from tests.images import Piece, tar
from tests.servers import RegistryServer

from lamina.spec.wire import decode


def test_layers_are_pushed_and_then_known(lamina: Lamina, registry: RegistryServer):
    name = f"{registry.address}/alice/db"
    lamina("load", stdin=archive(f"{name}:v2"))
    lines = lamina("push", f"{name}:v2").splitlines()
    assert lines[0] == f"The push refers to repository [{name}]"
    assert [line.partition(": ")[2] for line in lines[1:3]] == ["Preparing", "Preparing"]
    assert sorted(line.partition(": ")[2] for line in lines[3:5]) == ["Pushed", "Pushed"]
    assert re.fullmatch(r"v2: digest: sha256:[0-9a-f]{64} size: \d+", lines[-1])
    again = lamina("push", f"{name}:v2").splitlines()
    assert again[-1] == lines[-1]
    assert again[3].endswith(": Layer already exists")


def test_another_repository_of_the_registry_mounts_what_it_has(
    lamina: Lamina, registry: RegistryServer
):
    lamina("load", stdin=archive(f"{registry.address}/alice/first:1"))
    lamina("push", f"{registry.address}/alice/first:1")
    lamina("tag", f"{registry.address}/alice/first:1", f"{registry.address}/bob/second:1")
    text = lamina("push", f"{registry.address}/bob/second:1")
    assert ": Mounted from alice/" in text


def test_a_missing_tag_is_completed_and_said_and_quiet_says_the_name_alone(
    lamina: Lamina, registry: RegistryServer
):
    name = f"{registry.address}/alice/tagless"
    lamina("load", stdin=archive(f"{name}:latest"))
    assert lamina("push", name).splitlines()[0] == "Using default tag: latest"
    assert lamina("push", "-q", name) == f"{name}:latest\n"


def test_all_tags_go_with_all_tags_and_not_with_one(lamina: Lamina, registry: RegistryServer):
    name = f"{registry.address}/alice/many"
    lamina("load", stdin=archive(f"{name}:1", f"{name}:2"))
    text = lamina("push", "-a", name)
    assert "\n1: digest: sha256:" in text
    assert "\n2: digest: sha256:" in text
    outcome = lamina.attempt("push", "-a", f"{name}:1")
    assert outcome.err == "lamina: tag can't be used with --all-tags/-a\n"


def test_what_is_not_here_cannot_be_pushed(lamina: Lamina, registry: RegistryServer):
    outcome = lamina.attempt("push", f"{registry.address}/alice/nosuch:1")
    assert outcome.code == 1
    assert "An image does not exist locally with the tag: " in outcome.err


def test_layers_made_here_are_packed_as_podmans_flags_say(lamina: Lamina, registry: RegistryServer):
    name = f"{registry.address}/alice/packed:1"
    lamina("import", "-", name, stdin=tar([Piece("data", b"x" * 5000)]))
    plain = lamina("push", name).splitlines()[-1]
    packed = lamina("push", "--compression-format", "zstd", "--compression-level", "3", name)
    assert packed.splitlines()[-1] != plain
    shown = decode(lamina("manifest", "inspect", name), what="")
    assert shown["layers"][0]["mediaType"].endswith("+zstd")
    again = lamina("push", "--compression", "zstd", "--level", "3", name)
    assert again.splitlines()[-1] == packed.splitlines()[-1]
    assert ": Layer already exists\n" in again


def test_a_packing_that_does_not_exist_is_refused(lamina: Lamina):
    outcome = lamina.attempt("push", "--compression-format", "lzma", "some/where:1")
    assert (outcome.code, outcome.out) == (125, "")
    assert 'invalid argument "lzma" for "--compression-format" flag' in outcome.err
    outcome = lamina.attempt("push", "--force-compression", "some/where:1")
    assert "--force-compression needs --compression-format" in outcome.err
