"""What must hold of any input at all. A target raises AssertionError, or what should never be raised."""

import contextlib
import io
import os
import tarfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

from tests.fuzz.mutation import damaged_sealed, forged_sealed, random_tar
from tests.layer.bombs import extended, header, record
from tests.layer.trees import Facts, erofs, facts_of_directory, facts_of_tree, sealed, tar_of

from lamina.errors import Corrupt, LaminaError, Unsupported
from lamina.layer.apply import unpack
from lamina.layer.entry import Entry, Kind, normal_path
from lamina.layer.parser import TarParser
from lamina.layer.pax import number
from lamina.layer.seal import Sealer
from lamina.layer.sealed import SealedLayer
from lamina.layer.view import Tree
from lamina.spec.digest import Digest

__all__ = ["TARGETS", "Target"]

_ROOT = os.geteuid() == 0
_MIB = 1 << 20
_READABLE = 4 * _MIB  # bytes of files of one tree; a sparse one may say it has exbibytes
_BASE: list[Entry | tuple[Entry, bytes]] = [
    Entry(b"", Kind.DIRECTORY, 0o755),
    (Entry(b"a", Kind.FILE), b"lower"),
    Entry(b"dir", Kind.DIRECTORY, 0o711, uid=3),
    (Entry(b"dir/b", Kind.FILE), b"lower too"),
    Entry(b"x", Kind.SYMLINK, 0o777, link=b"dir"),
]


class Target(ABC):
    """A kind of input, and the judge of it. Each has a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @abstractmethod
    def input(self, random: Random) -> bytes:
        """Make an input."""

    @abstractmethod
    def judge(self, data: bytes, random: Random) -> str:
        """Use it in every way; say in a word what came of it. Raises: AssertionError."""

    def path(self, name: str) -> Path:
        """Give a path at which nothing is."""
        path = self.folder / name
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
        return path


def _outcome(data: bytes, steps: Iterator[int]) -> tuple[list[Entry], str]:
    parser = TarParser()
    found: list[Entry] = []
    at = 0
    try:
        while at < len(data):
            step = next(steps)
            found += parser.feed(data[at : at + step])
            at += step
        parser.finish()
    except (Corrupt, Unsupported) as error:
        return [], f"{type(error).__name__}: {error}"
    return found, ""


def _size(tree: Tree) -> int:
    return sum(node.size for _, node in tree.walk() if node.kind is Kind.FILE)


class TarTarget(Target):
    """Any bytes as a tar: the same however they are cut, the same tree in every form."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.base = sealed(folder / "base", tar_of(_BASE))

    def input(self, random: Random) -> bytes:
        return random_tar(random)

    def judge(self, data: bytes, random: Random) -> str:
        entries, error = _outcome(data, iter(lambda: len(data) or 1, 0))
        step = random.choice([1, 511, 512, 513, 1024, 4000])
        cut = _outcome(data, iter(lambda: random.randint(1, step), 0))
        assert cut == (entries, error), "another answer in other pieces"
        if not error:
            _compare_with_tarfile(data, entries)
        parents = [self.base] if random.random() < 0.5 else []
        path = self.path("layer")
        refusal = self.seal(path, data, parents)
        assert refusal or not error  # of two faults the sealer may name another one
        assert len(refusal) < 1000
        if refusal:
            return "refused"
        with SealedLayer.open(str(path)) as layer:
            layer.verify()
            self.compare(layer, random)
            if parents:
                union = Tree.of([self.base, layer])
                assert [name for name, _ in union.walk()] == sorted(
                    {name for name, _ in union.walk()},
                    key=lambda name: name.split(b"/") if name else [],
                )
        return "sealed"

    def seal(self, path: Path, data: bytes, parents: list[SealedLayer]) -> str:
        sealer = Sealer(str(path), memory_limit=64 * _MIB)
        try:
            sealer.write(data)
            sealer.finish(Digest.of(data), lambda: parents)
        except (Corrupt, Unsupported) as error:
            sealer.abort()
            return f"{type(error).__name__}: {error}"
        return ""

    def compare(self, layer: SealedLayer, random: Random) -> None:
        """The index, a walk, the mount and what is unpacked are one tree."""
        tree = Tree.of([layer])
        for path, node in layer.walk():
            found = layer.lookup(path)
            assert found is not None, path
            assert found.nid == node.nid, path
        if _size(tree) > _READABLE:
            return
        wanted = facts_of_tree(tree)
        chance = random.random()
        if _ROOT and chance < 0.1:
            with erofs(layer, self.folder / "mount") as mount:
                _assert_same(wanted, _without_whiteouts(facts_of_directory(mount)))
        elif chance < 0.2 and _possible(layer):
            self.unpacked(layer, wanted)

    def unpacked(self, layer: SealedLayer, wanted: Facts) -> None:
        from lamina.stream.files import remove_tree

        target = self.folder / "unpacked"
        target.mkdir()
        try:
            unpack(
                layer,
                str(target),
                privileged=_ROOT,
                xattr_prefix="trusted" if _ROOT else "user",
                owners=_ROOT,
            )
            if _ROOT:
                _assert_same(wanted, _without_whiteouts(facts_of_directory(target)))
            else:
                assert {path.split(b"/")[0] for path in wanted if path} <= set(
                    os.listdir(os.fsencode(target))
                )
        finally:
            remove_tree(str(target))


