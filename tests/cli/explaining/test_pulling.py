"""`lamina explain pull` against distribution's registry: each number that it prints is the one that is found another way."""

import gzip
import hashlib
import json
import re
from pathlib import Path

from tests.archives import archive
from tests.cli.explaining.reading import check_all, mentions, steps
from tests.commands import Lamina
from tests.images import write_index
from tests.servers import RegistryServer

from lamina.engine.engine import Engine

PASSWORD = "correct-horse-7"
PLATFORMS = ("linux/amd64", "linux/arm64", "linux/s390x")


def served(lamina: Lamina, name: str) -> None:
    """Put an image at the registry and forget it here."""
    lamina("load", stdin=archive(name))
    lamina("push", "-q", name)
    lamina("rmi", "--now", name)


def blob(lamina: Lamina, digest: str) -> bytes:
    """Read a blob, and see that its name is right."""
    raw = Path(f"{lamina.settings.root}/blobs/{digest.replace(':', '/')}").read_bytes()
    assert hashlib.sha256(raw).hexdigest() == digest.partition(":")[2]
    return raw


def test_a_pull_is_told_from_the_name_to_the_name_with_the_real_numbers(
    lamina: Lamina, registry: RegistryServer
):
    name = f"{registry.address}/ada/told:1"
    served(lamina, name)
    outcome = lamina.attempt("explain", "--width", "100", "pull", name)
    assert outcome.code == 0, outcome
    assert outcome.out.splitlines()[-1] == name
    assert outcome.out.splitlines()[0] == "1: Pulling from ada/told"
    told = outcome.err
    assert steps(told) == [
        "The name", "Asking the registry", "The manifest", "The config", "The layers", "The pile",
        "The name is given", "Check it yourself",
    ]  # fmt: skip
    [row] = json.loads(Path(f"{lamina.settings.root}/index.json").read_bytes())["manifests"][:1]
    raw = blob(lamina, row["digest"])
    manifest = json.loads(raw)
    config = json.loads(blob(lamina, manifest["config"]["digest"]))
    assert mentions(told, f"SHA-256 of the manifest's {len(raw)} bytes: {row['digest']}")
    assert f'"mediaType": "{manifest["layers"][0]["mediaType"]}"' in told
    size = manifest["config"]["size"]
    assert mentions(told, f"SHA-256 of the config's {size} bytes: {manifest['config']['digest']}")
    diff_ids = config["rootfs"]["diff_ids"]
    for number, (layer, diff_id) in enumerate(zip(manifest["layers"], diff_ids, strict=True), 1):
        assert re.search(
            rf"^ +{number}  {layer['digest'][7:19]} .* {diff_id[7:19]} .*fetched, both match$",
            told,
            re.MULTILINE,
        ), told
        tar = gzip.decompress(blob(lamina, layer["digest"]))
        assert hashlib.sha256(tar).hexdigest() == diff_id[7:]
    chain = diff_ids[0]
    for diff_id in diff_ids[1:]:
        chain = "sha256:" + hashlib.sha256(f"{chain} {diff_id}".encode()).hexdigest()
    assert f"Chain ID: {chain}" in told
    assert check_all(told) == 6


def test_a_second_pull_says_what_was_here_and_sends_no_layer(
    lamina: Lamina, registry: RegistryServer
):
    name = f"{registry.address}/ada/twice:1"
    served(lamina, name)
    lamina("pull", "-q", name)
    told = lamina.attempt("explain", "--width", "100", "pull", name).err
    assert told.count("was here already") == 2
    assert "It is here already, so it is not fetched." in told
    assert "GET" in told
    assert "/blobs/" not in re.sub(r"\$ .*|/blobs/sha256/", "", told)


def test_an_index_is_told_with_every_platform_and_the_chosen_one_marked(
    tmp_path: Path, lamina: Lamina, registry: RegistryServer
):
    folder, name = tmp_path / "layout", f"{registry.address}/several"
    write_index(folder, PLATFORMS)
    lamina("copy", "--all", f"oci:{folder}", f"docker://{name}")
    outcome = lamina.attempt("explain", "--width", "110", "pull", "--platform", "linux/s390x", name)
    assert outcome.code == 0, outcome
    assert outcome.out.splitlines()[0] == "Using default tag: latest"
    assert f"{name} is short for {name}:latest" in outcome.err
    assert steps(outcome.err)[1:4] == ["Asking the registry", "The index", "The manifest"]
    index = json.loads((folder / "index.json").read_bytes())
    top = (folder / "blobs" / index["manifests"][0]["digest"].replace(":", "/")).read_bytes()
    rows = {row["platform"]["architecture"]: row["digest"] for row in json.loads(top)["manifests"]}
    for architecture, digest in rows.items():
        mark = "> " if architecture == "s390x" else "  "
        assert f"     {mark} linux/{architecture}  " in outcome.err
        assert digest in outcome.err
    found = hashlib.sha256(top).hexdigest()
    assert mentions(outcome.err, f"SHA-256 of the index's {len(top)} bytes: sha256:{found}")
    assert "under which the index lists it" in outcome.err
    assert check_all(outcome.err) == 6


def test_every_tag_of_a_repository_is_told_one_after_the_other(
    lamina: Lamina, registry: RegistryServer
):
    name = f"{registry.address}/ada/all"
    for tag in ("1", "2"):
        served(lamina, f"{name}:{tag}")
    outcome = lamina.attempt("explain", "--brief", "pull", "--all-tags", name)
    assert outcome.code == 0, outcome
    assert steps(outcome.err).count("The manifest") == 2
    assert steps(outcome.err).count("The layers") == 2
    assert "latest" not in outcome.err


def test_a_rehearsal_asks_and_fetches_nothing(lamina: Lamina, registry: RegistryServer):
    name = f"{registry.address}/ada/rehearsed:1"
    served(lamina, name)
    outcome = lamina.attempt("explain", "pull", "--dry-run", name)
    assert outcome.code == 0, outcome
    assert steps(outcome.err) == ["The name", "What was asked"]
    assert "nothing was fetched" in outcome.err
    assert not lamina("images", "-q")


def test_bytes_that_are_others_are_told_as_such_with_the_layers_so_far(
    lamina: Lamina, registry: RegistryServer
):
    name = f"{registry.address}/spoilt:1"
    lamina("load", stdin=archive(name))
    lamina("push", "-q", name)
    with Engine(lamina.settings) as engine:
        digest = engine.images.resolve(name).manifest.layers[0].digest
    lamina("rmi", "--now", name)
    kept = registry.folder / "data/docker/registry/v2/blobs/sha256"
    path = kept / digest.hex[:2] / digest.hex / "data"
    path.write_bytes(bytes(len(path.read_bytes())))
    outcome = lamina.attempt("explain", "pull", name)
    assert outcome.code == 1
    assert steps(outcome.err)[-1] == "The layers"
    assert mentions(outcome.err, "have another digest than the manifest promised")
    assert not lamina("images", "-q")
