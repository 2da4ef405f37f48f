"""A fresh disk, registries on loopback, and podman's configuration: what every benchmark stands on."""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

__all__ = [
    "compile_lamina",
    "drop_caches",
    "fresh_disk",
    "plain_environ",
    "podman_environ",
    "registry",
]

_SHARES = Path("/sys/fs/cgroup/cpu")
_SIZE = 24 * 1024**3


@contextmanager
def fresh_disk(folder: str = "/var/tmp") -> Iterator[Path]:
    """Mount a new journaled ext4 on a loop device; the root file system may have no journal.

    Its image lies in `folder`; a RAM-backed one takes the machine's own disk out of the figures.
    """
    with tempfile.TemporaryDirectory(prefix="lamina-bench-", dir=folder) as place:
        os.chmod(place, 0o711)  # plain users have folders in it
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


def compile_lamina() -> None:
    """Have lamina's byte code on disk, as an installed package has."""
    source = Path(__file__).resolve().parent.parent / "src"
    subprocess.run(
        [sys.executable, "-m", "compileall", "-q", source], check=True, env=plain_environ()
    )


def drop_caches() -> None:
    """Write everything out and forget what was read, so that no tool inherits a warm cache."""
    os.sync()
    Path("/proc/sys/vm/drop_caches").write_text("3\n")


@contextmanager
def first_in_line() -> Iterator[None]:
    """Give this process and all that it starts ten times the usual share of the processors.

    On a machine that others use, a tool with one thread gets less of it than one with many, and its
    wall time says more about them than about it. Nothing happens where there is no such control group.
    """
    folder = _SHARES / f"lamina-bench-{os.getpid()}"
    try:
        folder.mkdir()
        (folder / "cpu.shares").write_text("10240")
        (folder / "cgroup.procs").write_text(str(os.getpid()))
    except OSError:
        yield
        return
    try:
        yield
    finally:
        for pid in (folder / "cgroup.procs").read_text().split():
            (_SHARES / "cgroup.procs").write_text(pid)
        folder.rmdir()


@contextmanager
def registry(folder: Path, *, tls: bool = False) -> Iterator[str]:
    """Run distribution's registry with its data in `folder`; give its address.

    A second one on the same folder may serve the same data; with `tls` behind a certificate made here.
    """
    folder.mkdir(parents=True, exist_ok=True)
    name = "tls" if tls else "plain"
    secure = f", tls: {{certificate: {folder}/tls.crt, key: {folder}/tls.key}}" if tls else ""
    if tls:
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
             "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
             "-keyout", folder / "tls.key", "-out", folder / "tls.crt"],
            check=True, capture_output=True,
        )  # fmt: skip
    config = folder / f"{name}.yml"
    config.write_text(
        "version: 0.1\nlog: {level: info, formatter: text, accesslog: {disabled: true}}\n"
        f"storage: {{filesystem: {{rootdirectory: {folder}/data}}, cache: {{blobdescriptor: inmemory}}}}\n"
        f"http: {{addr: '127.0.0.1:0', secret: bench{secure}}}\n"
    )
    log = folder / f"{name}.log"
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


def plain_environ() -> dict[str, str]:
    """Give this process's environment without what developers set and people do not.

    A Python that may not keep its byte code compiles lamina at every start.
    """
    unwanted = ("PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED")
    return {name: value for name, value in os.environ.items() if name not in unwanted}


def podman_environ(folder: Path, base: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Give podman an environment, on top of `base`, in which it runs without the rights such machines lack."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "containers.conf").write_text(
        '[containers]\ndefault_ulimits=["nofile=20000:20000","nproc=4096:4096"]\nnetns="none"\n'
        '[engine]\ncgroup_manager="cgroupfs"\nevents_logger="none"\nruntime="runc"\n'
    )
    (folder / "storage.conf").write_text(
        f'[storage]\ndriver="overlay"\ngraphroot="{folder}/root"\nrunroot="{folder}/run"\n'
    )
    return {
        **base,
        "CONTAINERS_CONF": str(folder / "containers.conf"),
        "CONTAINERS_STORAGE_CONF": str(folder / "storage.conf"),
        "TMPDIR": str(folder),
    }
