"""Names: what `index.json` says, and the one way to change it.

A name is the annotation `org.opencontainers.image.ref.name` of a descriptor, as skopeo, umoci and
podman read it. Facts about the image stand beside it as annotations `io.lamina.*`, so that a
listing reads this one file. Rows and fields of other tools are kept as they are.
"""

import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager

from lamina.errors import Corrupt, Invalid, LaminaError, NotFound
from lamina.spec.descriptor import Descriptor
from lamina.spec.wire import Document, decode, encode
from lamina.store.disk import fill_reserve, spend_reserve
from lamina.stream.files import DiskFull, locked, replace
from lamina.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.spec.digest import Digest
    from lamina.store.disk import Disk
    from lamina.store.undo import Change, History, Occasion, UndoLog

__all__ = ["IndexDamaged", "Named", "Names", "TargetUnknown"]

_NAME = "org.opencontainers.image.ref.name"
_FACT = "io.lamina."


class IndexDamaged(Corrupt):
    """`index.json` cannot be read."""


class TargetUnknown(NotFound):
    """A name was to be given to a manifest that is not in the store."""


@dataclass(frozen=True, slots=True)
class Named:
    """A name and what it stands for; `name` is empty for an image that lost its last name.

    `facts` has the keys given to `Names.set`, without the prefix they carry in the file.
    """

    name: str
    target: Descriptor
    facts: Mapping[str, str]


