"""The root is an OCI image layout at every moment: other tools copy from it while we work in it."""

import json
import multiprocessing
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.engine.worlds import import_image, merged
from tests.images import Piece
from tests.store.processes import together

from lamina.engine.engine import Engine
from lamina.engine.fsck import check
from lamina.settings import Settings

if TYPE_CHECKING:
    from multiprocessing.synchronize import Event

STEADY = "docker.io/library/steady:1"
_FORK = multiprocessing.get_context("fork")


@contextmanager
def busy(engine: Engine) -> Iterator[None]:
    """Let two processes churn during the body; they must not have failed."""
    stop = _FORK.Event()
    workers = [_FORK.Process(target=churn, args=(engine.settings, stop, i)) for i in range(2)]
    for worker in workers:
        worker.start()
    try:
        yield
    finally:
        stop.set()
        for worker in workers:
            worker.join(120)
    assert [worker.exitcode for worker in workers] == [0, 0]


def churn(settings: Settings, stop: "Event", number: int) -> None:
    """Import, tag, remove and prune until told to stop, each with names of its own."""
    engine = Engine(settings)
    count = 0
    while not stop.is_set():
        count += 1
        name = f"moving{number}:1"
        import_image(engine, name, [Piece(f"f{count}", bytes([number]) * 50_000)])
        engine.images.tag(name, f"other{number}:1")
        engine.images.remove(f"other{number}:1")
        engine.images.remove(name, now=count % 2 == 0)
        engine.images.prune(now=count % 3 == 0)


def output(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, (command, done.stderr)
    return done.stdout


@pytest.fixture
def steady(engine: Engine) -> Engine:
    import_image(engine, "steady:1", [Piece("etc", directory=True), Piece("etc/hello", b"hi")])
    return engine


def test_skopeo_and_umoci_copy_while_commands_run(steady: Engine, tmp_path: Path):
    layout = f"oci:{steady.store.root}:{STEADY}"
    digest = steady.images.resolve("steady:1").manifest.digest
    with busy(steady):
        for number in range(6):
            assert json.loads(output("skopeo", "inspect", layout))["Digest"] == digest
            copied = tmp_path / f"copy{number}"
            output("skopeo", "copy", "-q", layout, f"oci:{copied}:y")
            assert (copied / "blobs" / digest.replace(":", "/")).exists()
            assert STEADY in output("umoci", "ls", "--layout", steady.store.root).split()
            bundle = tmp_path / f"bundle{number}"
            image = f"{steady.store.root}:{STEADY}"
            output("umoci", "unpack", "--rootless", "--image", image, str(bundle))
            assert (bundle / "rootfs/etc/hello").read_bytes() == b"hi"
    assert check(steady).is_clean


@pytest.fixture
def short() -> Iterator[str]:
    """A folder with a short name: podman takes no run root of more than 50 characters."""
    with tempfile.TemporaryDirectory(prefix="p-") as folder:
        yield folder


@pytest.mark.root
def test_podman_pulls_while_commands_run(
    steady: Engine, short: str, monkeypatch: pytest.MonkeyPatch
):
    Path(short, "auth.json").write_text("{}")  # podman wants it to be there
    monkeypatch.setenv("REGISTRY_AUTH_FILE", f"{short}/auth.json")
    podman = ["podman", "--root", f"{short}/p", "--runroot", f"{short}/r"]
    podman += ["--storage-driver", "vfs", "--cgroup-manager", "cgroupfs"]
    image_id = steady.images.resolve("steady:1").id
    with busy(steady):
        for _ in range(2):
            pulled = output(*podman, "pull", "-q", f"oci:{steady.store.root}:{STEADY}")
            assert pulled.strip() == image_id.hex
            output(*podman, "rmi", "-f", image_id.hex)


def test_what_others_remove_never_takes_what_is_being_made(engine: Engine):
    def run(number: int) -> None:
        mine = Engine(engine.settings)
        for count in range(5):
            name = f"own{number}:{count}"
            pieces = [Piece("shared", b"s" * 80_000), Piece(f"f{number}", bytes([count]))]
            import_image(mine, name, pieces)
            assert merged(mine, name)[b"shared"] == b"s" * 80_000
            if count % 2:
                mine.images.remove(name, now=bool(number % 2))
            mine.images.prune(now=True)

    together(run, *[(number,) for number in range(4)])
    names = {name for row in engine.images.list() for name in row.names}
    kept = {f"docker.io/library/own{n}:{c}" for n in range(4) for c in (0, 2, 4)}
    assert names == kept
    assert check(engine).is_clean
