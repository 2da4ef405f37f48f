"""`lamina manifest inspect` shows the document at the registry, bytes and all."""

import hashlib
import json
import subprocess

from tests.archives import archive
from tests.commands import Lamina
from tests.servers import RegistryServer


def test_a_manifest_is_shown_without_being_pulled(lamina: Lamina, registry: RegistryServer):
    name = f"{registry.address}/inspect/db:v1"
    lamina("load", stdin=archive(name))
    digest = lamina("push", name).splitlines()[-1].split()[2]
    lamina("rmi", name)
    document = json.loads(lamina("manifest", "inspect", name))
    assert document["schemaVersion"] == 2
    assert len(document["layers"]) == 2
    assert lamina("manifest", "inspect", name).startswith('{\n\t"schemaVersion"')
    raw = lamina("manifest", "inspect", "--raw", name)
    assert "sha256:" + hashlib.sha256(raw.encode()).hexdigest() == digest
    full = json.loads(lamina("manifest", "inspect", "-v", name))
    assert (full["Descriptor"]["digest"], full["Manifest"]) == (digest, document)
    assert lamina("images", "-q") == ""


def test_skopeo_sees_the_same_bytes(lamina: Lamina, registry: RegistryServer):
    name = f"{registry.address}/inspect/same:v1"
    lamina("load", stdin=archive(name))
    lamina("push", name)
    seen = subprocess.run(
        ["skopeo", "inspect", "--raw", "--tls-verify=false", f"docker://{name}"],
        capture_output=True, check=True,
    )  # fmt: skip
    assert lamina("manifest", "inspect", "--raw", name).encode() == seen.stdout


def test_what_is_not_there_is_said(lamina: Lamina, registry: RegistryServer):
    outcome = lamina.attempt("manifest", "inspect", f"{registry.address}/inspect/none:v9")
    assert outcome.code == 1
    assert "none:v9" in outcome.err
