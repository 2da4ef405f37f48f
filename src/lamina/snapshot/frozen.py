"""Frozen states of containers' writable layers, and the names that people gave them.

    snapshots/frozen/<id>/{upper,parent,snapshot.json}    a state; `parent` leads to the one below
    snapshots/active/<key>/parent                         the state that a container goes on from
    snapshots/names/<key>/<name>                          a container's named states

`parent` and names are symlinks whose target is an ID: made and replaced at once, and on the disk in
the same order as the renames around them, so that no `fsync` is needed for a state to be whole.
Freezing makes a fresh writable layer that goes on from a new ID, and lets it and the container's
change places: one rename, after which the ID means what the container had. A process killed before
leaves a directory that nothing leads to.
"""

import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from lamina.errors import AlreadyExists, Corrupt, Invalid, NotFound, Unsupported
from lamina.stream.files import acquire, disk_errors, fresh_name, locked, remove_tree
from lamina.values import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.snapshot.layers import Layers

__all__ = ["BEFORE_ROLLBACK", "Exchange", "Frozen", "Named", "StateExists", "StateUnknown"]

Exchange = Callable[[str, str], None]
"""Lets two paths change places, at once. Raises: OSError."""

BEFORE_ROLLBACK = "before-rollback"
"""The name of what a container was before it was last rolled back."""

_ID = 16
_NAME_LENGTH = 128
_PARENT = "parent"
_RECORD = "snapshot.json"


class StateUnknown(NotFound):
    """The container has no snapshot of that name."""


class StateExists(AlreadyExists):
    """The container has a snapshot of that name."""


class Named(NamedTuple):
    """A named state of one container; `created_ns` since 1970."""

    name: str
    state: str
    created_ns: int


