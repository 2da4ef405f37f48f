"""What the control group of one container has used, read from its files."""

from contextlib import suppress

from lamina.runtime import hierarchies
from lamina.values import NamedTuple

__all__ = ["Usage", "usage"]


class Usage(NamedTuple):
    """What a container's group has used; None where it does not count that."""

    memory: int | None = None
    cpu_s: float | None = None


def usage(container: str, pid: int) -> Usage:
    """Read the group that `pid`, a process of the container's, is in; nothing where it has none.

    Memory is in bytes, cached files that can go left out; what processes used that have ended counts.
    """
    memory = cpu_s = None
    for name, path in hierarchies.groups_of(f"/proc/{pid}/cgroup").items():
        if not path.endswith(f"/{container}"):
            continue
        folder = _folder(name, path)
        memory = _memory_used(folder) if memory is None else memory
        with suppress(OSError, KeyError, ValueError):
            cpu_s = int(_rows(f"{folder}/cpu.stat")["usage_usec"]) / 1e6
    return Usage(memory, cpu_s)


def _folder(controllers: str, path: str) -> str:
    if not controllers:
        return (
            hierarchies.ROOT if hierarchies.layout() == "unified" else f"{hierarchies.ROOT}/unified"
        ) + path
    return f"{hierarchies.ROOT}/{controllers}{path}"


def _memory_used(folder: str) -> int | None:
    for used, inactive in (
        ("memory.usage_in_bytes", "total_inactive_file"),
        ("memory.current", "inactive_file"),
    ):
        with suppress(OSError):
            with open(f"{folder}/{used}", encoding="ascii") as file:
                total = int(file.read())
            return max(0, total - int(_rows(f"{folder}/memory.stat").get(inactive, 0)))
    return None


def _rows(path: str) -> dict[str, str]:
    with open(path, encoding="ascii") as file:
        return dict(line.split() for line in file)
