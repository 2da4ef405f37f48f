"""Other people's clients, set up to pull through a cache of Debian's docker-registry."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator

import pytest
from tests.hub.clients import PASSWORD
from tests.images import Piece, tar, write_layout

from lamina.hub import Hub
from lamina.hub.access import Caller
from lamina.remote.client import Client
from lamina.remote.repository import Repository
from lamina.settings import Settings

ORIGIN = "origin.example"  # which no name server knows: what comes, came through the hub
CHIEF = Caller("chief", is_admin=True)


@pytest.fixture(scope="module")
def hub(tmp_path_factory) -> Iterator[Hub]:
    with Hub(root=str(tmp_path_factory.mktemp("hub"))) as hub:
        hub.register("chief", PASSWORD)
        yield hub


@pytest.fixture(scope="module")
def cache(hub, registry, tmp_path_factory) -> str:
    """What stands for the registry, with an image there; give the cache's place."""
    folder = tmp_path_factory.mktemp("layout")
    layers = [tar([Piece("etc/", directory=True), Piece("etc/base", os.urandom(300_000))])]
    write_layout(folder, layers, tag="v1")
    there = f"docker://{registry.address}/team/app:v1"
    words = ("skopeo", "copy", "-q", "--dest-tls-verify=false", f"oci:{folder}:v1", there)
    subprocess.run(words, check=True, timeout=120)
    hub.services.caches.create(CHIEF, "up", registry.address)
    return f"{hub.address}/up"


@pytest.fixture
def run(tmp_path, cache):
    """Run a client whose registries.conf names the cache as the origin's mirror."""
    conf = tmp_path / ".config" / "containers" / "registries.conf"
    conf.parent.mkdir(parents=True)
    conf.write_text(
        f'[[registry]]\nprefix = "{ORIGIN}"\nlocation = "{ORIGIN}"\n'
        f'[[registry.mirror]]\nlocation = "{cache}"\ninsecure = true\n'
    )
    (tmp_path / "auth.json").write_text("{}")  # podman wants it to be there
    environ = {
        **os.environ,
        "HOME": str(tmp_path),
        "DOCKER_CONFIG": str(tmp_path / "docker"),
        "REGISTRY_AUTH_FILE": str(tmp_path / "auth.json"),
        "CONTAINERS_REGISTRIES_CONF": str(conf),
        "XDG_RUNTIME_DIR": str(tmp_path),
    }

    def call(*words: str) -> str:
        done = subprocess.run(
            words, env=environ, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done
        return done.stdout + done.stderr

    return call


def test_skopeo_copies_through_the_cache(run, tmp_path):
    run("skopeo", "copy", f"docker://{ORIGIN}/team/app:v1", f"oci:{tmp_path}/got:v1")
    assert len(os.listdir(tmp_path / "got" / "blobs" / "sha256")) == 3


@pytest.mark.root
def test_podman_pulls_through_the_cache(run):
    # A short name: podman takes no run root of more than 50 characters.
    with tempfile.TemporaryDirectory(prefix="p-") as folder:
        podman = (
            "podman", "--root", f"{folder}/store", "--runroot", f"{folder}/run",
            "--storage-driver", "vfs", "--cgroup-manager", "cgroupfs",
        )  # fmt: skip
        run(*podman, "pull", "-q", f"{ORIGIN}/team/app:v1")
        assert f"{ORIGIN}/team/app" in run(*podman, "images")
        run(*podman, "rmi", "-a", "-f")
        shutil.rmtree(f"{folder}/store", ignore_errors=True)


def test_lamina_pulls_through_the_cache(cache, tmp_path):
    rules = tmp_path / "registries.toml"
    rules.write_text(f'[registry."{ORIGIN}"]\nmirrors = ["http://{cache}"]\n')
    environ = {"LAMINA_REGISTRIES": str(rules), "HOME": str(tmp_path)}
    settings = Settings(
        root=str(tmp_path), run_root=str(tmp_path / "run"), docker_config=str(tmp_path)
    )
    with Client(settings, environ=environ) as client:
        descriptor, raw = Repository(client, ORIGIN, "team/app").manifest("v1")
        assert len(raw) == descriptor.size