class Frozen:
    """The frozen states under one root. Paths are those of active writable layers.

    Whoever calls keeps others from starting, freezing or removing the container meanwhile.
    """

    def __init__(self, layers: "Layers") -> None:
        self._layers = layers
        self._root = f"{layers.root}/snapshots"
        self._pool = f"{self._root}/frozen"
        self._names = f"{self._root}/names"

    def chain(self, path: str) -> tuple[str, ...]:
        """Give the frozen directories below a writable layer, topmost first. Raises: Corrupt."""
        found: list[str] = []
        while parent := _parent(path):
            path = f"{self._pool}/{parent}"
            found.append(f"{path}/upper")
        if found and not os.path.isdir(found[-1]):
            raise Corrupt(
                f"the frozen state {os.path.basename(path)} of a container is gone",
                hint="`lamina rollback` to an older snapshot, or remove the container",
            )
        return tuple(found)

    def freeze(self, path: str, exchange: Exchange) -> str:
        """Freeze what a container that does not run has written; give the state's ID.

        Nothing is copied, but where there is no overlayfs; and nothing happens where nothing
        changed since the last time.
        Raises: DiskFull, Unsupported.
        """
        if not os.path.isdir(f"{path}/work"):
            return self.copy(path)
        parent = _parent(path)
        if parent and self._is_untouched(path, parent):
            return parent
        return self._set_aside(path, exchange, lambda name: (name, f"{path}/upper"))

    def copy(self, path: str) -> str:
        """Copy what a container has written, which must hold still, into a state; give its ID.

        For containers that run, and those that have no layers. Raises: DiskFull.
        """
        from lamina.layer.duplicate import duplicate

        name = fresh_name()[:_ID]
        with disk_errors("copying a container's files"), self._layers.directories.place() as place:
            os.mkdir(place, 0o700)
            duplicate(f"{path}/upper", f"{place}/upper")
            self._furnish(place, path, _parent(path))
            with self.kept():
                os.rename(place, f"{self._pool}/{name}")
        return name

    def roll_back(self, path: str, state: str, exchange: Exchange, *, keep: bool) -> str:
        """Let a container go on from `state`; give the ID of what it was, if that is kept.

        Raises: DiskFull, Unsupported, Corrupt.
        """
        if not os.path.isdir(f"{self._pool}/{state}/upper"):
            raise Corrupt(f"the frozen state {state} is gone", hint="take another snapshot")
        like = f"{self._pool}/{state}/upper"
        parent = _parent(path)
        if keep and not (parent and self._is_untouched(path, parent)):
            return self._set_aside(path, exchange, lambda _: (state, like))
        with self._place(path, state, like) as place:
            self._exchange(exchange, place, path)  # and what it was goes with the place
        return parent if keep else ""

    def fork(self, path: str, state: str, target: str) -> None:
        """Make the writable layer `target`, which goes on from `state` of the one at `path`.

        Raises: DiskFull.
        """
        with self._place(path, state, f"{self._pool}/{state}/upper") as place:
            os.rename(place, target)

    def name(self, key: str, name: str, state: str, *, replacing: bool = False) -> None:
        """Name a state of the container `key`. Raises: StateExists, Invalid."""
        _check_name(name)
        os.makedirs(f"{self._names}/{key}", 0o700, exist_ok=True)
        link = f"{self._names}/{key}/{name}"
        if replacing:
            beside = f"{link}~"
            with suppress(FileNotFoundError):
                os.unlink(beside)
            os.symlink(state, beside)
            os.rename(beside, link)
            _date(link)
            return
        try:
            os.symlink(state, link)
            _date(link)
        except FileExistsError as error:
            raise StateExists(
                f"the container has a snapshot {name!r} already", hint="choose another name"
            ) from error

    def state(self, key: str, name: str) -> str:
        """Give the ID of a named state. Raises: StateUnknown, Invalid."""
        _check_name(name)
        try:
            return os.readlink(f"{self._names}/{key}/{name}")
        except FileNotFoundError as error:
            names = ", ".join(sorted(self.names(key)))
            raise StateUnknown(
                f"the container has no snapshot {name!r}",
                hint=f"it has {names}" if names else "`lamina snapshot CONTAINER NAME` makes one",
            ) from error

    def named(self, key: str) -> tuple[Named, ...]:
        """Give the container's named states, oldest first."""
        found = [self.one(key, name) for name in self.names(key)]
        return tuple(sorted(found, key=lambda row: (row.created_ns, row.name)))

    def names(self, key: str) -> list[str]:
        """Give the names of the container's named states, unsorted."""
        try:
            return [name for name in os.listdir(f"{self._names}/{key}") if name[-1] != "~"]
        except FileNotFoundError:
            return []

    def one(self, key: str, name: str) -> Named:
        """Give one named state. Raises: StateUnknown, Invalid."""
        state = self.state(key, name)
        return Named(name, state, os.lstat(f"{self._names}/{key}/{name}").st_mtime_ns)

    def forget(self, key: str, name: str) -> None:
        """Take a name away; what only it led to goes, too. Raises: StateUnknown, Invalid."""
        self.state(key, name)
        with suppress(FileNotFoundError):
            os.unlink(f"{self._names}/{key}/{name}")
        self.collect()

    def forget_container(self, key: str) -> None:
        """Remove the names of a container that is gone, and what only it led to."""
        if os.path.isdir(self._pool):
            remove_tree(f"{self._names}/{key}")
            self.collect()

    def collect(self) -> int:
        """Remove every state that nothing leads to; give how many.

        Not while another command makes one, which nothing leads to yet: what is left goes next time.
        """
        with self._alone() as alone:
            if not alone:
                return 0
            with suppress(FileNotFoundError):
                for key in os.listdir(self._names):
                    if not os.path.isdir(f"{self._root}/active/{key}"):  # its shim removed it
                        remove_tree(f"{self._names}/{key}")
            gone = self._unused()
            for name in gone:
                self._layers.discard_directory(f"{self._pool}/{name}")
        return len(gone)

    def unused(self) -> tuple[str, ...]:
        """Give every state that nothing leads to; none while one is being made."""
        with self._alone() as alone:
            return self._unused() if alone else ()

    def _unused(self) -> tuple[str, ...]:
        users = self.users()
        return tuple(name for name in sorted(os.listdir(self._pool)) if name not in users)

    @contextmanager
    def _alone(self) -> Iterator[bool]:
        """Keep others from making states for the body; tell if that is possible now."""
        if not os.path.isdir(self._pool):
            yield False
            return
        try:
            fd = acquire(self._lock, wait=False)
        except BlockingIOError:
            yield False
            return
        try:
            yield True
        finally:
            os.close(fd)

    def missing(self) -> tuple[tuple[str, str], ...]:
        """Give the key and state of every container that leads to a state which is not there."""
        return tuple(
            (key, state)
            for state, keys in sorted(self.users().items())
            if not os.path.isdir(f"{self._pool}/{state}/upper")
            for key in sorted(keys)
        )

    @property
    def _lock(self) -> str:
        return f"{self._root}/frozen.lock"

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Keep, for the body, states that nothing leads to yet from being collected."""
        os.makedirs(self._pool, 0o700, exist_ok=True)
        with locked(self._lock, shared=True):
            yield

    def _set_aside(
        self, path: str, exchange: Exchange, onto: Callable[[str], tuple[str, str]]
    ) -> str:
        """Put a new writable layer where the container's is, which gets an ID; give that.

        `onto` says, for that ID, what the new one goes on from and what its root is like.
        """
        name = fresh_name()[:_ID]
        with self.kept():
            with self._place(path, *onto(name)) as place:
                os.rename(place, f"{self._pool}/{name}")
            try:
                self._exchange(exchange, f"{self._pool}/{name}", path)
            except BaseException:
                self._layers.discard_directory(f"{self._pool}/{name}")
                raise
        # Its `work` stays, empty, until it goes itself: a busy disk takes longer to remove a folder
        # than for all the rest.
        return name

    @contextmanager
    def _place(self, path: str, state: str, like: str) -> Iterator[str]:
        """Make a writable layer that goes on from `state` for the container whose own is at `path`."""
        from lamina.layer.duplicate import duplicate

        with disk_errors("preparing a container"), self._layers.directories.place() as place:
            os.mkdir(place, 0o700)
            if os.path.isdir(f"{path}/work"):
                os.mkdir(f"{place}/upper", 0o755)
                os.mkdir(f"{place}/work", 0o700)
                _dress(f"{place}/upper", like)
                self._furnish(place, path, state)
            else:  # no overlayfs: each has everything
                duplicate(like, f"{place}/upper")
                self._furnish(place, path, "")
            yield place

    @staticmethod
    def _furnish(place: str, path: str, parent: str) -> None:
        if parent:
            os.symlink(parent, f"{place}/{_PARENT}")
        os.link(f"{path}/{_RECORD}", f"{place}/{_RECORD}")  # with its time: since when to compare

    @staticmethod
    def _exchange(exchange: Exchange, one: str, other: str) -> None:
        try:
            exchange(one, other)
        except OSError as error:
            raise Unsupported(
                f"two folders cannot change places on the file system of {other}: {error.strerror}",
                hint="keep LAMINA_ROOT on ext4, XFS, btrfs or tmpfs",
            ) from error

    def _is_untouched(self, path: str, parent: str) -> bool:
        """Tell whether nothing was written since the container went on from `parent`."""
        mine, theirs = f"{path}/upper", f"{self._pool}/{parent}/upper"
        if not os.path.isdir(f"{path}/work") or os.listdir(mine):
            return False
        return os.path.isdir(theirs) and _attributes(mine) == _attributes(theirs)

    def users(self) -> dict[str, set[str]]:
        """Give every state that something leads to, each with the keys of the containers."""
        active = f"{self._root}/active"
        found: dict[str, set[str]] = {}
        for key in os.listdir(active):
            names = (self.state(key, name) for name in self.names(key))
            pending = {_parent(f"{active}/{key}"), *names}
            while pending:
                state = pending.pop()
                if state and key not in found.setdefault(state, set()):
                    found[state].add(key)
                    pending.add(_parent(f"{self._pool}/{state}"))
        return found


def _parent(path: str) -> str:
    try:
        return os.readlink(f"{path}/{_PARENT}")
    except FileNotFoundError:
        return ""


def _date(link: str) -> None:
    """Say exactly when: the kernel's own times come in steps, in which several may be made."""
    now = time.time_ns()
    os.utime(link, ns=(now, now), follow_symlinks=False)


def _check_name(name: str) -> None:
    plain = name.replace("-", "").replace("_", "").replace(".", "")
    if not (
        plain.isascii() and plain.isalnum() and len(name) <= _NAME_LENGTH and name[0].isalnum()
    ):
        raise Invalid(
            f"invalid snapshot name {name!r}", hint="letters, digits, '_', '.' and '-', 128 at most"
        )


def _own_xattrs(path: str) -> list[tuple[str, bytes]]:
    """Give the attributes that are not overlayfs's notes about this very directory."""
    names = sorted(name for name in os.listxattr(path) if ".overlay." not in name)
    return [(name, os.getxattr(path, name)) for name in names]


def _attributes(path: str) -> tuple[object, ...]:
    found = os.stat(path)
    return found.st_mode, found.st_uid, found.st_gid, found.st_mtime_ns, _own_xattrs(path)


def _dress(path: str, like: str) -> None:
    """Give an empty directory what `like` has: overlayfs shows the topmost root's own."""
    found = os.stat(like)
    os.chown(path, found.st_uid, found.st_gid)
    for name, value in _own_xattrs(like):
        os.setxattr(path, name, value)
    os.chmod(path, stat.S_IMODE(found.st_mode))
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))
