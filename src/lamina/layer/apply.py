"""Put layers on disk: one as a directory that overlayfs takes as a lower one, or a whole tree."""

import errno
import os
from functools import partial
from typing import TYPE_CHECKING, Generic, Literal, TypeVar

from lamina.layer.bodies import Bodies
from lamina.layer.crew import hands, share_out
from lamina.layer.descent import Descent
from lamina.layer.entry import Kind
from lamina.layer.maker import Maker
from lamina.layer.sealed import SealedLayerCorrupt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from lamina.layer.node import Node
    from lamina.layer.sealed import SealedLayer

__all__ = ["copy_tree", "unpack"]

T = TypeVar("T")
_Files = list[tuple[bytes, "Node"]]
_Unit = tuple[int, bytes, _Files]  # cost, directory, what to make in it

_FILE_COST = 64 * 1024  # making a file takes as long as copying so many bytes
_ALONE = 1000 * _FILE_COST  # below this other processes do not pay
_BATCH = 15_000 * _FILE_COST  # what is planned, and kept in memory, at a time
_GRAIN = 500 * _FILE_COST  # no unit of work is much larger, unless it is one file


def unpack(
    layer: "SealedLayer",
    target: str,
    *,
    privileged: bool,
    xattr_prefix: Literal["trusted", "user"] = "trusted",
    owners: bool = True,
    workers: int = 0,
) -> int:
    """Write `layer` into the empty directory `target`; return the bytes of its files.

    Whiteouts become 0/0 character devices, opaque directories get `<xattr_prefix>.overlay.opaque`.
    `privileged` says that devices may be made and any attribute set; without it devices become
    empty files, owners that have no place here are recorded (see `lamina.layer.recorded`), and
    attributes the kernel refuses are left out. `owners` sets owners: inside a user namespace those
    of the layer as the namespace has them. Every step goes from a directory's descriptor and
    follows no symlink; until the end nobody else may enter `target`. A large layer is written by
    `workers` processes (0: as many as there are cores). Raises: OSError, Corrupt.
    """
    maker = partial(Maker, privileged=privileged, owners=owners)
    size = layer.entries * _FILE_COST + layer.content_size
    with Descent(target) as descent:
        work: _Work[Node] = _Work(descent, maker, _children, _workers(workers, size), xattr_prefix)
        return work.run(layer.root, layer.root)


def copy_tree(
    layers: "Sequence[SealedLayer]",
    target: str,
    *,
    privileged: bool,
    owners: bool = True,
    workers: int = 0,
) -> None:
    """Write the tree that `layers` make, lowest first, into the empty directory `target`, as `unpack` does one layer.

    On disks that lack the classes `security.` and `user.` of attributes those are left out.
    Raises: OSError, Corrupt.
    """
    from lamina.layer.view import Tree, merged_children

    def children(pile: "tuple[Node, ...]") -> "Iterable[tuple[bytes, tuple[Node, ...], Node]]":
        return ((name, nodes, nodes[0]) for name, nodes in merged_children(pile))

    maker = partial(Maker, privileged=privileged, owners=owners, optional=("user.", "security."))
    size = sum(layer.entries * _FILE_COST + layer.content_size for layer in layers)
    root = Tree.of(layers).pile(b"")
    with Descent(target) as descent:
        work: _Work[tuple[Node, ...]] = _Work(descent, maker, children, _workers(workers, size))
        work.run(root, root[0])


def _workers(asked: int, size: int) -> int:
    """Say how many processes a tree of that cost is worth; 1 is this one."""
    return asked or (1 if size < _ALONE else hands())


def _children(node: "Node") -> "Iterable[tuple[bytes, Node, Node]]":
    return ((name, child, child) for name, child in node.layer.listdir(node))


