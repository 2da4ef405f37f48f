"""Directory states: the layers of an image under a container's writable one, as values.

Nothing here mounts: a `Stack` says what lies on what, `mounts` what to do about it.
"""

import errno
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress

from lamina.errors import AlreadyExists, Corrupt, Invalid, LaminaError, NotFound, Unavailable
from lamina.layer.stack import Changed, Lower, Stack
from lamina.snapshot.checks import Checks
from lamina.snapshot.frozen import Frozen
from lamina.spec.digest import Digest, chain_id
from lamina.spec.mount import Mount
from lamina.spec.wire import decode, encode
from lamina.stream.files import disk_errors, publish, replace
from lamina.values import Protocol, dataclass
from lamina.values import replace as replaced

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.layer.sealed import SealedLayer
    from lamina.snapshot.layers import Layers

__all__ = [
    "Driver",
    "SnapshotExists",
    "SnapshotMoved",
    "SnapshotUnknown",
    "Snapshotter",
    "Surroundings",
]

_KEY_LENGTH = 128
_SHORT = 32
_TAKEN = (errno.EEXIST, errno.ENOTEMPTY)
_PLAIN = ("index=off", "redirect_dir=nofollow", "metacopy=off")
_MARKED = ("index=off", "redirect_dir=on", "metacopy=on")


class SnapshotUnknown(NotFound):
    """No container has a writable layer under this key."""


class SnapshotExists(AlreadyExists):
    """The key is taken."""


class SnapshotMoved(Unavailable):
    """The writable layer became another while it was read."""


