"""Other people's clients against the hub: skopeo, podman, and docker's command without a daemon."""

import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator

import pytest
from tests.hub.clients import PASSWORD
from tests.hub.exploring.images import explore, known
from tests.hub.site.pages import Browser
from tests.images import Piece, tar, write_layout

from lamina.hub.access import Caller

LAYERS = [
    tar([Piece("etc/", directory=True), Piece("etc/base", os.urandom(300_000))]),
    tar([Piece("etc/top", b"top" * 1000)]),
]


@pytest.fixture(scope="module")
def layout(tmp_path_factory) -> str:
    folder = tmp_path_factory.mktemp("layout")
    write_layout(folder, LAYERS, tag="v1")
    return str(folder)


@pytest.fixture
def run(tmp_path):
    """Run a client with its own home; give what it said."""
    (tmp_path / "auth.json").write_text("{}")  # podman wants it to be there
    environ = {
        **os.environ,
        "HOME": str(tmp_path),
        "DOCKER_CONFIG": str(tmp_path / "docker"),
        "REGISTRY_AUTH_FILE": str(tmp_path / "auth.json"),
        "XDG_RUNTIME_DIR": str(tmp_path),
    }

    def call(*words: str, stdin: str = "", fails: bool = False) -> str:
        done = subprocess.run(
            words,
            input=stdin,
            env=environ,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert (done.returncode != 0) == fails, done
        return done.stdout + done.stderr

    call.home = str(tmp_path)  # type: ignore[attr-defined]
    return call


def test_skopeo_logs_in_pushes_lists_copies_and_deletes(hub, run, layout, tmp_path):
    name = f"docker://{hub.address}/alice/skopeo"
    run(
        "skopeo",
        "login",
        "--tls-verify=false",
        "-u",
        "alice",
        "--password-stdin",
        hub.address,
        stdin=PASSWORD,
    )
    run("skopeo", "copy", "--dest-tls-verify=false", f"oci:{layout}:v1", f"{name}:v1")
    run(
        "skopeo",
        "copy",
        "--dest-tls-verify=false",
        "-f",
        "v2s2",
        f"oci:{layout}:v1",
        f"{name}:docker",
    )
    run(
        "skopeo",
        "copy",
        "--src-tls-verify=false",
        "--dest-tls-verify=false",
        f"{name}:v1",
        f"docker://{hub.address}/alice/mounted:v1",
    )
    assert '"docker",' in run("skopeo", "list-tags", "--tls-verify=false", name)
    run("skopeo", "logout", hub.address)
    run("skopeo", "copy", "--src-tls-verify=false", f"{name}:v1", f"oci:{tmp_path}/back:v1")
    blobs = [set(os.listdir(f"{folder}/blobs/sha256")) for folder in (layout, tmp_path / "back")]
    assert blobs[1] == blobs[0] & blobs[1]
    assert len(blobs[1]) == 4
    refused = run(
        "skopeo", "copy", "--dest-tls-verify=false", f"oci:{layout}:v1", f"{name}:v9", fails=True
    )
    assert "authentication required" in refused
    run("skopeo", "delete", "--tls-verify=false", "--creds", f"alice:{PASSWORD}", f"{name}:docker")
    assert '"docker",' not in run("skopeo", "list-tags", "--tls-verify=false", name)


def test_skopeo_is_told_why_a_login_or_a_push_is_refused(hub, run, layout):
    login = (
        "skopeo",
        "login",
        "--tls-verify=false",
        "-u",
        "alice",
        "--password-stdin",
        hub.address,
    )
    assert "invalid username/password" in run(*login, stdin="wrong one", fails=True)
    push = ("skopeo", "copy", "--dest-tls-verify=false", "--dest-creds", f"bob:{PASSWORD}")
    said = run(*push, f"oci:{layout}:v1", f"docker://{hub.address}/alice/not-mine:v1", fails=True)
    assert "bob may not push alice/not-mine" in said


@pytest.fixture
def short_folder() -> Iterator[str]:
    """A folder with a short name: podman takes no run root of more than 50 characters."""
    with tempfile.TemporaryDirectory(prefix="p-") as folder:
        yield folder


@pytest.mark.root
@pytest.mark.parametrize("client", ["docker", "podman", "skopeo", "lamina"])
def test_a_robot_logs_in_with_each_client_and_pushes_to_its_namespace_alone(
    hub, run, layout, client
):
    if not hub.services.organisations.of("alice"):
        hub.services.organisations.create(Caller("alice"), "acme")
    token, robot = hub.services.robots.create(Caller("alice"), "acme", client, actions=["push"])
    plain = ["--tls-verify=false"] if client in ("podman", "skopeo") else []
    program = [sys.executable, "-m", "lamina"] if client == "lamina" else [client]
    words = [*program, "login", *plain, "-u", robot.login, "--password-stdin", hub.address]
    assert "Login Succeeded" in run(*words, stdin=token)
    auth = f"{run.home}/{'docker/config' if client == 'docker' else 'auth'}.json"
    copy = ["skopeo", "copy", "--dest-tls-verify=false", "--authfile", auth]
    if client == "lamina":
        copy = [*program, "copy"]
    run(*copy, f"oci:{layout}:v1", f"docker://{hub.address}/acme/{client}:v1")
    said = run(*copy, f"oci:{layout}:v1", f"docker://{hub.address}/bob/x:v1", fails=True)
    assert "denied" in said.lower()
    hub.services.robots.revoke(Caller("alice"), "acme", client)
    assert "Login Succeeded" not in run(*words, stdin=token, fails=True)


def test_podman_pushes_and_pulls_back(hub, run, layout, short_folder):
    podman = (
        "podman", "--root", f"{short_folder}/store", "--runroot", f"{short_folder}/run",
        "--storage-driver", "vfs", "--cgroup-manager", "cgroupfs",
    )  # fmt: skip
    name = f"{hub.address}/alice/podman:v1"
    run(*podman, "pull", "-q", f"oci:{layout}:v1")
    image = run(*podman, "images", "-q", "--no-trunc").strip()
    run(
        *podman,
        "login",
        "--tls-verify=false",
        "-u",
        "alice",
        "--password-stdin",
        hub.address,
        stdin=PASSWORD,
    )
    run(*podman, "push", "-q", "--tls-verify=false", image, name)
    run(*podman, "logout", hub.address)
    run(*podman, "rmi", "-f", image)
    run(*podman, "pull", "-q", "--tls-verify=false", name)
    assert name.partition(":v1")[0] in run(*podman, "images")
    missing = f"{hub.address}/alice/missing:v1"
    assert "authentication required" in run(
        *podman, "pull", "--tls-verify=false", missing, fails=True
    )


def test_docker_logs_in_and_makes_a_manifest_list(hub, run, layout):
    login = ("docker", "login", "-u", "alice", "--password-stdin", hub.address)
    assert "Login Succeeded" in run(*login, stdin=PASSWORD)
    assert "incorrect username or password" in run(*login, stdin="wrong one", fails=True)
    name = f"{hub.address}/alice/docker"
    run(
        "skopeo",
        "copy",
        "--dest-tls-verify=false",
        "--dest-creds",
        f"alice:{PASSWORD}",
        f"oci:{layout}:v1",
        f"docker://{name}:one",
    )
    assert '"schemaVersion": 2' in run("docker", "manifest", "inspect", "--insecure", f"{name}:one")
    run("docker", "manifest", "create", "--insecure", f"{name}:all", f"{name}:one")
    assert "sha256:" in run("docker", "manifest", "push", "--insecure", f"{name}:all")
    assert '"manifests": [' in run("docker", "manifest", "inspect", "--insecure", f"{name}:all")
    assert "no such manifest" in run(
        "docker", "manifest", "inspect", "--insecure", f"{name}:none", fails=True
    )


def test_many_clients_push_and_pull_at_once(hub, run, layout, tmp_path):
    failures: list[BaseException] = []

    def work(number: int) -> None:
        name = f"docker://{hub.address}/bob/many{number % 2}:t{number}"
        try:
            run(
                "skopeo",
                "copy",
                "--dest-tls-verify=false",
                "--dest-creds",
                f"bob:{PASSWORD}",
                f"oci:{layout}:v1",
                name,
            )
            run("skopeo", "copy", "--src-tls-verify=false", name, f"oci:{tmp_path}/back{number}:v1")
        except (AssertionError, subprocess.TimeoutExpired) as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_what_skopeo_pushed_is_looked_into_like_anything_else(hub, run, layout):
    name = f"docker://{hub.address}/alice/looked:v1"
    login = ("--dest-tls-verify=false", "--dest-creds", f"alice:{PASSWORD}")
    run("skopeo", "copy", *login, f"oci:{layout}:v1", name)
    explore(hub)
    found = known(hub, "alice/looked", "v1")
    assert (found.state, found.trouble) == ("done", "")
    assert "&quot;" not in Browser(hub.address).get("/alice/looked/-/files/v1").text