class _Work(Generic[T]):
    """One tree on its way to disk: directories first, then files, then links and times."""

    def __init__(
        self,
        descent: Descent,
        maker: "Callable[..., Maker]",
        children: "Callable[[T], Iterable[tuple[bytes, T, Node]]]",
        workers: int,
        mark_prefix: str = "",
    ) -> None:
        self._descent = descent
        self._new_maker = maker
        self._maker = maker(umask=_umask() if workers == 1 else 0)
        self._children = children
        self._workers = workers
        self._prefix = mark_prefix
        self._directories: list[tuple[bytes, Node]] = []
        self._firsts: dict[tuple[str, int], bytes] = {}
        self._links: list[tuple[bytes, bytes]] = []
        self._units: list[_Unit] = []
        self._cost = 0
        self._seen: set[tuple[str, int]] = set()
        self._written = 0

    def run(self, root: T, node: "Node") -> int:
        """Write everything; give the bytes of all files."""
        _close_off(self._descent.open(b""))
        with Bodies() as bodies:
            stack = [(b"", root, node)]
            while stack:
                path, key, node = stack.pop()
                self._once(path, node)
                self._directories.append((path, node))
                files = self._make_directories(path, key, stack)
                if self._workers == 1:
                    _make_files(self._maker, self._descent.open(path), files, bodies)
                else:
                    self._plan(path, files)
        self._share_out()
        self._make_links()
        for path, node in reversed(self._directories):
            self._maker.finish(self._descent.open(path), node, self._marks(path, node))
        return self._written

    def _once(self, path: bytes, node: "Node") -> None:
        """Refuse a forged index in which a directory is inside itself."""
        key = (node.layer.path, node.nid)
        if key in self._seen:
            raise SealedLayerCorrupt(node.layer.path, f"directory {path!r} stands in two places")
        self._seen.add(key)

    def _make_directories(
        self, path: bytes, key: T, stack: "list[tuple[bytes, T, Node]]"
    ) -> _Files:
        """Make the directories in one; give the files to be made there, as they lie in the tar."""
        fd = self._descent.open(path)
        prefix = path + b"/" if path else b""
        files: _Files = []
        for name, below, node in self._children(key):
            if node.kind is Kind.DIRECTORY:
                self._maker.directory(fd, name)
                stack.append((prefix + name, below, node))
            elif node.nlink == 1 or not self._is_further_name(prefix + name, node):
                files.append((name, node))
                if node.kind is Kind.FILE:
                    self._written += node.size
        files.sort(key=_place)
        return files

    def _is_further_name(self, path: bytes, node: "Node") -> bool:
        """Tell whether another path is this file already; then it becomes a link at the end."""
        if node.is_whiteout:
            return False
        first = self._firsts.setdefault((node.layer.path, node.nid), path)
        if first != path:
            self._links.append((first, path))
        return first != path

    def _plan(self, path: bytes, files: _Files) -> None:
        cost, start = 0, 0
        for at, (_, node) in enumerate(files):
            cost += _FILE_COST + node.size
            if cost >= _GRAIN:
                self._units.append((cost, path, files[start : at + 1]))
                self._cost += cost
                cost, start = 0, at + 1
        if start < len(files):
            self._units.append((cost, path, files[start:]))
        self._cost += cost
        if self._cost >= _BATCH:
            self._share_out()

    def _share_out(self) -> None:
        """Have what was planned made, by processes with about the same to do each."""
        if not self._units:
            return
        loads = [0] * self._workers
        shares: list[list[_Unit]] = [[] for _ in loads]
        for unit in sorted(self._units, key=lambda unit: -unit[0]):
            least = loads.index(min(loads))
            loads[least] += unit[0]
            shares[least].append(unit)
        root = self._descent.open(b"")
        share_out([partial(_work, root, self._new_maker, share) for share in shares if share])
        self._units.clear()
        self._cost = 0

    def _make_links(self) -> None:
        for old, new in self._links:
            fd, name = self._descent.split(new)
            kept = os.dup(fd)  # the next split may close it
            try:
                source, first = self._descent.split(old)
                os.link(first, name, src_dir_fd=source, dst_dir_fd=kept, follow_symlinks=False)
            finally:
                os.close(kept)

    def _marks(self, path: bytes, node: "Node") -> dict[str, bytes]:
        """Give the marks that overlayfs wants on a directory of one layer."""
        if not (self._prefix and path and node.has_xattrs):
            return {}
        marks = {}
        if node.opaque:
            marks[f"{self._prefix}.overlay.opaque"] = b"y"
        if node.has_whiteouts:
            marks[f"{self._prefix}.overlay.origin"] = b""  # as the index has it
        return marks


def _work(root: int, maker: "Callable[..., Maker]", units: list[_Unit]) -> None:
    """Make files, in a process of its own."""
    os.umask(0)
    made = maker(umask=0)
    with Descent(root) as descent, Bodies() as bodies:
        for _, path, files in sorted(units, key=lambda unit: unit[1]):
            _make_files(made, descent.open(path), files, bodies)


def _make_files(maker: Maker, directory: int, files: _Files, bodies: Bodies) -> None:
    for name, node in files:
        if node.kind is Kind.FILE:
            maker.file(directory, name, node, bodies)
        else:
            maker.other(directory, name, node)


def _place(item: "tuple[bytes, Node]") -> int:
    node = item[1]
    return node.data_at if node.kind is Kind.FILE and node.size else 0


def _close_off(root: int) -> None:
    """Let nobody else in, and no group or rights come down to what is made inside."""
    us = os.getegid()
    if os.fstat(root).st_gid != us:
        os.fchown(root, -1, us)  # from a set-group-ID folder above, or a `grpid` disk
    os.fchmod(root, 0o700)
    for name in ("system.posix_acl_default", "system.posix_acl_access"):
        try:
            os.removexattr(root, name)
        except OSError as error:
            if error.errno not in (errno.ENODATA, errno.EOPNOTSUPP):
                raise


def _umask() -> int:
    """Read the process's umask without changing it, as other threads make files meanwhile."""
    try:
        with open("/proc/self/status", encoding="utf-8", errors="replace") as file:
            rows = [row.split() for row in file if row.startswith("Umask:")]
        return int(rows[0][1], 8)
    except (OSError, IndexError, ValueError):
        return 0o777
