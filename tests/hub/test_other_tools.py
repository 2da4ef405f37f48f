"""podman and umoci: what they write we read, what we write they read, by our hub and distribution's registry."""

import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.engine.worlds import PASSWORD, import_image, make_engine, merged
from tests.images import Piece

from lamina.engine.engine import Engine
from lamina.remote.login import login

Run = Callable[..., str]


@dataclass(frozen=True)
class Place:
    """A registry, and an engine that may push there."""

    address: str
    engine: Engine


@pytest.fixture(params=["hub", "registry"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """Each registry in turn."""
    address = request.getfixturevalue(request.param).address
    with make_engine(tmp_path / "ours") as engine:
        if request.param == "hub":
            login(engine.client, address, "alice", PASSWORD)
        yield Place(address, engine)


@pytest.fixture
def run(place: Place, tmp_path: Path) -> Run:
    """Run a tool, which is logged in as we are; give what it said."""
    config = Path(place.engine.settings.docker_config, "config.json")
    if not config.exists():
        config.parent.mkdir(parents=True, exist_ok=True)
        config.write_text("{}")
    environ = {**os.environ, "HOME": str(tmp_path), "REGISTRY_AUTH_FILE": str(config)}

    def call(*words: str) -> str:
        done = subprocess.run(
            words, env=environ, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done
        return done.stdout

    return call


@pytest.mark.root
def test_podman_pulls_what_we_push_and_we_pull_what_podman_pushes(place: Place, run: Run):
    # A short name: podman takes no run root of more than 50 characters.
    with tempfile.TemporaryDirectory(prefix="p-") as folder:
        podman = (
            "podman", "--root", f"{folder}/store", "--runroot", f"{folder}/run",
            "--storage-driver", "vfs", "--cgroup-manager", "cgroupfs",
        )  # fmt: skip
        ours, theirs = (f"{place.address}/alice/by-{who}:v1" for who in ("us", "podman"))
        import_image(place.engine, ours, [Piece("motd", b"hello")], "ENV A=b")
        place.engine.images.push(ours)
        image = run(*podman, "pull", "-q", "--tls-verify=false", ours).strip()
        assert f"sha256:{image}" == place.engine.images.resolve(ours).id
        run(*podman, "push", "-q", "--tls-verify=false", ours, theirs)
        place.engine.images.pull(theirs)
        assert merged(place.engine, theirs)[b"motd"] == b"hello"
        assert place.engine.images.resolve(theirs).id == place.engine.images.resolve(ours).id


def test_umoci_reads_what_we_copy_and_we_copy_what_umoci_writes(
    place: Place, run: Run, tmp_path: Path
):
    (tmp_path / "motd").write_text("hello")
    theirs, back = tmp_path / "theirs", tmp_path / "back"
    run("umoci", "init", "--layout", str(theirs))
    run("umoci", "new", "--image", f"{theirs}:v1")
    rootless = ("--rootless",) if os.geteuid() else ()
    run("umoci", "insert", *rootless, "--image", f"{theirs}:v1", str(tmp_path / "motd"), "/motd")
    name = f"docker://{place.address}/alice/umoci:v1"
    digest = place.engine.images.copy(f"oci:{theirs}:v1", name)
    assert place.engine.images.copy(name, f"oci:{back}:v1") == digest
    place.engine.images.pull(name.removeprefix("docker://"))
    assert merged(place.engine, name.removeprefix("docker://"))[b"motd"] == b"hello"
    run("umoci", "unpack", *rootless, "--image", f"{back}:v1", str(tmp_path / "bundle"))
    assert (tmp_path / "bundle/rootfs/motd").read_text() == "hello"
