"""A fresh disk, registries on loopback, and podman's configuration: what every benchmark stands on."""

import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["drop_caches", "fresh_disk", "podman_environ", "registry"]

_SIZE = 24 * 1024**3


@contextmanager
def fresh_disk() -> Iterator[Path]:
    """Mount a new journaled ext4 on a loop device; the root file system may have no journal."""
    with tempfile.TemporaryDirectory(prefix="lamina-bench-", dir="/var/tmp") as place:
        image, target = Path(place, "disk.img"), Path(place, "disk")
        target.mkdir()
        with image.open("wb") as file:
            file.truncate(_SIZE)
        subprocess.run(["mkfs.ext4", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0", image],
                       check=True)  # fmt: skip
        subprocess.run(["mount", "-o", "loop,noatime", image, target], check=True)
        try:
            yield target
        finally:
            with open("/proc/self/mountinfo", encoding="utf-8") as table:
                inside = [line.split(" ")[4] for line in table]
            for mounted in sorted(inside, reverse=True):
                if mounted.startswith(f"{target}"):
                    subprocess.run(["umount", "-l", mounted], check=False)


def drop_caches() -> None:
    """Write everything out and forget what was read, so that no tool inherits a warm cache."""
    os.sync()
    Path("/proc/sys/vm/drop_caches").write_text("3\n")


@contextmanager
def registry(folder: Path) -> Iterator[str]:
    """Run distribution's registry with its data in `folder`; give its address."""
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "registry.yml"
    config.write_text(
        "version: 0.1\nlog: {level: info, formatter: text}\n"
        f"storage: {{filesystem: {{rootdirectory: {folder}/data}}}}\n"
        "http: {addr: '127.0.0.1:0', secret: bench}\n"
    )
    log = folder / "log"
    with log.open("wb") as sink:
        process = subprocess.Popen(
            ["docker-registry", "serve", str(config)], stdout=sink, stderr=subprocess.STDOUT
        )
        try:
            yield _address(process, log)
        finally:
            process.terminate()
            process.wait(30)


def _address(process: "subprocess.Popen[bytes]", log: Path) -> str:
    while process.poll() is None:
        if found := re.search(r"listening on (127\.0\.0\.1:\d+)", log.read_text()):
            return found[1]
    raise RuntimeError(log.read_text())


def podman_environ(folder: Path) -> dict[str, str]:
    """Give podman an environment in which it runs without the rights such machines lack."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "containers.conf").write_text(
        '[containers]\ndefault_ulimits=["nofile=20000:20000","nproc=4096:4096"]\nnetns="none"\n'
        '[engine]\ncgroup_manager="cgroupfs"\nevents_logger="none"\nruntime="runc"\n'
    )
    (folder / "storage.conf").write_text(
        f'[storage]\ndriver="overlay"\ngraphroot="{folder}/root"\nrunroot="{folder}/run"\n'
    )
    return {
        **os.environ,
        "CONTAINERS_CONF": str(folder / "containers.conf"),
        "CONTAINERS_STORAGE_CONF": str(folder / "storage.conf"),
        "TMPDIR": str(folder),
    }