class Names:
    """The names of one store. Each change is one atomic replacement of index.json under flock.

    What a change with an `occasion` takes away is noted, and can be put back (see `undo`).
    `has(digest)` tells whether a target is there; `settled()` keeps garbage collection out while
    that is asked and the name is written.
    """

    def __init__(
        self,
        disk: "Disk",
        has: "Callable[[Digest], bool]",
        settled: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self._disk = disk
        self._path = disk.index
        self._reserve = disk.reserve
        self._lock = f"{disk.leases}/names"
        self._has = has
        self._settled = settled
        self._read_last: tuple[bytes | None, tuple[Named, ...]] = (None, ())

    def get(self, name: str) -> Named | None:
        """Give what the complete `name` stands for, or None."""
        for row in self.all():
            if row.name == name and name:
                return row
        return None

    def all(self) -> tuple[Named, ...]:
        """Give every name, and untagged targets, oldest first. Raises: IndexDamaged."""
        raw, rows = self._read_last
        found = self._read()
        if found == raw:
            return rows
        rows = tuple(_named(number, row) for number, row in enumerate(_rows(found)[1]))
        self._read_last = (found, rows)
        return rows

    def set(
        self,
        name: str,
        target: Descriptor,
        facts: Mapping[str, str],
        *,
        also: Sequence[str] = (),
        occasion: "Occasion | None" = None,
    ) -> Named | None:
        """Make `name` stand for `target`, durably; give what it stood for before.

        The names in `also` come to stand for it in the same write, listed before `name`.
        The former target stays listed without a name unless another name holds it.
        Raises: TargetUnknown (its manifest is not here), IndexDamaged, DiskFull, Denied.
        """
        if not (name and all(also)):
            raise Invalid("an empty name")
        with self._settled():
            if not self._has(target.digest):
                raise TargetUnknown(
                    f"cannot name {name}: its manifest {target.digest} is not in the store",
                    hint="it was removed meanwhile; pull or build it again",
                )
            with self._changing(occasion) as rows:
                for each in also:
                    _put(rows, each, _row(each, target, facts))
                old = _put(rows, name, _row(name, target, facts))
        return None if old is None else _named(0, old)

    def remove(self, name: str) -> Named | None:
        """Forget `name`; give what it stood for, None when it was not there.

        Nothing is left behind: a target without another name becomes garbage.
        """
        gone = self.take((name,) if name else ())
        return gone[0] if gone else None

    def take(
        self,
        names: "Collection[str]",
        untagged: "Collection[Digest]" = (),
        *,
        kept: Named | None = None,
        occasion: "Occasion | None" = None,
    ) -> tuple[Named, ...]:
        """Forget `names`, and targets listed without a name, in one write; give what went.

        The target of `kept` stays listed, without a name if need be.
        """
        with self._changing(occasion) as rows:
            gone = [
                row
                for row in rows
                if (_name(row) in names if _name(row) else row.get("digest") in untagged)
            ]
            rows[:] = [row for row in rows if row not in gone]
            if kept is not None and all(row.get("digest") != kept.target.digest for row in rows):
                rows.append(_row("", kept.target, kept.facts))
        return tuple(_named(0, row) for row in gone)

    def keep(self, target: Descriptor, facts: Mapping[str, str]) -> None:
        """List `target` without a name, unless it is listed already. Raises: as `set`."""
        with self._settled():
            if not self._has(target.digest):
                raise TargetUnknown(f"manifest {target.digest} is not in the store")
            with self._changing() as rows:
                if all(row.get("digest") != target.digest for row in rows):
                    rows.append(_row("", target, facts))

    def note(self, target: Descriptor, facts: Mapping[str, str]) -> None:
        """Write facts beside every name that stands for `target` by now, in one write."""
        with self._changing() as rows:
            rows[:] = [
                _row(_name(row), Descriptor.from_json(row), facts)
                if _name(row) and row.get("digest") == target.digest
                else row
                for row in rows
            ]

    def drop(self, digest: "Digest") -> Named | None:
        """Forget the untagged `digest`; give it, None when it was not listed without a name."""
        gone = self.take((), (digest,))
        return gone[0] if gone else None

    def history(self) -> "History":
        """Give what is known of changes that took something away."""
        return self._log().read()

    def let_go(self, floor: int) -> None:
        """Note that what the changes up to number `floor` took away is not kept any more."""
        with locked(self._lock):
            self._log().let_go(floor)

    def forget(self, digests: "Collection[Digest]") -> None:
        """Note that these targets are not to be kept because of any change so far."""
        if os.path.exists(self._disk.undo):
            with locked(self._lock):
                self._log().forget(digests)

    def lost(self, change: "Change") -> tuple[Named, ...]:
        """Give the names, and targets without one, that a change took away."""
        return tuple(_named(number, row) for number, row in enumerate(change.gone))

    def came(self, change: "Change") -> tuple[Named, ...]:
        """Give the names, and targets without one, that a change brought."""
        return tuple(_named(number, row) for number, row in enumerate(change.new))

    def stolen(self, change: "Change", *, absent: "Collection[Digest]" = ()) -> tuple[str, ...]:
        """Give the names of a change that stand for something else again, by a later change."""
        rows = _rows(self._read())[1]
        wanted = [row for row in change.gone if row.get("digest") not in absent]
        return tuple(_name(row) for row in wanted if _is_stolen(row, change.new, rows))

    def put_back(
        self, change: "Change", *, absent: "Collection[Digest]" = (), occasion: "Occasion"
    ) -> tuple[Named, ...]:
        """List again what a change took away, but for the targets in `absent`; give what came.

        A name that stands for something else moves, and what it stood for stays listed.
        Raises: TargetUnknown, DiskFull.
        """
        came: dict[str, Named] = {}
        with self._settled(), self._changing(occasion) as rows:
            for row in change.gone:
                name, digest = _name(row), str(row.get("digest"))
                if digest in absent or (name or digest) in came or _is_listed(row, rows):
                    continue
                back = _named(0, row)
                if not self._has(back.target.digest):
                    raise TargetUnknown(f"manifest {digest} is not in the store any more")
                came[name or digest] = back
                if name:  # of a name that moved twice the first target comes back
                    _put(rows, name, row)
                else:
                    rows.append(row)
        return tuple(came.values())

    def _log(self) -> "UndoLog":
        from lamina.store.undo import UndoLog

        return UndoLog(self._disk)

    def _read(self) -> bytes:
        try:
            with open(self._path, "rb", buffering=0) as file:
                return file.read()
        except FileNotFoundError as error:
            raise IndexDamaged(
                f"{self._path} is missing", hint="restore it, or start a new store with LAMINA_ROOT"
            ) from error

    @contextmanager
    def _changing(self, occasion: "Occasion | None" = None) -> Iterator[list[Document]]:
        """Give the rows to be changed in place; write them at the end if they changed."""
        with locked(self._lock):
            raw = self._read()
            document, rows = _rows(raw)
            before = list(rows)
            yield rows
            if rows != before:
                document["manifests"] = rows
                gone = _losses(before, rows)
                if occasion is not None and (gone or occasion.undoes):
                    new = [row for row in rows if row not in before]
                    self._log().add(occasion, gone, new)
                elif os.path.exists(self._disk.undo):
                    self._log().settle()
                self._write(encode(document))

    def _write(self, raw: bytes) -> None:
        """Replace index.json; on a full disk use the reserve, or nothing could ever be removed.

        The old index is gone then, and its room is the reserve's again: others must not get it.
        """
        beside = f"{self._lock}.new"
        try:
            replace(self._path, raw, beside=beside)
        except DiskFull:
            if not spend_reserve(self._reserve):
                raise
            replace(self._path, raw, beside=beside)
        fill_reserve(self._disk)


def _losses(before: Sequence[Document], rows: Sequence[Document]) -> list[Document]:
    """Give the rows of names that stand for that target no more, and of targets not listed at all."""
    pairs = {(_name(row), row.get("digest")) for row in rows}
    digests = {digest for _, digest in pairs}
    return [
        row
        for row in before
        if ((_name(row), row.get("digest")) not in pairs)
        and (_name(row) or row.get("digest") not in digests)
    ]


def _is_listed(row: Document, rows: Sequence[Document]) -> bool:
    name = _name(row)
    same = [each for each in rows if each.get("digest") == row.get("digest")]
    return any(_name(each) == name for each in same) if name else bool(same)


def _is_stolen(row: Document, new: Sequence[Document], rows: Sequence[Document]) -> bool:
    """Tell whether the name of `row` stands for what neither it nor the change that took it gave."""
    name = _name(row)
    ours = {row.get("digest"), *(each.get("digest") for each in new if _name(each) == name)}
    return bool(name) and any(
        _name(each) == name and each.get("digest") not in ours for each in rows
    )


def _put(rows: list[Document], name: str, new: Document) -> Document | None:
    """Put one named row in; give the one that had the name before."""
    old = next((row for row in rows if _name(row) == name), None)
    kept = [row for row in rows if _name(row) != name]
    kept = [row for row in kept if _written_name(row) or row.get("digest") != new["digest"]]
    kept.append(new)
    if old is not None and _is_lost(old, kept):
        kept.append(_without_name(old))
    rows[:] = kept
    return old


def _rows(raw: bytes) -> tuple[Document, list[Document]]:
    hint = "restore it, or pull the images again into a new store"
    try:
        document = decode(raw, what="index.json")
    except Invalid as error:
        raise IndexDamaged(str(error), hint=hint) from error
    rows = document.get("manifests", [])
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise IndexDamaged("index.json has no list of manifests", hint=hint)
    return document, rows


def _named(number: int, row: Document) -> Named:
    try:
        target = Descriptor.from_json(row)
    except LaminaError as error:
        raise IndexDamaged(
            f"index.json is damaged: row {number}: {error}", hint="remove that row"
        ) from error
    start = len(_FACT)
    facts = {key[start:]: text for key, text in target.annotations.items() if key.startswith(_FACT)}
    return Named(_complete(target.annotations.get(_NAME, "")), target, facts)


def _name(row: Document) -> str:
    return _complete(_written_name(row))


def _written_name(row: Document) -> str:
    annotations = row.get("annotations")
    return str(annotations.get(_NAME, "")) if isinstance(annotations, dict) else ""


def _complete(text: str) -> str:
    """Complete a name as other tools write it: `alpine:3` is one, a bare `latest` is none."""
    registry, slash, path = text.partition("/")
    tagged = ":" in path.rpartition("/")[2]
    if slash and tagged and (registry == "localhost" or "." in registry or ":" in registry):
        return text  # ours are complete: a listing parses none of them
    if not slash and ":" not in text:
        return ""
    from lamina.spec.reference import Reference, ReferenceInvalid

    try:
        return str(Reference.parse(text))
    except ReferenceInvalid:
        return ""


def _row(name: str, target: Descriptor, facts: Mapping[str, str]) -> Document:
    row = target.to_json()
    annotations = {
        key: text
        for key, text in target.annotations.items()
        if key != _NAME and not key.startswith(_FACT)
    }
    annotations |= {_FACT + key: text for key, text in facts.items()}
    if name:
        annotations[_NAME] = name
    row.pop("annotations", None)
    if annotations:
        row["annotations"] = annotations
    return row


def _without_name(row: Document) -> Document:
    annotations = {key: text for key, text in row["annotations"].items() if key != _NAME}
    lone = {key: value for key, value in row.items() if key != "annotations"}
    return {**lone, "annotations": annotations} if annotations else lone


def _is_lost(old: Document, rows: list[Document]) -> bool:
    return all(row.get("digest") != old.get("digest") for row in rows)
