"""Registry clients in Python, oras and python-dxf: what they write we read, what we write they read.

Each runs in a process of its own, against our hub and against distribution's registry.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme
from tests.engine.worlds import PASSWORD, make_engine
from tests.images import Piece, tar, write_layout

from lamina.engine.engine import Engine
from lamina.hub import Hub
from lamina.hub.settings import HubSettings
from lamina.remote.login import login
from lamina.spec.digest import Digest

LAYERS = [tar([Piece("etc/base", os.urandom(300_000))]), tar([Piece("etc/top", b"top" * 1000)])]

_ORAS = """
import json, sys
import oras.client
verb, address, repository, folder, user, password = sys.argv[1:]
client = oras.client.OrasClient(hostname=address, insecure=True, auth_backend="token")
if user:
    client.auth.set_basic_auth(user, password)
target = f"{address}/{repository}:v1"
if verb == "push":
    files = [f"{folder}/note.txt:text/plain"]
    client.push(target, files=files, disable_path_validation=True, quiet=True)
elif verb == "chart":
    files = [f"{folder}/web-0.1.0.tgz:application/vnd.cncf.helm.chart.content.v1.tar+gzip"]
    config = f"{folder}/config.json:application/vnd.cncf.helm.config.v1+json"
    client.push(target, files=files, manifest_config=config, disable_path_validation=True, quiet=True)
else:
    print(json.dumps(client.pull(target, outdir=folder, allowed_media_type=[])))
"""
_DXF = """
import sys
import dxf
verb, address, repository, folder, user, password = sys.argv[1:]
authority = f"{folder}/authority.pem" if user else True
def login(client, response):
    client.authenticate(user, password, response=response)
client = dxf.DXF(address, repository, login if user else None, insecure=not user, tlsverify=authority)
if verb == "push":
    client.set_alias("v1", client.push_blob(f"{folder}/note.txt"))
elif verb == "copy":
    manifest = client.get_manifest("v1")
    client.set_manifest("again", manifest)
else:
    for digest in client.get_alias("v1"):
        with open(f"{folder}/{digest[7:]}", "wb") as file:
            for piece in client.pull_blob(digest):
                file.write(piece)
"""


@dataclass(frozen=True)
class Place:
    """A registry, an engine that may push there, and who the Python client says it is."""

    address: str
    engine: Engine
    user: str = ""


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def tls_hub(tmp_path_factory: pytest.TempPathFactory, authority: trustme.CA) -> Iterator[Hub]:
    """A hub behind TLS: python-dxf gives no password without."""
    folder = tmp_path_factory.mktemp("tls-hub")
    issued = authority.issue_cert("127.0.0.1")
    issued.cert_chain_pems[0].write_to_path(folder / "cert.pem")
    issued.private_key_pem.write_to_path(folder / "key.pem")
    settings = HubSettings(
        root=str(folder / "data"), host="127.0.0.1", port=0, shutdown_s=2.0,
        certificate=str(folder / "cert.pem"), key=str(folder / "key.pem"),
    )  # fmt: skip
    with Hub(settings=settings) as hub:
        hub.register("alice", PASSWORD)
        yield hub


@pytest.fixture(params=["hub", "distribution"])
def place(request: pytest.FixtureRequest, tmp_path: Path, authority: trustme.CA) -> Iterator[Place]:
    """Each registry in turn; TLS for those who need it."""
    with make_engine(tmp_path / "ours") as engine:
        yield _place(request, tmp_path, authority, engine)


def _place(
    request: pytest.FixtureRequest, tmp_path: Path, authority: trustme.CA, engine: Engine
) -> Place:
    if request.param == "distribution":
        return Place(request.getfixturevalue("registry").address, engine)
    hub: Hub = request.getfixturevalue("tls_hub" if "dxf" in request.node.name else "hub")
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    if hub.settings.certificate:
        certs = Path(engine.settings.docker_config, "certs.d", hub.address)
        certs.mkdir(parents=True)
        authority.cert_pem.write_to_path(certs / "ca.crt")
    login(engine.client, hub.address, "alice", PASSWORD)
    return Place(hub.address, engine, "alice")


def run(script: str, place: Place, verb: str, repository: str, folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script, verb, place.address, repository, str(folder), place.user,
         PASSWORD if place.user else ""],
        capture_output=True, check=False, text=True, timeout=120, cwd=folder,
        env={**os.environ, "HOME": str(folder), "DOCKER_CONFIG": str(folder)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_oras_reads_what_we_copy_and_we_copy_what_oras_writes(place: Place, tmp_path: Path):
    (tmp_path / "note.txt").write_text("a note")
    run(_ORAS, place, "push", "alice/oras", tmp_path)
    digest = place.engine.images.copy(
        f"docker://{place.address}/alice/oras:v1", f"oci:{tmp_path}/copied:v1"
    )
    place.engine.images.copy(
        f"oci:{tmp_path}/copied:v1", f"docker://{place.address}/alice/oras-again:v1"
    )
    assert place.engine.images.manifest(f"{place.address}/alice/oras-again:v1")[0].digest == digest
    out = tmp_path / "out"
    out.mkdir()
    run(_ORAS, place, "pull", "alice/oras-again", out)
    assert (out / "note.txt").read_text() == "a note"


@pytest.mark.parametrize("place", ["hub"], indirect=True)
def test_a_chart_as_helm_keeps_it_goes_there_and_back(place: Place, tmp_path: Path):
    (tmp_path / "web-0.1.0.tgz").write_bytes(b"a chart")
    (tmp_path / "config.json").write_text('{"name": "web", "version": "0.1.0", "apiVersion": "v2"}')
    run(_ORAS, place, "chart", "alice/charts/web", tmp_path)
    manifest = json.loads(place.engine.images.manifest(f"{place.address}/alice/charts/web:v1")[1])
    assert manifest["config"]["mediaType"] == "application/vnd.cncf.helm.config.v1+json"
    out = tmp_path / "out"
    out.mkdir()
    run(_ORAS, place, "pull", "alice/charts/web", out)
    assert (out / "web-0.1.0.tgz").read_bytes() == b"a chart"


def test_dxf_reads_what_we_push_and_we_read_what_dxf_writes(place: Place, tmp_path: Path):
    digest = write_layout(tmp_path / "layout", LAYERS, tag="v1")
    name = f"{place.address}/alice/dxf"
    place.engine.images.copy(f"oci:{tmp_path}/layout:v1", f"docker://{name}:v1")
    run(_DXF, place, "pull", "alice/dxf", tmp_path)
    manifest = json.loads(place.engine.images.manifest(f"{name}:v1")[1])
    for layer in manifest["layers"]:
        assert Digest.of((tmp_path / layer["digest"][7:]).read_bytes()) == layer["digest"]
    run(_DXF, place, "copy", "alice/dxf", tmp_path)
    assert place.engine.images.manifest(f"{name}:again")[0].digest == digest

    (tmp_path / "note.txt").write_text("a note")
    run(_DXF, place, "push", "alice/dxf-blob", tmp_path)
    written = f"docker://{place.address}/alice/dxf-blob:v1"
    place.engine.images.copy(written, f"oci:{tmp_path}/written:v1")
    note = Digest.of(b"a note")
    assert (tmp_path / "written/blobs/sha256" / note.hex).read_bytes() == b"a note"