class Driver(Protocol):
    """How the layers below a container are provided: sealed, unpacked or copied."""

    @property
    def name(self) -> str:
        """The word people choose the driver with."""

    @property
    def reason(self) -> str:
        """Why this driver serves this machine, for people."""

    def lowers(self, diff_ids: Sequence[Digest], *, above: int = 0) -> tuple[Lower, ...]:
        """Give the pile's layers, lowest first, ready to be stacked under `above` others.

        Raises: LayerUnknown.
        """

    def ready(self, diff_ids: Sequence[Digest]) -> None:
        """Do now what the pile's last layer will need at its first use, if anything."""

    def view(self, diff_ids: Sequence[Digest]) -> tuple[Lower, ...]:
        """Give what shows the pile read-only."""

    def fill(self, upper: str, diff_ids: Sequence[Digest]) -> bool:
        """Put into the new directory `upper` what must be there; tell if overlayfs goes on top."""

    def changed(
        self, stack: Stack, diff_ids: Sequence[Digest], since_ns: int
    ) -> AbstractContextManager[Changed]:
        """Give, for the body, a directory in overlayfs's form with what the container changed.

        The snapshot was prepared at `since_ns`.
        """


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What mounting depends on: where mount points go, and what the kernel has.

    `userxattr`: we are in a user namespace, where overlayfs keeps its marks in `user.overlay.*`.
    `owners`: files may have other owners than us, which takes a range of user ids there.
    `directio`: sealed layers can be read around the page cache of their files (kernel 6.13, or a
    loop device). `by_loop`: the kernel mounts them from loop devices only. `metacopy`: overlayfs
    keeps changed owners, modes and times without a copy of the content (kernel 4.19).
    """

    run_root: str
    userxattr: bool = False
    owners: bool = True
    directio: bool = False
    by_loop: bool = False
    metacopy: bool = False


class Snapshotter:
    """Containers' writable layers under one root, on the layers that `layers` has.

    A snapshot keeps the driver that prepared it, whatever is chosen later.
    """

    def __init__(
        self,
        layers: "Layers",
        surroundings: Surroundings,
        chosen: Driver,
        other: Callable[[str], Driver] | None = None,
        checks: "Checks | None" = None,
    ) -> None:
        self._layers = layers
        self._surroundings = surroundings
        self._chosen = chosen
        self._checks = checks or Checks(f"{surroundings.run_root}/checked")
        self._other = other
        self._active = f"{layers.root}/snapshots/active"
        self.frozen = Frozen(layers)
        self._empty = tuple(f"{layers.root}/snapshots/{name}" for name in ("empty", "empty2"))

    @property
    def name(self) -> str:
        """The driver for new snapshots: `sealed`, `unpacked` or `copied`."""
        return self._chosen.name

    @property
    def reason(self) -> str:
        """Why that driver, for people."""
        return self._chosen.reason

    @property
    def metadata_changes(self) -> str:
        """What a changed owner, mode or time costs in a container, for people."""
        if self.name == "copied":
            return "copy no content: each container has its own"
        if self._surroundings.metacopy:
            return "copy no content"
        if self._surroundings.userxattr:
            return "copy the file: overlayfs leaves it in its layer for real root only"
        return "copy the file: overlayfs leaves it in its layer from kernel 4.19 on"

    @property
    def surroundings(self) -> Surroundings:
        """What its mounts depend on."""
        return self._surroundings

    def ready(self, diff_ids: Sequence[Digest]) -> None:
        """Do now what the pile's last layer will need at its first use.

        The layers below need not be here, unless its own index needs them. May be called again, and
        for several layers at once. Raises: LayerUnknown, Corrupt, DiskFull.
        """
        self._chosen.ready(tuple(diff_ids))

    def prepare(self, key: str, diff_ids: Sequence[Digest], *, durable: bool = True) -> Stack:
        """Make an empty writable layer named `key` on top of the pile; give the stack.

        Appears whole or not at all; not `durable`, a power cut may leave half of it. Raises: SnapshotExists, LayerUnknown, DiskFull.
        """
        path = self._path(key)
        if os.path.exists(path):
            raise SnapshotExists(f"a snapshot {key!r} exists already")
        pile = tuple(diff_ids)
        record = {"driver": self.name, "diff_ids": list(pile)}
        with self._layers.directories.place() as place, disk_errors("preparing a container"):
            self._make_empty()
            lowers = self._chosen.lowers(pile)
            os.mkdir(place, 0o700)
            os.mkdir(f"{place}/upper", 0o755)
            if self._chosen.fill(f"{place}/upper", pile):
                os.mkdir(f"{place}/work", 0o700)
                self._copy_root(f"{place}/upper", pile)
            replace(f"{place}/snapshot.json", encode(record), durable=durable)
            try:
                publish(place, path, durable=durable)
            except OSError as error:
                if error.errno in _TAKEN:
                    raise SnapshotExists(f"a snapshot {key!r} exists already") from error
                raise
        return self._stack(path, lowers)

    def stack(self, key: str) -> Stack:
        """Give the stack of a prepared snapshot. Raises: SnapshotUnknown, LayerUnknown."""
        path, driver, pile = self._record(key)
        frozen = self.frozen.chain(path)
        lowers = driver.lowers(pile, above=len(frozen))
        below = tuple(Lower(folder, sealed=False, diff_id=None) for folder in reversed(frozen))
        return self._stack(path, (*lowers, *below))

    def view(self, diff_ids: Sequence[Digest]) -> Stack:
        """Give a read-only stack of the pile; nothing needs to be removed afterwards."""
        self._make_empty()
        pile = tuple(diff_ids)
        lowers = self._chosen.view(pile)
        if pile and self._has_implied_root(pile):  # the kernel shows the topmost root: give it one
            folder = self._layers.directory(
                f"root-{chain_id(pile).hex}", lambda place: self._copy_root(place, pile)
            )
            lowers += (Lower(folder, sealed=False, diff_id=pile[-1]),)
        return Stack(lowers)

    def mounts(self, stack: Stack, target: str, *, read_only: bool = False) -> tuple[Mount, ...]:
        """Say how `stack` gets to `target`: the sealed layers first, then what joins them.

        Mounts of sealed layers have the same place for everyone, so each is made once per machine;
        its index is checked first, once per start of the machine: the kernel trusts it.
        With `read_only` the writable layer is the topmost of the lower ones, which any number of
        mounts may share; two that write would empty each other's scratch folder.
        Raises: Corrupt.
        """
        if stack.upper and not stack.work:
            return (Mount("bind", stack.upper, target, ("bind",)),)
        below = [self._lower_mount(lower) for lower in stack.lowers if lower.sealed]
        for mount in below:
            self._checks.check(mount.source)
        mounted = {mount.source: mount.target for mount in below}
        folders = [mounted.get(lower.path, lower.path) for lower in reversed(stack.lowers)]
        writable = bool(stack.upper) and not read_only
        if stack.upper and read_only:
            folders.insert(0, stack.upper)
        missing = (1 if writable else 2) - len(folders)  # overlayfs wants so many, all different
        folders += self._empty[: max(missing, 0)]
        options = [f"lowerdir+={folder}" for folder in folders]
        options += [f"upperdir={stack.upper}", f"workdir={stack.work}"] if writable else ["ro"]
        # Marks count in the upper directory alone: layers have none. Under `userxattr`, where
        # programs write such attributes as they like, the kernel follows none and takes no options.
        if self._surroundings.userxattr:
            options += ["index=off", "userxattr"]
        else:
            options += _MARKED if stack.upper and self._surroundings.metacopy else _PLAIN
        unique = tuple(dict.fromkeys(below))
        return (*unique, Mount("overlay", "overlay", target, tuple(options)))

    def changed(self, key: str) -> AbstractContextManager[Changed]:
        """Give, for the body, a directory in overlayfs's form with what the container changed.

        That is the upper directory itself where overlayfs is used; the `copied` driver compares.
        """
        path, driver, pile = self._record(key)
        try:
            before = os.stat(path)
            since_ns = os.stat(f"{path}/snapshot.json").st_mtime_ns
        except FileNotFoundError as error:  # removed just now
            raise SnapshotUnknown(f"there is no snapshot {key!r}") from error
        return self._changed(driver, pile, path, before, since_ns)

    @contextmanager
    def _changed(
        self,
        driver: Driver,
        pile: tuple[Digest, ...],
        path: str,
        before: os.stat_result,
        since_ns: int,
    ) -> Iterator[Changed]:
        frozen = self.frozen.chain(path)
        with driver.changed(self._stack(path, ()), pile, since_ns) as changed:
            yield replaced(changed, frozen=frozen) if frozen else changed
        with suppress(FileNotFoundError):
            if os.stat(path).st_ino != before.st_ino:  # frozen or rolled back under our hands
                raise SnapshotMoved(
                    "the container's writable layer was frozen or replaced while it was read",
                    hint="repeat the command",
                )

    def remove(self, key: str) -> None:
        """Remove a snapshot, whatever modes its files have; it must not be mounted. Absent is fine.

        Gone for everyone at once; a process killed meanwhile leaves the rest to the next removal.
        """
        self._layers.discard_directory(self._path(key))
        self.frozen.forget_container(key)
        self._layers.directories.clean()

    def usage(self, key: str) -> tuple[int, int]:
        """Give the bytes of files and the number of inodes that a container has written."""
        with self.changed(key) as changed:
            return _measure(changed)

    def has(self, key: str) -> bool:
        """Tell whether there is a snapshot `key`."""
        return os.path.isdir(self._path(key))

    def __iter__(self) -> Iterator[str]:
        """Give the keys of every snapshot."""
        return iter(os.listdir(self._active))

    def path(self, key: str) -> str:
        """Give where a writable layer lies, for `frozen`. Raises: SnapshotUnknown, Corrupt."""
        return self._record(key)[0]

    def forked(self, key: str) -> str:
        """Give where the writable layer of a new key is to lie. Raises: Invalid."""
        return self._path(key)

    def _path(self, key: str) -> str:
        plain = key.replace("-", "").replace("_", "").replace(".", "")
        if not (plain.isascii() and plain.isalnum() and len(key) <= _KEY_LENGTH and key[0] != "."):
            raise Invalid(f"invalid snapshot key {key!r}")
        return f"{self._active}/{key}"

    def _record(self, key: str) -> tuple[str, Driver, tuple[Digest, ...]]:
        path = self._path(key)
        try:
            with open(f"{path}/snapshot.json", "rb") as file:
                record = decode(file.read(), what=f"{path}/snapshot.json")
            driver = self._driver(record["driver"])
            pile = tuple(Digest.parse(text) for text in record["diff_ids"])
        except FileNotFoundError as error:
            raise SnapshotUnknown(f"there is no snapshot {key!r}") from error
        except (KeyError, TypeError, LaminaError) as error:
            raise Corrupt(
                f"{path}/snapshot.json is damaged: {error}",
                hint="remove the container with `lamina rm --force`",
            ) from error
        return path, driver, pile

    def _driver(self, name: str) -> Driver:
        """Give the driver that prepared a snapshot. Raises: KeyError."""
        if name == self._chosen.name:
            return self._chosen
        if self._other is None:
            raise KeyError(name)
        other: Driver = self._other(name)
        return other

    def _stack(self, path: str, lowers: tuple[Lower, ...]) -> Stack:
        work = f"{path}/work"
        return Stack(lowers, f"{path}/upper", work if os.path.isdir(work) else "")

    def _has_implied_root(self, pile: Sequence[Digest]) -> bool:
        with self._layers.open(pile) as layer:
            return layer.implied_root

    def _copy_root(self, upper: str, pile: Sequence[Digest]) -> None:
        """Give `upper` what the image's `/` has: overlayfs shows the topmost directory's own."""
        if not pile:
            return
        name = f"root-{chain_id(pile).hex}"
        noted = self._checks.root(name)
        if noted and _dressed(upper, noted, owners=self._surroundings.owners):
            return
        from lamina.layer.maker import dress
        from lamina.layer.view import Tree

        with ExitStack() as stack:
            layers: list[SealedLayer] = []
            for i in range(len(pile), 0, -1):  # down to the first that says what its root is
                layers.insert(0, stack.enter_context(self._layers.open(pile[:i])))
                if not layers[0].implied_root:
                    break
            root = Tree.of(layers).lookup(b"")
            if root is None:
                return
            where = self._surroundings
            dress(upper, root, owners=where.owners, privileged=not where.userxattr)
            if not root.has_xattrs:
                self._checks.note_root(name, (root.mode, root.uid, root.gid, root.mtime_ns))

    def _lower_mount(self, lower: Lower) -> Mount:
        name = os.path.basename(lower.path)[:_SHORT]
        around = self._surroundings
        # Not for containers, whose own mount decides: for this machine's other users, see SharedLayers.
        guarded = ("ro", "nosuid", "nodev")
        options = (*guarded, *["loop"] * around.by_loop, *["directio"] * around.directio)
        target = f"{around.run_root}/layers/{name}"
        return Mount("erofs", lower.path, target, options)

    def _make_empty(self) -> None:
        for path in self._empty:
            try:
                os.mkdir(path, 0o755)
            except FileExistsError:
                continue


def _dressed(folder: str, facts: tuple[int, int, int, int], *, owners: bool) -> bool:
    """Give a folder of ours mode, owner and time; False where the owner has no place here."""
    mode, uid, gid, time_ns = facts
    if (uid, gid) != ((os.geteuid(), os.getegid()) if owners else (0, 0)):
        if not owners:
            return False
        try:
            os.chown(folder, uid, gid)
        except OSError:
            return False
    os.chmod(folder, mode)
    os.utime(folder, ns=(time_ns, time_ns))
    return True


def _measure(changed: Changed) -> tuple[int, int]:
    metacopy = f"{changed.marks}.overlay.metacopy"
    size = 0
    seen: set[tuple[int, int]] = set()
    pending = list(changed.paths)
    while pending:
        try:
            with os.scandir(pending.pop()) as entries:
                rows = [(entry.path, entry.stat(follow_symlinks=False)) for entry in entries]
        except OSError:  # removed meanwhile, or nested deeper than a path can name
            continue
        for path, found in rows:
            if (found.st_dev, found.st_ino) in seen:
                continue
            seen.add((found.st_dev, found.st_ino))
            if stat.S_ISDIR(found.st_mode):
                pending.append(path)
            elif not (changed.marks and found.st_size and _has_mark(path, metacopy)):
                size += found.st_size
    return size, len(seen)


def _has_mark(path: str, mark: str) -> bool:
    try:
        os.getxattr(path, mark, follow_symlinks=False)
    except OSError:
        return False
    return True
