"""What was made from sealed layers: layers merged into one, and layers unpacked into folders.

Both can be made again at any time, so what is wrong with one is put right by taking it away; while
a container runs on it, it stays as it is.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from functools import partial

from lamina.engine.findings import Finding, Health, Part, Pile, Shape
from lamina.engine.likeness import Likeness
from lamina.errors import Corrupt, InUse, NotFound
from lamina.layer.entry import Kind
from lamina.layer.sealed import SealedLayer
from lamina.layer.view import Tree
from lamina.snapshot import unsynced
from lamina.spec.digest import chain_id
from lamina.values import Protocol

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.engine.engine import Engine
    from lamina.layer.node import Node

__all__ = ["derived", "discard"]

_MERGED = "merged-"
_PIECE = 1024 * 1024


class _Wanted(Protocol):
    """What a folder should hold: a sealed layer, or the tree of several."""

    def listdir(self, directory: bytes, /) -> "list[tuple[bytes, Node]]":
        """Give the names in a folder, with what each is."""


class _Differs(Exception):
    """A folder is not what its layer says."""


def derived(
    engine: "Engine", piles: Mapping[Pile, Iterable[str]]
) -> Iterator[Callable[[], Finding | None]]:
    """Give a check for each merged and each unpacked layer, to be called in any thread."""
    for digest, path in engine.layers.merged_layers():
        name = os.path.basename(path).removeprefix(_MERGED)
        pile = next((p for p in piles if p[-1] == digest and chain_id(p).hex == name), ())
        yield partial(_merged, path, str(digest), pile, _users(piles, pile))
    sealed = {os.path.basename(path): path for _, path in engine.layers.files()}
    folder = f"{engine.store.root}/snapshots/unpacked"
    for name in sorted(os.listdir(folder)):
        path = f"{folder}/{name}"
        if name.endswith(unsynced.SUFFIX) or unsynced.is_doubtful(path):
            continue  # it is made again before anybody uses it
        if name.startswith("root-"):  # the attributes of a root, and nothing in it
            continue
        pile = _pile_of(name, piles)
        if name.startswith(_MERGED) and pile:
            opened = partial(_tree, engine, pile)
        elif name in sealed:
            opened = partial(_layer, sealed[name])
        else:
            yield partial(_stranger, name)
            continue
        alike = partial(
            Likeness,
            path,
            rootless=engine.containers.rootless,
            marked=not name.startswith(_MERGED),
        )
        yield partial(_folder, name, pile, _users(piles, pile), opened, alike)


def discard(engine: "Engine", finding: Finding) -> str:
    """Take away what can be made again; say so. Raises: InUse (a container runs on it)."""
    for record in engine.containers.records():
        pile = tuple(record.diff_ids)
        if pile[: len(finding.pile)] == finding.pile and engine.containers.is_running(record.id):
            raise InUse(f"container {record.name} runs on it", hint="stop it and repeat")
    path = f"{engine.store.root}/{finding.subject}"
    if finding.part is Part.UNPACKED:
        engine.layers.discard_directory(path)
        unsynced.clear(path)
    else:
        os.unlink(path)
    return "taken away: it is made again when needed"


def _pile_of(name: str, piles: Mapping[Pile, Iterable[str]]) -> Pile:
    """Find the pile whose last layer, or whose all layers, a folder holds."""
    for pile in piles:
        merged = f"{_MERGED}{chain_id(pile).hex[:32]}-{pile[-1].hex}"
        if name in (pile[-1].hex, chain_id(pile).hex, merged):
            return pile
    return ()


def _users(piles: Mapping[Pile, Iterable[str]], pile: Pile) -> tuple[str, ...]:
    return tuple(sorted(piles.get(pile, ())))


def _merged(path: str, digest: str, pile: Pile, users: tuple[str, ...]) -> Finding | None:
    try:
        with SealedLayer.open(path) as layer:
            layer.verify()
    except FileNotFoundError:  # removed meanwhile
        return None
    except Corrupt as error:
        detail = error.message.partition(": ")[2]
    except OSError as error:
        detail = f"cannot be read: {error.strerror}"
    else:
        return None
    subject = f"layers/merged/{digest.partition(':')[2]}/{os.path.basename(path)}"
    health = Health.BROKEN if pile else Health.HARMLESS
    return Finding(Shape.DAMAGED, Part.MERGED, subject, detail, users, health, pile)


def _stranger(name: str) -> Finding:
    detail = "belongs to no layer that is here; `lamina image prune` removes it"
    subject = f"snapshots/unpacked/{name}"
    return Finding(Shape.LEFT_OVER, Part.UNPACKED, subject, detail, health=Health.HARMLESS)


def _layer(path: str, stack: ExitStack) -> _Wanted:
    return stack.enter_context(SealedLayer.open(path))


def _tree(engine: "Engine", pile: Pile, stack: ExitStack) -> _Wanted:
    return Tree.of(stack.enter_context(engine.layers.opened(pile)))


def _folder(
    name: str,
    pile: Pile,
    users: tuple[str, ...],
    opened: Callable[[ExitStack], _Wanted],
    alike: Callable[[], Likeness],
) -> Finding | None:
    try:
        with ExitStack() as stack:
            likeness = stack.enter_context(alike())
            detail = _difference(opened(stack), likeness)
            if not detail or not os.path.isdir(likeness.path):  # taken away while we compared
                return None
    except (
        Corrupt,
        NotFound,
        FileNotFoundError,
    ):  # its layer is damaged, or it went: told elsewhere
        return None
    except OSError as error:
        detail = f"cannot be read: {error.strerror}"
    health = Health.BROKEN if pile else Health.HARMLESS
    subject = f"snapshots/unpacked/{name}"
    return Finding(Shape.DAMAGED, Part.UNPACKED, subject, detail, users, health, pile)


def _difference(wanted: _Wanted, likeness: Likeness) -> str:
    """Say what differs first; nothing where all is the same."""
    try:
        _compare(wanted, likeness)
    except _Differs as error:
        return str(error)
    return ""


def _compare(wanted: _Wanted, likeness: Likeness) -> None:
    """Compare names, kinds, targets, every byte of files, and what else is said of them.

    Raises: _Differs.
    """
    top = likeness.path
    folders: list[tuple[bytes, Node]] = []
    pending = [b""]
    while pending:
        folder = pending.pop()
        rows = dict(wanted.listdir(folder))
        names = set(os.listdir(os.path.join(top, folder)))
        for name in sorted(names ^ rows.keys()):
            word = "is missing" if name in rows else "is not of this layer"
            raise _Differs(f"/{os.fsdecode(os.path.join(folder, name))} {word}")
        for name, node in rows.items():
            inside = os.path.join(folder, name)
            whole = os.path.join(top, inside)
            if node.kind is Kind.DIRECTORY and not os.path.islink(whole) and os.path.isdir(whole):
                pending.append(inside)
                folders.append((inside, node))
                continue
            if node.kind is Kind.DIRECTORY or not _is_same(node, whole):
                raise _Differs(f"/{os.fsdecode(inside)} is not as its layer has it")
            _check_likeness(likeness, inside, node)
    for inside, node in folders:  # last: what is missing inside says more than a folder's time
        _check_likeness(likeness, inside, node)


def _check_likeness(likeness: Likeness, path: bytes, node: "Node") -> None:
    what = likeness.difference(path, node)
    if what:
        raise _Differs(f"the {what} of /{os.fsdecode(path)} {_verb(what)} as its layer has it")


def _verb(what: str) -> str:
    return "are not" if what.endswith("s") else "is not"


def _is_same(node: "Node", path: bytes) -> bool:
    """Tell whether a file or link holds what its layer says; others hold nothing."""
    if node.kind is Kind.SYMLINK:
        return os.path.islink(path) and os.readlink(path) == node.layer.symlink_target(node)
    if node.kind is not Kind.FILE:
        return True
    if os.path.islink(path) or not os.path.isfile(path) or os.stat(path).st_size != node.size:
        return False
    with open(path, "rb", buffering=0) as file:
        for piece in node.layer.pieces(node):
            for at in range(0, len(piece), _PIECE):
                part = piece[at : at + _PIECE]
                if _read(file.fileno(), len(part)) != part:
                    return False
    return True


def _read(fd: int, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = os.read(fd, size - len(data))
        if not piece:
            break
        data += piece
    return data
