"""Everything by which a container that is gone could still be noticed on the machine."""

import json
import os
import subprocess
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from tests.commands import Lamina

__all__ = ["files_below", "groups_of", "networks_of", "processes_of", "traces"]

_QUIET = {"events.log", "events.log.old", "lock", "frozen.lock"}


def traces(lamina: Lamina, before: set[str]) -> list[str]:
    """List what is there beyond the files `before`, on an engine that has no container any more."""
    root, run_root = lamina.settings.root, lamina.settings.run_root
    found = [f"process {row}" for row in processes_of(lamina)]
    found += [f"mount {target}" for target in _mounts(root, run_root)]
    found += networks_of(lamina)
    found += [f"file {path}" for path in sorted(files_below(lamina) - before)]
    return found


def files_below(lamina: Lamina) -> set[str]:
    """Give every path below root and run root that stands for something."""
    found = set()
    for top in (lamina.settings.root, lamina.settings.run_root):
        for parent, folders, names in os.walk(top):
            found |= {f"{parent}/{name}" for name in (*folders, *names) if name not in _QUIET}
    return found


def processes_of(lamina: Lamina) -> Iterator[str]:
    """Give each process that belongs to the engine: by its words, its environment or its mounts."""
    run_root = lamina.settings.run_root.encode()
    for name in filter(str.isdigit, os.listdir("/proc")):
        if int(name) in (os.getpid(), os.getppid()):
            continue
        parts = []
        for kind in ("cmdline", "environ", "mountinfo"):
            with suppress(OSError):
                parts.append(Path(f"/proc/{name}/{kind}").read_bytes())
        # Layers are mounted where every process of the machine sees them.
        own = (part for part in parts if run_root + b"/c/" in part or run_root + b"/n/" in part)
        if any(own) or any(b"LAMINA_RUN_ROOT=" + run_root in part for part in parts[:2]):
            words = parts[0].replace(b"\0", b" ").decode(errors="replace").strip()
            with suppress(OSError):
                status = Path(f"/proc/{name}/stat").read_text(errors="replace")
                if status.rpartition(")")[2].split()[0] != "Z":
                    yield f"{name} {status.partition(' ')[2].partition(')')[0]}) {words}"


def _mounts(*folders: str) -> Iterator[str]:
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as table:
        for line in table:
            target = line.split(" ", 5)[4]
            if target.startswith(tuple(f"{folder}/" for folder in folders)):
                yield target


def networks_of(lamina: Lamina) -> list[str]:
    """List the machine's cables and tables of rules that are this engine's."""
    if os.geteuid() != 0:
        return []
    said = lamina("network", "ls", "-q", "--no-trunc").split()
    folders = [f"{lamina.settings.run_root}/n/{name[:16]}" for name in said]
    tags = [f"{zlib.crc32(os.fsencode(folder)):08x}" for folder in folders]
    links = json.loads(_output("ip", "-j", "link"))
    tables = _output("nft", "list", "tables")
    found = [f"cable {row['ifname']}" for row in links if row["ifname"][2:] in tags]
    return found + [f"rules of {tag}" for tag in tags if tag in tables]


def groups_of(ids: set[str]) -> list[str]:
    """List the control groups of these containers."""
    tops = (*Path("/sys/fs/cgroup").glob("lamina/*"), *Path("/sys/fs/cgroup").glob("*/lamina/*"))
    return [str(path) for path in tops if path.name in ids]


def _output(*words: str) -> str:
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout
