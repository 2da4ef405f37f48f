"""What bad input gets: one clear message, a non-zero exit, nothing half-visible, and a repeat works."""

import contextlib
import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from random import Random

import pytest
from tests.commands import Lamina, Outcome
from tests.images import Piece, tar, tiny, write_layout
from tests.servers import HubServer, RegistryServer, Relay

from lamina.settings import Settings

BIG = 24 * 1024 * 1024
MEGABYTE = 1024 * 1024
ENOUGH = 4 * 1024 * 1024  # bytes after which a transfer is surely in the middle of a layer


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image of two layers, one of them big and incompressible."""
    folder = tmp_path_factory.mktemp("layout")
    big = tar([Piece("big", Random(1).randbytes(BIG))])
    write_layout(folder, [tiny(), big])
    return folder


@pytest.fixture(scope="module")
def image(registry: RegistryServer, layout: Path) -> str:
    """The same image in a registry, put there by skopeo."""
    name = f"{registry.address}/test/big:latest"
    copy(f"oci:{layout}:latest", f"docker://{name}", "--dest-tls-verify=false")
    return name


def copy(source: str, target: str, *flags: str) -> None:
    done = subprocess.run(
        ["skopeo", "--insecure-policy", "copy", "-q", *flags, source, target],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def assert_one_message(outcome: Outcome, *words: str, code: int = 1) -> None:
    assert outcome.code == code, outcome
    assert "Traceback" not in outcome.err
    said = [line for line in outcome.err.splitlines() if line.startswith("lamina: ")]
    assert len(said) == 1, outcome.err
    for word in words:
        assert word in outcome.err, outcome.err


def assert_store_is_sound(lamina: Lamina, *, images: int = 0) -> None:
    """Every blob is what its name says, and no image shows that should not."""
    assert len(lamina("images", "-aq").split()) == images
    for blob in Path(lamina.settings.root, "blobs").glob("*/*"):
        assert hashlib.new(blob.parent.name, blob.read_bytes()).hexdigest() == blob.name


# Names


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["pull", "Upper/Case"], "must be lowercase"),
        (["pull", "x:y:z"], "invalid reference format"),
        (["tag", "x", "a b"], "invalid reference format"),
        (["run", "x@sha256:short", "true"], "invalid reference format"),
        (["push", "x"], "x"),
        (["rmi", "no-such-image"], "No such image: no-such-image:latest"),
        (["history", "no-such-image"], "No such image: no-such-image:latest"),
        (["layers", "no-such-image"], "No such image: no-such-image:latest"),
        (["save", "-o", "/dev/null", "no-such-image"], "No such image: no-such-image:latest"),
        (["rm", "no-such-container"], "No such container: no-such-container"),
        (["commit", "no-such-container"], "No such container: no-such-container"),
        (["start", "no-such-container"], "No such container: no-such-container"),
        (["logs", "no-such-container"], "No such container: no-such-container"),
        (["load", "-i", "/no/such/file"], "/no/such/file"),
        (["import", "/no/such/file"], "/no/such/file"),
    ],
)
def test_a_bad_or_missing_name_is_one_message(lamina: Lamina, words: list[str], said: str):
    outcome = lamina.attempt(*words)
    assert outcome.code in (1, 125), outcome
    assert "Traceback" not in outcome.err
    assert said in outcome.err
    assert_store_is_sound(lamina)


# Registries


def test_an_image_that_is_not_there_is_said_to_be_unknown(lamina: Lamina, registry: RegistryServer):
    outcome = lamina.attempt("pull", f"{registry.address}/test/none:v1")
    assert_one_message(outcome, f"{registry.address}/test/none:v1", "not found")
    assert_store_is_sound(lamina)


def test_a_wrong_tag_names_the_tag_and_the_right_one_works(lamina: Lamina, image: str):
    wrong = image.replace(":latest", ":nope")
    assert_one_message(lamina.attempt("pull", wrong), wrong, "manifest unknown")
    assert_store_is_sound(lamina)
    lamina("pull", image)
    assert_store_is_sound(lamina, images=1)


def test_an_unreachable_host_is_named(lamina: Lamina):
    outcome = lamina.attempt("pull", "127.0.0.1:1/x/y:z")
    assert_one_message(outcome, "127.0.0.1:1", "refused")
    assert_store_is_sound(lamina)


def test_a_host_that_does_not_exist_is_named(lamina: Lamina):
    outcome = lamina.attempt("pull", "no-such-host.invalid/x/y:z")
    assert_one_message(outcome, "no-such-host.invalid")


def test_a_refused_login_stores_nothing_and_the_right_password_works(
    lamina: Lamina, hub: HubServer
):
    hub.register("carol", "correct horse battery")
    login = ("login", "-u", "carol", "--password-stdin", hub.address)
    outcome = lamina.attempt(*login, stdin="wrong")
    assert_one_message(outcome, "unauthorized")
    assert not Path(lamina.settings.docker_config, "config.json").exists()
    assert "Login Succeeded" in lamina(*login, stdin="correct horse battery")


def test_a_push_without_login_is_refused_and_works_after_one(
    lamina: Lamina, hub: HubServer, layout: Path
):
    hub.register("dave", "correct horse battery")
    name = f"{hub.address}/dave/app:v1"
    subprocess.run(["tar", "-C", layout, "-cf", layout / "../layout.tar", "."], check=True)
    lamina("load", "-i", str(layout / "../layout.tar"))
    ids = lamina("images", "-aq").split()
    lamina("tag", ids[0], name)
    outcome = lamina.attempt("push", name)
    assert outcome.code == 1
    assert "denied" in outcome.err or "unauthorized" in outcome.err
    lamina("login", "-u", "dave", "--password-stdin", hub.address, stdin="correct horse battery")
    assert "digest: sha256:" in lamina("push", name)


# Damage


def test_a_damaged_blob_is_refused_and_a_mended_one_is_taken(
    lamina: Lamina, registry: RegistryServer, layout: Path
):
    name = f"{registry.address}/test/damaged:latest"
    copy(f"oci:{layout}:latest", f"docker://{name}", "--dest-tls-verify=false")
    blobs = registry.folder / "data/docker/registry/v2/blobs/sha256"
    biggest = max(blobs.glob("*/*/data"), key=lambda path: path.stat().st_size)
    good = biggest.read_bytes()
    biggest.write_bytes(good[:-100] + bytes([good[-100] ^ 1]) + good[-99:])
    try:
        assert_one_message(lamina.attempt("pull", name), "digest")
    finally:
        biggest.write_bytes(good)
    assert_store_is_sound(lamina)
    lamina("pull", name)
    assert_store_is_sound(lamina, images=1)


# Interruptions


def wait_for_bytes(folder: Path, size: int) -> int:
    """Wait until a file in `folder` has `size` bytes; give what it has."""
    deadline = time.monotonic() + 100
    while True:
        largest = max((path.stat().st_size for path in folder.glob("*")), default=0)
        if largest >= size:
            return largest
        assert time.monotonic() < deadline
        time.sleep(0.01)


def bytes_in(root: str) -> int:
    """Add up what arrived: whole blobs, partial ones, and parts ahead of them."""
    total = 0
    reached: dict[str, int] = {}
    rows = [*Path(root, "uploads").glob("*"), *Path(root, "blobs/sha256").glob("*")]
    for path in sorted(rows):  # a blob before its parts
        with contextlib.suppress(FileNotFoundError):  # on its way from the one to the other
            blob, _, begin = path.name.partition(".part-")
            end = int(begin or 0) + path.stat().st_size
            total += max(0, end - max(reached.get(blob, 0), int(begin or 0)))
            reached.setdefault(blob, end)
    return total


def interrupt(process: "subprocess.Popen[bytes]") -> Outcome:
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    return Outcome(process.returncode, out.decode(), err.decode())


def test_ctrl_c_in_a_pull_leaves_nothing_visible_and_the_repeat_goes_on_from_there(
    lamina: Lamina, image: str, registry: RegistryServer
):
    with Relay(registry.address, down=ENOUGH) as relay:
        name = image.replace(registry.address, relay.address)
        process = lamina.start("pull", name)
        assert relay.full.wait(60)
        kept = wait_for_bytes(Path(lamina.settings.root, "uploads"), ENOUGH // 4)
        outcome = interrupt(process)
        assert outcome.code == 130, outcome
        assert "Traceback" not in outcome.err
        assert outcome.err.startswith("lamina: interrupted; "), outcome
        assert_store_is_sound(lamina)
        relay.open_up()
        before = relay.passed["down"]
        lamina("pull", name)
        assert relay.passed["down"] - before < BIG + len(tiny()) - kept
    assert_store_is_sound(lamina, images=1)


def test_ctrl_c_in_a_push_leaves_no_tag_and_the_repeat_works(
    lamina: Lamina, image: str, registry: RegistryServer
):
    lamina("pull", image)
    with Relay(registry.address, up=ENOUGH) as relay:
        name = f"{relay.address}/test/pushed:latest"
        lamina("tag", image, name)
        process = lamina.start("push", name)
        assert relay.full.wait(60)
        outcome = interrupt(process)
        assert outcome.code == 130, outcome
        assert "Traceback" not in outcome.err
        assert outcome.err.startswith("lamina: interrupted; "), outcome
        status, _, _ = registry.request("GET", "/v2/test/pushed/manifests/latest")
        assert status == 404
        relay.open_up()
        assert "digest: sha256:" in lamina("push", name)
    accept = {"Accept": "application/vnd.oci.image.manifest.v1+json"}
    assert registry.request("GET", "/v2/test/pushed/manifests/latest", headers=accept)[0] == 200


@pytest.mark.parametrize("slow_s", [0.0, 0.001], ids=["quick", "in parts"])
def test_kill_9_in_a_pull_leaves_nothing_visible_and_costs_less_than_a_megabyte(
    lamina: Lamina, image: str, layout: Path, registry: RegistryServer, slow_s: float
):
    whole = sum(path.stat().st_size for path in (layout / "blobs/sha256").iterdir())
    with Relay(registry.address, down=BIG // 2, slow_s=slow_s) as relay:
        name = image.replace(registry.address, relay.address)
        process = lamina.start("pull", name)
        assert relay.full.wait(60)
        arrived = relay.passed["down"]
        # What the kernel still holds is no loss of ours: let the process take it first.
        while bytes_in(lamina.settings.root) < arrived - MEGABYTE * 3 // 4:
            assert process.poll() is None
            time.sleep(0.005)
        assert not slow_s or list(Path(lamina.settings.root, "uploads").glob("*.part-*"))
        process.kill()
        process.communicate()
        assert_store_is_sound(lamina)
        relay.open_up()
        before = relay.passed["down"]
        lamina("pull", name)
        assert relay.passed["down"] - before < whole - arrived + MEGABYTE
    assert_store_is_sound(lamina, images=1)


TWENTY = """
import os, sys
from lamina.engine.engine import Engine
import lamina.engine.pull, lamina.image.receive, lamina.remote.connections
def pull():
    with Engine() as engine:
        engine.images.pull(sys.argv[1])
