"""dockerd and containerd against a hub behind TLS: log in, push, pull what is private, and learn why not."""

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme
from tests.hub.clients import PASSWORD
from tests.hub.repositories import hide
from tests.images import Piece, tar, write_layout

from lamina.hub import Hub, HubSettings

pytestmark = pytest.mark.root
LAYERS = [tar([Piece("etc/base", os.urandom(300_000))]), tar([Piece("etc/top", b"top" * 1000)])]
_PATIENCE_S = 120
Run = Callable[..., str]


@dataclass(frozen=True)
class Place:
    """A hub behind TLS and the certificate of who signed its own."""

    hub: Hub
    authority: str


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("tls")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "authority.pem")
    issued = authority.issue_cert("127.0.0.1")
    issued.cert_chain_pems[0].write_to_path(folder / "cert.pem")
    issued.private_key_pem.write_to_path(folder / "key.pem")
    settings = HubSettings(
        root=str(folder / "data"), host="127.0.0.1", port=0, shutdown_s=2.0,
        certificate=str(folder / "cert.pem"), key=str(folder / "key.pem"),
    )  # fmt: skip
    with Hub(settings=settings) as hub:
        for name in ("chief", "alice", "bob"):
            hub.register(name, PASSWORD)
        yield Place(hub, str(folder / "authority.pem"))


@pytest.fixture(scope="module")
def short_folder() -> Iterator[Path]:
    """A folder with a short name: a socket's has little room."""
    with tempfile.TemporaryDirectory(prefix="d-") as folder:
        yield Path(folder)


@contextlib.contextmanager
def serving(command: list[str], is_up: Callable[[], bool], log: Path) -> Iterator[None]:
    """Run a daemon until the context ends; it is up when `is_up` says so."""
    with log.open("wb") as out:
        daemon = subprocess.Popen(command, stdout=out, stderr=out, stdin=subprocess.DEVNULL)
    try:
        until = time.monotonic() + _PATIENCE_S
        while not is_up():
            assert daemon.poll() is None, log.read_text()[-2000:]
            assert time.monotonic() < until, log.read_text()[-2000:]
            time.sleep(0.1)
        yield
    finally:
        daemon.terminate()
        try:
            daemon.wait(30)
        except subprocess.TimeoutExpired:
            daemon.kill()
            daemon.wait(30)


def call(*words: str, stdin: str = "", fails: bool = False, **environ: str) -> str:
    """Run a client; give all it said."""
    done = subprocess.run(
        words, input=stdin, capture_output=True, text=True, timeout=_PATIENCE_S, check=False,
        env={**os.environ, **environ},
    )  # fmt: skip
    assert (done.returncode != 0) == fails, done
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def docker(short_folder: Path) -> Iterator[Run]:
    """Docker's command with a daemon of its own."""
    address = f"unix://{short_folder}/docker.sock"
    environ = {
        "DOCKER_HOST": address,
        "HOME": str(short_folder),
        "DOCKER_CONFIG": f"{short_folder}/c",
    }

    def run(*words: str, stdin: str = "", fails: bool = False) -> str:
        return call("docker", *words, stdin=stdin, fails=fails, **environ)

    def is_up() -> bool:
        done = subprocess.run(
            ["docker", "version"], env={**os.environ, **environ}, capture_output=True, check=False
        )
        return done.returncode == 0

    command = [
        "dockerd", "-H", address, "--data-root", f"{short_folder}/data", "--exec-root", f"{short_folder}/run",
        "--pidfile", f"{short_folder}/pid", "--iptables=false", "--ip6tables=false", "--bridge=none",
        "--oom-score-adjust=0", "--storage-driver=vfs",
    ]  # fmt: skip
    with serving(command, is_up, short_folder / "log"):
        yield run


