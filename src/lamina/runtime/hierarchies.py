"""Where control groups are: how the hierarchies are mounted, and where in them groups may be made."""

import os
from contextlib import suppress

__all__ = [
    "CONTROLLERS", "FOLDER", "LEGACY_NAMES", "ROOT", "SCOPED", "SCOPES", "bases", "groups_of", "layout", "own_groups", "words",
]  # fmt: skip

ROOT = "/sys/fs/cgroup"
FOLDER = "lamina"
CONTROLLERS = ("memory", "cpu", "cpuset", "pids", "io")
LEGACY_NAMES = {"io": "blkio"}
SCOPES, SCOPED = "lamina-", ".scope/shim"
_OWN = "/proc/self/cgroup"


def layout() -> str:
    """Tell how control groups are mounted: `unified`, `hybrid`, `legacy` or `none`."""
    if os.path.exists(f"{ROOT}/cgroup.controllers"):
        return "unified"
    if os.path.exists(f"{ROOT}/unified/cgroup.controllers"):
        return "hybrid"
    return "legacy" if os.path.isdir(f"{ROOT}/devices") else "none"


def bases() -> dict[str, str]:
    """Map each controller, and `freezer` and `devices`, to the folder to make groups in."""
    roots = {
        "unified": dict.fromkeys(("freezer", *CONTROLLERS), ROOT),
        "hybrid": {"freezer": f"{ROOT}/unified"},
        "legacy": {"freezer": f"{ROOT}/freezer"},
    }.get(layout(), {})
    for name in ("devices", *CONTROLLERS) if roots and len(roots) == 1 else ():
        roots[name] = f"{ROOT}/{LEGACY_NAMES.get(name, name)}"
    own = own_groups()
    found = {}
    for name, root in roots.items():
        unified = root in (ROOT, f"{ROOT}/unified")
        if base := _base(root, own.get("" if unified else LEGACY_NAMES.get(name, name), "")):
            found[name] = base
    return found


def own_groups() -> dict[str, str]:
    """Read which group this process is in, as `groups_of`."""
    return groups_of(_OWN)


def groups_of(table: str) -> dict[str, str]:
    """Read which group a process is in, by controller; the unified hierarchy's has no name."""
    found = {}
    with suppress(OSError), open(table, encoding="utf-8", errors="surrogateescape") as file:
        for line in file:
            _, names, path = line.rstrip("\n").split(":", 2)
            for name in names.split(","):
                found[name] = path
    return found


def _base(root: str, own: str) -> str:
    """Give the folder for groups: `root` for whoever may write there, else what was handed over.

    In the unified hierarchy that is the scope that systemd gave this shim, else the highest writable group
    above this process's own that holds no process itself: the kernel gives limits only to the children
    of such.
    """
    scoped, inside, _ = own.rpartition(SCOPED)
    if inside and os.path.basename(scoped).startswith(SCOPES):
        return f"{root}{scoped}.scope"
    if os.access(f"{root}/cgroup.procs", os.W_OK):
        return root
    found = ""
    path = own.rstrip("/")
    while path:
        folder = f"{root}{path}"
        if not os.access(f"{folder}/cgroup.procs", os.W_OK) or not os.access(folder, os.W_OK):
            break
        if not os.path.exists(f"{folder}/cgroup.subtree_control"):
            return folder
        with open(f"{folder}/cgroup.procs", encoding="utf-8") as file:
            if not file.read(1):
                found = folder
        path = path.rpartition("/")[0]
    return found


def words(path: str) -> list[str]:
    """Read the words of one file; none where it cannot be read."""
    try:
        with open(path, encoding="utf-8") as file:
            return file.read().split()
    except OSError:
        return []