def _possible(layer: SealedLayer) -> bool:
    """Tell whether the test's own file system can hold it: ext4 has shorter times and attributes."""
    for path, node in layer.walk():
        if not 0 <= node.mtime_ns < 1 << 33 or sum(len(v) for _, v in node.xattrs) > 3000:
            return False
        if not _ROOT and (node.is_whiteout or node.mode & 0o300 != 0o300 or b"\0" in path):
            return False
        if node.uid > 1 << 31 or node.gid > 1 << 31:
            return False
        if any(not _settable(name, node.kind) for name, _ in node.xattrs):
            return False
    return True


def _settable(name: str, kind: Kind) -> bool:
    return name.startswith("user.") and kind in (Kind.FILE, Kind.DIRECTORY)


def _without_whiteouts(facts: Facts) -> Facts:
    return {
        path: fact
        for path, fact in facts.items()
        if not (fact[0] is Kind.CHARACTER and fact[6] == (0, 0))
    }


def _assert_same(wanted: Facts, found: Facts) -> None:
    assert set(wanted) == set(found)
    for path, fact in wanted.items():
        assert fact == found[path], (path, fact, found[path])


def _compare_with_tarfile(data: bytes, entries: list[Entry]) -> None:
    """Where the standard library reads it too, it reads the same, but for known reasons."""
    try:
        with tarfile.open(  # noqa: TID251 - the judge is not ours on purpose
            fileobj=io.BytesIO(data), encoding="utf-8", errors="surrogateescape"
        ) as tar:
            members = list(tar)
            if tar.pax_headers:
                return  # it never takes global records back
    except Exception:  # noqa: BLE001 - whatever it raises, it did not read it
        return
    if any(_is_misread(data, member) for member in members):
        return
    theirs = [_of_tarfile(member) for member in members if member.type not in (b"V", b"N")]
    if any(member is None for member in theirs):
        return
    ours = [_of_ours(entry) for entry in entries]
    # It ends, without a word, at a header with rubbish in a field that does not count.
    different = [pair for pair in zip(ours, theirs, strict=False) if pair[0] != pair[1]]
    assert len(ours) >= len(theirs)
    assert not different, f"the standard library reads another tree: {different[0]}"


def _is_misread(data: bytes, member: tarfile.TarInfo) -> bool:
    """Tell whether it is known to read this member's headers in a way of its own."""
    leaders = _leaders(data, member)
    if len(leaders) > 1:
        return True  # of two names the first counts there, the last for us and GNU tar
    if any(padding.strip(b"\0") for padding in leaders):
        return True  # it reads records on past the end of their header, no other program does
    if leaders and _letter(data, member) == b"\0":
        return (
            True  # whether an old header is a directory's it tells by the name in the header alone
        )
    # It takes a prefix of headers that are not ustar's, where the field is another.
    return _has_stray_prefix(data, member)


def _leaders(data: bytes, member: tarfile.TarInfo) -> list[bytes]:
    """Give what pads each header that only leads to this one."""
    at, found = member.offset, []
    while data[at + 156 : at + 157] in (b"x", b"X", b"L", b"K", b"g"):
        size = number(data[at + 124 : at + 136])
        end = at + 512 + (size + 511 & -512)
        found.append(data[at + 512 + size : end])
        at = end
    return found


def _letter(data: bytes, member: tarfile.TarInfo) -> bytes:
    return data[member.offset_data - 356 : member.offset_data - 355]


def _has_stray_prefix(data: bytes, member: tarfile.TarInfo) -> bool:
    header = data[member.offset_data - 512 : member.offset_data]
    return header[257:265] != b"ustar\x0000" and header[345:346] != b"\0"