@pytest.fixture(scope="module")
def ctr(short_folder: Path) -> Iterator[Run]:
    """containerd's command with a daemon of its own."""
    folder = short_folder / "ctrd"
    folder.mkdir()
    address = f"{folder}/sock"
    (folder / "config.toml").write_text(
        f'version = 2\nroot = "{folder}/root"\nstate = "{folder}/state"\noom_score = 0\n'
        'disabled_plugins = ["io.containerd.grpc.v1.cri"]\n'
        f'[grpc]\naddress = "{address}"\n'
    )

    def run(*words: str, fails: bool = False) -> str:
        return call("ctr", "-a", address, *words, fails=fails)

    def is_up() -> bool:
        done = subprocess.run(["ctr", "-a", address, "version"], capture_output=True, check=False)
        return done.returncode == 0

    with serving(["containerd", "--config", f"{folder}/config.toml"], is_up, folder / "log"):
        yield run


def test_dockerd_logs_in_pushes_and_pulls_what_is_private(
    place: Place, docker: Run, tmp_path: Path
):
    address = place.hub.address
    name = f"{address}/alice/by-dockerd"
    (tmp_path / "root.tar").write_bytes(LAYERS[0])
    docker("import", str(tmp_path / "root.tar"), f"{name}:v1")
    assert "authentication required" in docker("push", f"{name}:v1", fails=True)
    wrong = docker(
        "login", "-u", "alice", "--password-stdin", address, stdin="wrong one", fails=True
    )
    assert "incorrect username or password" in wrong
    docker("login", "-u", "alice", "--password-stdin", address, stdin=PASSWORD)
    pushed = docker("push", f"{name}:v1")
    hide(place.hub, "alice/by-dockerd")
    docker("rmi", f"{name}:v1")
    pulled = docker("pull", f"{name}:v1")
    digest = pushed.partition("digest: ")[2].split()[0]
    assert digest in pulled
    assert "Layer already exists" in docker("push", f"{name}:v1")
    docker("tag", f"{name}:v1", f"{address}/alice/copied:v1")
    assert "Mounted from alice/by-dockerd" in docker("push", f"{address}/alice/copied:v1")
    docker("logout", address)
    docker("login", "-u", "bob", "--password-stdin", address, stdin=PASSWORD)
    assert "not known here" in docker("pull", f"{name}:v1", fails=True)
    assert "bob may not push alice/copied" in docker(
        "push", f"{address}/alice/copied:v1", fails=True
    )


def hosts(folder: Path, hub: Hub, line: str) -> str:
    """Give a folder that tells containerd to speak TLS to the hub: it takes loopback for plain http."""
    named = folder / hub.address
    named.mkdir(parents=True)
    can = 'capabilities = ["pull", "resolve", "push"]'
    text = f'server = "{hub.url}"\n[host."{hub.url}"]\n{can}\n{line}\n'
    (named / "hosts.toml").write_text(text)
    return str(folder)


def test_containerd_pushes_and_pulls_over_tls_it_can_check(place: Place, ctr: Run, tmp_path: Path):
    write_layout(tmp_path / "layout", LAYERS, tag="v1")
    shutil.make_archive(str(tmp_path / "image"), "tar", tmp_path / "layout")
    name = f"{place.hub.address}/alice/by-ctr:v1"
    checked = ("--hosts-dir", hosts(tmp_path / "checked", place.hub, f'ca = "{place.authority}"'))
    doubting = ("--hosts-dir", hosts(tmp_path / "doubting", place.hub, ""))
    alice = (*checked, "--user", f"alice:{PASSWORD}")
    ctr(
        "images",
        "import",
        "--base-name",
        name.partition(":v1")[0],
        "--no-unpack",
        str(tmp_path / "image.tar"),
    )
    assert name in ctr("images", "ls", "-q")
    assert "certificate" in ctr(
        "images", "push", *doubting, "--user", f"alice:{PASSWORD}", name, fails=True
    )
    assert "401" in ctr("images", "push", *checked, "--user", "alice:wrong", name, fails=True)
    ctr("images", "push", *alice, name)
    hide(place.hub, "alice/by-ctr")
    ctr("images", "rm", "--sync", name)
    ctr("images", "pull", *alice, "--snapshotter", "native", name)
    assert name in ctr("images", "ls", "-q")
    other = ctr("images", "pull", *checked, "--user", f"bob:{PASSWORD}", name, fails=True)
    assert "StatusNotFound" in other  # and on to the server itself, whose certificate it doubts