children = []
for _ in range(20):
    child = os.fork()
    if child == 0:
        code = 1
        try:
            pull()
            code = 0
        finally:
            os._exit(code)
    children.append(child)
sys.exit(sum(os.waitpid(child, 0)[1] != 0 for child in children))
"""


def test_twenty_processes_that_pull_a_layer_download_it_once(
    lamina: Lamina, image: str, registry: RegistryServer
):
    with Relay(registry.address) as relay:
        name = image.replace(registry.address, relay.address)
        done = subprocess.run(
            [sys.executable, "-c", TWENTY, name],
            env=lamina.environ, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done
        assert relay.passed["down"] < BIG + 2 * MEGABYTE + len(tiny())
    assert_store_is_sound(lamina, images=1)


# Disks


@pytest.fixture
def small_disk(tmp_path: Path, settings: Settings) -> "Lamina":
    """The command on a root that has room for the small layer only."""
    root = Path(settings.root)
    root.mkdir()
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={BIG // 2}", "lamina-test", root], check=True
    )
    return Lamina(settings)


@pytest.mark.root
@pytest.mark.usefixtures("lamina")
def test_a_disk_too_small_is_told_before_it_is_full_and_with_room_the_repeat_works(
    small_disk: Lamina, image: str
):
    assert_one_message(small_disk.attempt("pull", image), "the image needs", "are free")
    assert_store_is_sound(small_disk)
    subprocess.run(["mount", "-o", "remount,size=256m", small_disk.settings.root], check=True)
    small_disk("pull", image)
    assert_store_is_sound(small_disk, images=1)


@pytest.mark.root
def test_a_full_disk_while_importing_leaves_no_image(small_disk: Lamina, tmp_path: Path):
    body = tmp_path / "big.tar"
    body.write_bytes(tar([Piece("big", Random(2).randbytes(BIG))]))
    outcome = small_disk.attempt("import", str(body), "big:1")
    assert_one_message(outcome, "no space left on device")
    assert_store_is_sound(small_disk)


def test_a_root_that_cannot_be_made_says_where(lamina: Lamina, tmp_path: Path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    outcome = lamina.attempt("pull", "127.0.0.1:1/x:y", LAMINA_ROOT=str(blocked / "root"))
    assert_one_message(outcome, str(blocked))


def test_a_broken_index_says_which_file(lamina: Lamina, image: str):
    lamina("pull", image)
    index = Path(lamina.settings.root, "index.json")
    index.write_text("{")
    assert_one_message(lamina.attempt("images"), "index.json")


def test_output_into_a_closed_pipe_is_quiet(lamina: Lamina):
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        lamina.argv("images", "--help"), stdout=write, stderr=subprocess.PIPE, check=False,
        env=lamina.environ,
    )  # fmt: skip
    os.close(write)
    assert done.stderr == b""