def _of_tarfile(member: tarfile.TarInfo) -> tuple[object, ...] | None:
    """Give what to compare; None for what it is known to read in another way.

    An empty value takes a pax record back, half a sparse file's records count there, and an
    empty long name is none.
    """
    records = member.pax_headers
    if "" in records.values() or member.type == b"D":
        return None
    if any(key.startswith("GNU.sparse.") for key in records):
        return None
    if not member.name or (member.type in (b"1", b"2") and not member.linkname):
        return None
    if member.type == b"5" and member.size:
        return None
    name = member.name.encode("utf-8", "surrogateescape")
    kinds = {b"1": Kind.HARDLINK, b"2": Kind.SYMLINK, b"3": Kind.CHARACTER, b"4": Kind.BLOCK,
             b"5": Kind.DIRECTORY, b"6": Kind.FIFO, b"D": Kind.DIRECTORY}  # fmt: skip
    kind = kinds.get(member.type, Kind.FILE)
    if kind is Kind.FILE and member.type != b"0" and _ends_in_slash(member):
        kind = Kind.DIRECTORY  # it does not see the slash of a name that pax gives
    link = member.linkname.encode("utf-8", "surrogateescape")
    try:
        path = normal_path(name)
        if kind is Kind.HARDLINK:
            link = normal_path(link)
    except LaminaError:
        return None
    return (
        path, kind, member.mode & 0o7777, member.uid, member.gid,
        member.size if kind is Kind.FILE else 0,
        link if kind in (Kind.SYMLINK, Kind.HARDLINK) else b"",
    )  # fmt: skip


def _ends_in_slash(member: tarfile.TarInfo) -> bool:
    return member.name.endswith("/") or member.pax_headers.get("path", "").endswith("/")


def _of_ours(entry: Entry) -> tuple[object, ...]:
    return (
        entry.path, entry.kind, entry.mode, entry.uid, entry.gid,
        entry.size if entry.kind is Kind.FILE else 0, entry.link,
    )  # fmt: skip


class SealedTarget(Target):
    """Any bytes as a sealed file: what it was, or Corrupt; forged, a tree or Corrupt."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.goods: list[tuple[bytes, Facts]] = []
        for at, data in enumerate(_samples()):
            with sealed(folder / f"good{at}", data) as layer:
                self.goods.append(
                    ((folder / f"good{at}").read_bytes(), facts_of_tree(Tree.of([layer])))
                )

    def input(self, random: Random) -> bytes:
        good, _ = random.choice(self.goods)
        return (damaged_sealed if random.random() < 0.5 else forged_sealed)(random, good)

    def judge(self, data: bytes, random: Random) -> str:
        path = self.path("bad")
        path.write_bytes(data)
        try:
            with SealedLayer.open(str(path)) as layer:
                layer.check()
                facts = self.read(layer)
                self.use(layer, random)
        except Corrupt:
            return "corrupt"
        original = next((one for one in self.goods if _same_index(one[0], data)), None)
        if original is None or facts is None:
            return "forged"
        changed = [path for path, fact in facts.items() if fact != original[1].get(path)]
        assert set(facts) == set(original[1])
        for name in changed:  # only contents, which lie in the tar: `verify` says so
            assert facts[name][:6] == original[1][name][:6], name
        with SealedLayer.open(str(path)) as layer:
            if data != original[0]:
                with contextlib.suppress(Corrupt):
                    layer.verify()
                    raise AssertionError("damage that verify does not find")
            if _ROOT and random.random() < 0.1:
                with erofs(layer, self.folder / "mount") as mount:
                    _assert_same(facts, _without_whiteouts(facts_of_directory(mount)))
        return "unread"

    def read(self, layer: SealedLayer) -> Facts | None:
        tree = Tree.of([layer])
        if _size(tree) > _READABLE:
            return None
        return facts_of_tree(tree)

    def use(self, layer: SealedLayer, random: Random) -> None:
        """What else reads an index."""
        for path, node in layer.walk():
            layer.lookup(path)
            layer.child(node, b"no such name") if node.kind is Kind.DIRECTORY else None
        if random.random() < 0.1:
            with contextlib.suppress(LaminaError):
                layer.verify()


def _same_index(good: bytes, data: bytes) -> bool:
    return good[1024:1536] == data[1024:1536]


def _samples() -> Iterator[bytes]:
    many = (Entry(b"many/%03d" % number, Kind.FILE) for number in range(150))
    yield tar_of(
        [*_BASE, Entry(b"many", Kind.DIRECTORY), *many, Entry(b"l", Kind.SYMLINK, link=b"t" * 700)]
    )
    yield tar_of([Entry(b"f", Kind.FILE), Entry(b".wh.g", Kind.FILE), Entry(b"d", Kind.DIRECTORY)])
    yield tar_of([Entry(b"h", Kind.HARDLINK, link=b"z"), (Entry(b"z", Kind.FILE), b"z" * 700)])
    head = record(b"GNU.sparse.map", b"0,5,9000,700") + record(b"GNU.sparse.size", b"70000")
    yield extended(b"x", head) + header(b"0", 705, b"hole") + b"s" * 705 + bytes(319)


TARGETS: dict[str, Callable[[Path], Target]] = {"tar": TarTarget, "sealed": SealedTarget}
