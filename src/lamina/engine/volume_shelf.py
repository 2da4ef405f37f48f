"""The volumes of one engine: made, listed, looked at, removed.

volumes/<name>/_data holds the files, volume.json beside it who made it and how. Whoever makes a
container holds the shelf's lock shared until the record names its volumes; removing takes it alone,
so that no volume goes between being chosen and being used.
"""

import fcntl
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress

from lamina.engine.clock import rfc3339
from lamina.engine.journal import note_prune, note_volume
from lamina.engine.volume_device import check_options
from lamina.engine.volumes import METADATA, check_name, volume_folder
from lamina.errors import InUse, LaminaError, NotFound
from lamina.spec.wire import Document, decode
from lamina.values import dataclass, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.engine.engine import Engine

__all__ = ["ANONYMOUS", "Volume", "VolumeInUse", "VolumeUnknown", "Volumes"]

ANONYMOUS = "com.docker.volume.anonymous"
"""The label by which Docker marks a volume that nobody named."""


class VolumeUnknown(NotFound):
    """There is no such volume."""


class VolumeInUse(InUse):
    """A container has the volume."""


@dataclass(frozen=True, slots=True)
class Volume:
    """One volume. `folder` holds its files; `created` is RFC 3339."""

    name: str
    folder: str
    created: str
    labels: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def anonymous(self) -> bool:
        """Whether it was made for a container and nobody named it."""
        return ANONYMOUS in self.labels

    def to_json(self) -> Document:
        """Give it as docker's `volume inspect` shapes it."""
        return {
            "CreatedAt": self.created,
            "Driver": "local",
            "Labels": dict(self.labels) or None,
            "Mountpoint": self.folder,
            "Name": self.name,
            "Options": dict(self.options) or None,
            "Scope": "local",
        }


class Volumes:
    """Everything done with volumes."""

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine
        self._folder = engine.store.disk.volumes

    def create(
        self,
        name: str = "",
        *,
        labels: Mapping[str, str] | None = None,
        options: Mapping[str, str] | None = None,
    ) -> Volume:
        """Make a volume; one of that name that is there already is given as it is, as Docker does.

        Without a name it gets 64 random digits. Raises: Invalid (name, options), Unsupported (options).
        """
        from lamina.runtime.userns import enter

        marks = {**(labels or {}), **({} if name else {ANONYMOUS: ""})}
        name = name or os.urandom(32).hex()
        check_name(name)
        check_options(options or {})
        enter()
        with self.held():
            volume_folder(self._engine, name, labels=marks, options=options or {})
        return self.get(name)

    def get(self, name: str) -> Volume:
        """Give one volume. Raises: VolumeUnknown."""
        found = self._read(name) if name and "/" not in name else None
        if found is None:
            raise VolumeUnknown(f"get {name}: no such volume", hint="`lamina volume ls` lists them")
        return found

    def users(self) -> dict[str, list[str]]:
        """Map each volume's name that a container has to the IDs of those containers."""
        found: dict[str, list[str]] = {}
        for record in self._engine.containers.records():
            for mount in record.mounts:
                if mount["Type"] == "volume":
                    found.setdefault(str(mount.get("Name")), []).append(record.id)
        return found

    def list(self) -> tuple[Volume, ...]:
        """Give every volume, by name."""
        try:
            names = sorted(os.listdir(self._folder))
        except FileNotFoundError:
            return ()
        return tuple(volume for name in names if (volume := self._read(name)))

    def _read(self, name: str) -> Volume | None:
        folder = f"{self._folder}/{name}"
        data = f"{folder}/_data"
        facts: Document = {}
        try:
            made = os.stat(folder).st_mtime_ns
            with (
                suppress(FileNotFoundError, LaminaError),
                open(f"{folder}/{METADATA}", "rb") as file,
            ):
                facts = decode(file.read(), what=METADATA)
        except (FileNotFoundError, NotADirectoryError):
            return None
        created = str(facts.get("created") or rfc3339(made))
        return Volume(name, data, created, facts.get("labels") or {}, facts.get("options") or {})

    def remove(self, name: str, *, force: bool = False) -> None:
        """Remove a volume with its files; with `force` one that is not there is no failure.

        Raises: VolumeUnknown, VolumeInUse.
        """
        from lamina.runtime.userns import enter

        enter()
        with self.held(alone=True):
            try:
                self.get(name)
            except VolumeUnknown:
                if force:
                    return
                raise
            users = self.users().get(name)
            if users:
                raise VolumeInUse(
                    f"remove {name}: volume is in use - [{', '.join(users)}]",
                    hint="remove those containers first: `lamina rm`",
                )
            self._drop(name)

    def prune(
        self, accepts: Callable[[Volume], bool] = lambda _: True, *, named: bool = False
    ) -> tuple[tuple[str, ...], int]:
        """Remove the volumes that no container has; only anonymous ones unless `named`.

        Give their names and the bytes freed.
        """
        from lamina.runtime.userns import enter

        enter()
        removed, freed = [], 0
        with self.held(alone=True):
            users = self.users()
            for volume in self.list():
                if volume.name in users or not (named or volume.anonymous) or not accepts(volume):
                    continue
                size = _size(volume.folder)
                self._drop(volume.name)
                removed.append(volume.name)
                freed += size
        note_prune(self._engine, "volume", freed)
        return tuple(removed), freed

    def _drop(self, name: str) -> None:
        from lamina.stream.files import remove_tree

        with suppress(FileNotFoundError):
            os.unlink(f"{self._folder}/{name}/{METADATA}")
        remove_tree(f"{self._folder}/{name}")
        note_volume(self._engine, name, "destroy")

    @contextmanager
    def held(self, *, alone: bool = False) -> Iterator[None]:
        """Keep, for the body, volumes from being removed; `alone`: from being taken into use."""
        os.makedirs(self._folder, mode=0o711, exist_ok=True)
        fd = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
            yield
        finally:
            os.close(fd)


def _size(folder: str) -> int:
    """Count the bytes that files below `folder` take on disk; a hard link counts once."""
    total = 0
    seen: set[tuple[int, int]] = set()
    for path, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                info = os.lstat(f"{path}/{name}")
                if (info.st_dev, info.st_ino) not in seen:
                    seen.add((info.st_dev, info.st_ino))
                    total += info.st_blocks * 512
    return total
