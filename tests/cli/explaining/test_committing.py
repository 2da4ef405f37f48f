"""`lamina explain commit`: what it says of the layer is what tar, gzip and sha256 say of the files."""

import gzip
import hashlib
import io
import json
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.explaining.reading import check_all, mentions, steps
from tests.commands import Lamina
from tests.containers import world


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lamina]:
    with world(tmp_path_factory.mktemp("commit")) as lamina:
        change = "echo hi > /hi; rm /bin/ls; mkdir /new; chmod 700 /etc; ln -s /hi /link"
        lamina("run", "--name", "lesson", "--network", "none", "tiny", "sh", "-c", change)
        yield lamina


def test_a_commit_is_told_from_the_upper_directory_to_the_name(here: Lamina):
    outcome = here.attempt("explain", "--width", "100", "commit", "-q", "lesson", "mine:1")
    assert outcome.code == 0, outcome
    told = outcome.err
    assert steps(told) == [
        "The container layer", "The layer", "The config", "The manifest", "The name", "Check it yourself",
    ]  # fmt: skip
    image_id = outcome.out.strip()
    root = Path(here.settings.root) / "blobs" / "sha256"
    raw = (root / image_id[7:]).read_bytes()
    assert hashlib.sha256(raw).hexdigest() == image_id[7:]
    assert f"Image ID now: {image_id}" in told
    before = here("inspect", "--format", "{{.Id}}", "tiny").strip()
    assert f"Image ID before: {before}" in told
    config = json.loads(raw)
    names = json.loads((Path(here.settings.root) / "index.json").read_bytes())["manifests"]
    row = next(each for each in names if "docker.io/library/mine:1" in each["annotations"].values())
    assert mentions(told, f"docker.io/library/mine:1 stands for: {row['digest']}")
    layer = json.loads((root / row["digest"][7:]).read_bytes())["layers"][-1]
    blob = (root / layer["digest"][7:]).read_bytes()
    tar = gzip.decompress(blob)
    assert mentions(told, f"Layer digest of the blob, {len(blob)}B: {layer['digest']}")
    assert config["rootfs"]["diff_ids"][-1] == "sha256:" + hashlib.sha256(tar).hexdigest()
    assert mentions(told, f": {config['rootfs']['diff_ids'][-1]}")
    the_layer = told.partition("2  The layer")[2].partition("3  The config")[0]
    with tarfile.open(fileobj=io.BytesIO(tar)) as opened:  # noqa: TID251 - not ours on purpose
        for member in opened:
            assert re.search(rf"^     {re.escape(member.name)} ", the_layer, re.MULTILINE), (
                member.name
            )
    assert "removes /bin/ls" in the_layer
    assert check_all(told) == 4


@pytest.mark.root
def test_the_upper_directory_is_shown_as_overlayfs_keeps_it(here: Lamina):
    told = here.attempt("explain", "commit", "-q", "lesson").err
    first = told.partition("2  The layer")[0]
    assert re.search(r"/bin/ls +a whiteout: a character device 0/0", first)
    assert re.search(r"/hi +file 0644, 3B", first)
    assert re.search(r"/link +symlink", first)
    assert re.search(r"/new +directory 0755; opaque", first)
    assert re.search(r"/etc/hosts +made by the runtime", first)
    active = f"{here.settings.root}/snapshots/active/"
    ident = here("inspect", "--format", "{{.Id}}", "lesson").strip()
    assert mentions(first, f"upper {active}{ident}/upper")
    assert "No name was asked for" in told


def test_a_commit_of_nothing_and_one_that_squashes_are_told_as_such(here: Lamina):
    here("create", "--name", "idle", "tiny", "true")
    told = here.attempt("explain", "commit", "-q", "idle", "idle:1").err
    assert mentions(told, "Nothing had changed, so no layer is added")
    whole = here.attempt("explain", "--brief", "commit", "-q", "--squash", "lesson", "flat:1").err
    [row] = re.findall(r"Layer digest of the blob[^:]*:\s+(sha256:\w+)", whole)
    assert row == here("inspect", "--format", "{{json .RootFS}}", "flat:1") or row.startswith(
        "sha256:"
    )
    assert "Check it yourself" not in whole
    here("rm", "idle")


def test_a_container_that_is_not_there_is_the_commands_own_error(here: Lamina):
    outcome = here.attempt("explain", "commit", "nobody", "x:1")
    plain = here.attempt("commit", "nobody", "x:1")
    assert outcome.code == plain.code == 1
    assert plain.err.strip() in outcome.err
    assert mentions(outcome.err, "No container here has that name or ID")


def test_what_a_strict_commit_refuses_is_told(here: Lamina):
    key = "-----BEGIN OPENSSH PRIVATE KEY-----"
    here("run", "--name", "leaky", "--network", "none", "tiny", "sh", "-c",
         f"mkdir -p /srv/.ssh; echo '{key}' > /srv/.ssh/id_ed25519")  # fmt: skip
    outcome = here.attempt("explain", "commit", "--strict", "leaky", "x:1")
    assert outcome.code == here.attempt("commit", "--strict", "leaky", "x:1").code != 0
    assert mentions(outcome.err, "With --strict nothing is committed")
