"""One file out of a large image at a registry: what is received and how long it takes, beside pulling it.

    python bench/seek.py [--folder /usr/lib] [--gigabytes 1] [--layers 4]

The image is the folder's files up to so many bytes of tar, in layers of plain gzip at level 6, at our hub;
everything goes through a relay that counts. Peers: `skopeo copy` into a folder and tar, as all tools do that
have no index (crane export, podman, docker). Bytes are exact; times are of one cold process each.
"""

import argparse
import gzip
import os
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.images import write_layout
from tests.servers import HubServer, Relay

PASSWORD = "correct horse battery"
MB = 1_000_000
_OPEN = """
import sys
from lamina.engine.engine import Engine
from lamina.engine.remote_study import remote_study
from lamina.settings import Settings
with Engine(Settings.from_environment()) as engine, remote_study(engine, sys.argv[1]) as study:
"""
_READ = f"{_OPEN}    assert study.tree.read(sys.argv[2].encode().lstrip(b'/'))"
_WALK = f"{_OPEN}    assert sum(1 for _ in study.tree.walk())"


def layers(
    folder: Path, size: int, count: int, target: Path
) -> tuple[list[bytes | Path], list[str]]:
    """Write tars of the folder's files in order; give them, and a small, a middling and a large file."""
    made: list[bytes | Path] = []
    sizes: dict[str, int] = {}
    files = _files(folder)
    for number in range(count):
        path = target / f"{number}.tar"
        with tarfile.open(path, "w") as sink:  # noqa: TID251 - made as others do
            while sink.offset < size // count and (file := next(files, None)) is not None:
                sink.add(file, arcname=str(file).lstrip("/"), recursive=False)
                if file.is_file() and not file.is_symlink():
                    sizes[str(file)] = file.stat().st_size
        made.append(path)
    by_size = sorted((size, path) for path, size in sizes.items() if size)
    chosen = [next(row for row in by_size[len(by_size) // 2 :]), next(row for row in by_size if row[0] > MB), by_size[-1]]  # fmt: skip
    return made, [path for _, path in chosen]


def _files(folder: Path) -> Iterator[Path]:
    for root, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = Path(root, name)
            if path.is_symlink() or path.is_file():
                yield path


def main() -> None:
    """Measure, and print a table."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--folder", type=Path, default=Path("/usr/lib"))
    words.add_argument("--gigabytes", type=float, default=1.0)
    words.add_argument("--layers", type=int, default=4)
    asked = words.parse_args()
    with tempfile.TemporaryDirectory() as name, HubServer(Path(name)) as hub:
        work = Path(name)
        hub.register("alice", PASSWORD)
        size = int(asked.gigabytes * 1e9)
        tars, paths = layers(asked.folder, size, asked.layers, work)
        write_layout(work / "layout", tars, level=6)
        blobs = sum(file.stat().st_size for file in (work / "layout" / "blobs/sha256").iterdir())
        print(f"{sum(Path(str(tar)).stat().st_size for tar in tars) / MB:.0f} MB of tar, {blobs / MB:.0f} MB of blobs\n")  # fmt: skip
        with Relay(hub.address) as relay:
            _rows(work, relay, paths)


def _rows(work: Path, relay: Relay, paths: list[str]) -> None:
    image = f"{relay.address}/alice/large:1"

    def lamina(root: str, *words: str, stdin: bytes = b"") -> list[str]:
        environ = {
            **os.environ,
            "LAMINA_ROOT": str(work / root),
            "DOCKER_CONFIG": str(work / "docker"),
        }
        start = ["-c"] if words[0] in (_READ, _WALK) else ["-m", "lamina"]
        return _run([sys.executable, *start, *words], environ, stdin)

    lamina("maker", "login", "-u", "alice", "--password-stdin", relay.address, stdin=PASSWORD.encode())  # fmt: skip
    lamina("maker", "copy", "-q", f"oci:{work}/layout", f"docker://{image}")
    print("| what | received | seconds |\n|---|---|---|")

    def row(what: str, do: object) -> None:
        before, began = relay.passed["down"], time.monotonic()
        do()  # type: ignore[operator]
        spent = time.monotonic() - began
        print(
            f"| {what} | {(relay.passed['down'] - before) / MB:.2f} MB | {spent:.2f} |", flush=True
        )

    row("`lamina index`, the layers elsewhere (once)", lambda: lamina("maker", "index", image))
    for path in paths:
        size = Path(path).stat().st_size
        row(
            f"one file of {size:,} bytes",
            lambda path=path: lamina("reader", _READ, image, path),
        )
    row("the names of all files", lambda: lamina("reader", _WALK, image))
    row("`lamina waste --remote`", lambda: lamina("reader", "waste", "--remote", image))
    row(
        "`lamina pull`, `cat`",
        lambda: (
            lamina("puller", "pull", "-q", image),
            lamina("puller", "cat", f"{image}:{paths[0]}"),
        ),
    )
    row("`skopeo copy` to a folder, tar", lambda: _skopeo(work, image, paths[0]))


def _skopeo(work: Path, image: str, path: str) -> None:
    environ = {**os.environ, "REGISTRY_AUTH_FILE": str(work / "docker/config.json")}
    _run(["skopeo", "copy", "-q", "--src-tls-verify=false", f"docker://{image}", f"dir:{work}/dir"], environ)  # fmt: skip
    for blob in (work / "dir").iterdir():
        with blob.open("rb") as file:
            if file.read(2) != b"\x1f\x8b":
                continue
        with gzip.open(blob) as plain:
            _run(["tar", "-xO", path.lstrip("/")], environ, plain.read(), check=False)


def _run(words: list[str], environ: dict[str, str], stdin: bytes = b"", *, check: bool = True) -> list[str]:  # fmt: skip
    done = subprocess.run(words, env=environ, input=stdin, capture_output=True, check=False)
    if check and done.returncode:
        raise SystemExit(f"{words}: {done.stderr.decode(errors='replace')}")
    return done.stdout.decode(errors="replace").splitlines()


if __name__ == "__main__":
    main()
