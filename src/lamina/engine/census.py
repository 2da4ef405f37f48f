"""Every byte below the root, by what it is there for. The sum is what `du` says of the folder."""

import os
from collections.abc import Iterator

from lamina.snapshot.unsynced import marked
from lamina.spec.digest import Digest
from lamina.values import dataclass, field

__all__ = ["Census", "census"]

_ALGORITHMS = {64: "sha256", 128: "sha512"}
_BLOCK = 512
_LONG = 2000


@dataclass(slots=True)
class Census:
    """Bytes on the disk. Blobs by digest; layers by diff ID, with all that was made of them.

    `containers` have their record, log and writable layer; `frozen` are states of such layers by ID,
    which several may share; `partials` is what is on its way in or
    out, `rest` what is none of these: names, locks, folders, the reserve, other people's files.
    """

    blobs: dict[Digest, int] = field(default_factory=dict)
    layers: dict[Digest, int] = field(default_factory=dict)
    containers: dict[str, int] = field(default_factory=dict)
    frozen: dict[str, int] = field(default_factory=dict)
    volumes: dict[str, int] = field(default_factory=dict)
    partials: int = 0
    rest: int = 0

    @property
    def total(self) -> int:
        """All there is."""
        parts = (self.blobs, self.layers, self.containers, self.frozen, self.volumes)
        return sum(sum(part.values()) for part in parts) + self.partials + self.rest


def census(root: str, *, strict: bool = True) -> Census:
    """Look at every file below `root`, each once however many names it has.

    Costs one `stat` per file. Raises: PermissionError (files of a container of somebody else),
    unless it is not `strict`: then what is in such folders is left out.
    """
    found = Census()
    named: dict[str, str] = {}  # name of a sealed file: the diff ID of its layer, in hex
    unpacked: list[tuple[str, int]] = []
    for parts, size in _walk(root, strict=strict):
        if parts[:2] == ("snapshots", "unpacked") and len(parts) > 2:  # noqa: PLR2004
            unpacked.append((parts[2], size))
        else:
            _count(found, parts, size, named)
    for name, size in unpacked:
        shown = marked(name).rpartition("-")[2]
        _add(found, "layers", _digest(named.get(shown, shown)), size)
    return found


def _count(found: Census, parts: tuple[str, ...], size: int, named: dict[str, str]) -> None:
    match parts:
        case ("blobs", algorithm, name, *_) if _is_hex(name):
            _add(found, "blobs", Digest(f"{algorithm}:{name}"), size)
        case ("layers", "chain" | "merged", name, *rest) if _is_hex(name):
            named.update(dict.fromkeys(rest, name))
            _add(found, "layers", _digest(name), size)
        case ("layers", "sha256" | "sha512", name, *_) if _is_hex(name):
            _add(found, "layers", _digest(name), size)
        case ("containers", name, *_) | ("snapshots", "active", name, *_) if _is_hex(name):
            found.containers[name] = found.containers.get(name, 0) + size
        case ("snapshots", "frozen", name, *_):
            found.frozen[name] = found.frozen.get(name, 0) + size
        case ("volumes", name, *_):
            found.volumes[name] = found.volumes.get(name, 0) + size
        case ("uploads", _, *_) | ("layers" | "snapshots", "new", _, *_):
            found.partials += size
        case _:
            found.rest += size


def _add(found: Census, kind: str, digest: Digest | None, size: int) -> None:
    if digest is None:
        found.rest += size
        return
    sizes = found.blobs if kind == "blobs" else found.layers
    sizes[digest] = sizes.get(digest, 0) + size


def _is_hex(name: str) -> bool:
    return len(name) in _ALGORITHMS and not name.strip("0123456789abcdef")


def _digest(name: str) -> Digest | None:
    return Digest(f"{_ALGORITHMS[len(name)]}:{name}") if _is_hex(name) else None


def _walk(root: str, *, strict: bool) -> Iterator[tuple[tuple[str, ...], int]]:
    """Give the first four parts of each path below `root`, and its bytes.

    Neither symlinks nor other file systems are entered; folders may be of any depth.
    """
    top = os.lstat(root)
    seen: set[int] = set()
    held: list[int] = []
    pending: list[tuple[str, tuple[str, ...]]] = [(root, ())]
    yield (), top.st_blocks * _BLOCK
    try:
        while pending:
            path, parts = pending.pop()
            if len(path) > _LONG:  # a path may have 4,096 bytes; a container makes longer ones
                held.append(os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW))
                path = f"/proc/self/fd/{held[-1]}"
            for entry in _entries(path, strict=strict):
                try:
                    status = entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue
                below = (*parts, entry.name)[:4]
                is_folder = entry.is_dir(follow_symlinks=False)
                if is_folder and status.st_dev == top.st_dev:
                    pending.append((entry.path, below))
                if status.st_nlink > 1 and not is_folder:
                    if status.st_ino in seen:
                        continue
                    seen.add(status.st_ino)
                yield below, status.st_blocks * _BLOCK
    finally:
        for fd in held:
            os.close(fd)


def _entries(path: str, *, strict: bool) -> list[os.DirEntry[str]]:
    try:
        return list(os.scandir(path))
    except FileNotFoundError:  # removed meanwhile
        return []
    except PermissionError:
        if strict:
            raise
        return []
