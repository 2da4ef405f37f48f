"""What is kept of a container: a record that stays, a state that changes, a lock that tells.

containers/<id>/container.json is written by the engine; state.json by the shim; the shim holds
`lock` for as long as it lives. A state that says "running" while nobody holds the lock means that
the shim was killed or the machine went down, and the container with it.
"""

import errno
import fcntl
import os
import struct
from collections.abc import Sequence
from contextlib import suppress

from lamina.errors import LaminaError
from lamina.spec.digest import Digest
from lamina.spec.wire import Document, decode, encode
from lamina.values import dataclass, field

__all__ = ["RECORD", "ContainerRecord", "ContainerState", "Records", "hold"]

RECORD = "container.json"
"""The file that makes a folder a container: written last, removed first."""

_LOST = 137
_LIVING = ("running", "restarting")


@dataclass(frozen=True, slots=True)
class ContainerRecord:
    """What a container was created as. `config` and `host` are Docker's Config and HostConfig.

    `created` is RFC 3339; `diff_ids` lowest first; `mounts` as Docker's inspect shows them;
    `points` are paths that the runtime makes in the writable layer to mount on; `networks` maps a
    network's ID (or `bridge`) to the aliases, `ip` and `mac` that were asked for on it.
    """

    id: str
    name: str
    created: str
    image_id: Digest
    image_name: str
    diff_ids: tuple[Digest, ...]
    config: Document
    host: Document
    path: str
    args: tuple[str, ...]
    driver: str
    mounts: tuple[Document, ...] = ()
    points: tuple[str, ...] = ()
    networks: Document = field(default_factory=dict)
    folder: str = field(default="", compare=False)

    @classmethod
    def from_json(cls, document: Document, folder: str) -> "ContainerRecord":
        """Read container.json."""
        return cls(
            id=document["id"],
            name=document["name"],
            created=document["created"],
            image_id=Digest(document["image_id"]),
            image_name=document["image_name"],
            diff_ids=tuple(Digest(text) for text in document["diff_ids"]),
            config=document["config"],
            host=document["host"],
            path=document["path"],
            args=tuple(document["args"]),
            driver=document["driver"],
            mounts=tuple(document["mounts"]),
            points=tuple(document["points"]),
            networks=document.get("networks") or {},
            folder=folder,
        )

    def to_json(self) -> Document:
        """Give container.json."""
        names = [name for name in self.__match_args__ if name != "folder"]
        return {name: getattr(self, name) for name in names}

    @property
    def command(self) -> str:
        """The command as `ps` shows it: program and arguments, quoted where they have spaces."""
        return " ".join(_quoted(word) for word in (self.path, *self.args))

    @property
    def images(self) -> tuple[Digest, ...]:
        """The images that it needs: its own, and those that it mounts."""
        return (self.image_id, *(Digest(row["ImageID"]) for row in self._image_rows()))

    @property
    def piles(self) -> tuple[tuple[Digest, ...], ...]:
        """The layers of these, lowest first."""
        mounted = (tuple(map(Digest, row["DiffIDs"])) for row in self._image_rows())
        return (self.diff_ids, *mounted)

    def _image_rows(self) -> list[Document]:
        return [row for row in self.mounts if row["Type"] == "image"]

    @property
    def terminal(self) -> bool:
        """Whether the first process has a terminal."""
        return bool(self.config.get("Tty"))


def _quoted(word: str) -> str:
    plain = word and not any(c in word for c in " \t\n'\"\\$&;|<>()*?[]{}#~`!")
    return word if plain else "'" + word.replace("'", "'\\''") + "'"


@dataclass(frozen=True, slots=True)
class ContainerState:
    """How a container is now. Times are RFC 3339 or empty; `pid` is 0 when nothing runs.

    `restarts` counts how often its policy started it again; `stopped` tells that a person stopped it.
    `health` is Docker's State.Health, empty without checks. `starting`: a shim, the process `shim`, has
    begun to start it; when nobody holds the lock it was killed before it had.
    """

    status: str
    pid: int = 0
    started: str = ""
    finished: str = ""
    exit_code: int = 0
    error: str = ""
    shim: int = 0
    network: Document = field(default_factory=dict)
    oom_killed: bool = False
    restarts: int = 0
    stopped: bool = False
    health: Document = field(default_factory=dict)
    starting: bool = False

    @property
    def is_running(self) -> bool:
        """Whether it runs, paused or not, or is about to run again."""
        return self.status in ("running", "paused", "restarting")

    def to_json(self) -> Document:
        """Give what differs from the defaults: all that `ContainerState(**...)` needs."""
        values = {name: getattr(self, name) for name in self.__match_args__}
        return {name: value for name, value in values.items() if value or name == "status"}


class Records:
    """The records under one `containers` folder."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def save(self, record: ContainerRecord, *, durable: bool = True) -> None:
        """Write the record, whole or not at all; not `durable`, a power cut may spoil it."""
        from lamina.stream.files import replace

        path = f"{self.folder}/{record.id}/{RECORD}"
        replace(path, encode(record.to_json()), mode=0o600, durable=durable)

    def load(self, container: str) -> ContainerRecord | None:
        """Read one record; None when it is gone or was never finished."""
        folder = f"{self.folder}/{container}"
        try:
            with open(f"{folder}/{RECORD}", "rb") as file:
                return ContainerRecord.from_json(decode(file.read(), what="container.json"), folder)
        except (FileNotFoundError, NotADirectoryError, KeyError, LaminaError):
            return None

    def all(self, ids: Sequence[str]) -> list[ContainerRecord]:
        """Read the records of `ids`, newest first."""
        found = [record for name in ids if (record := self.load(name)) is not None]
        found.sort(key=lambda record: record.created, reverse=True)
        return found

    def is_held(self, container: str) -> bool:
        """Tell whether a shim has the container's lock, without taking it even for a moment."""
        try:
            fd = os.open(f"{self.folder}/{container}/lock", os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            query = struct.pack("@hhqqi", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
            answer = fcntl.fcntl(fd, fcntl.F_OFD_GETLK, query)
            return bool(struct.unpack("@hhqqi", answer)[0] == fcntl.F_WRLCK)
        finally:
            os.close(fd)

    def state(self, container: str) -> ContainerState:
        """Tell how the container is, by its state file and its lock."""
        while (document := self._document(container)) is not None:
            status = str(document.get("status", "created"))
            if status not in _LIVING:
                return _state(status, document)
            # Its shim takes the lock before it writes that and lets go after it wrote the end.
            if self.is_held(container):
                return _state("paused" if document.get("paused") else status, document)
            lost = self._lost(container)
            if lost is not None:
                return lost
        return ContainerState("created")

    def take(self, container: str, *, wait_s: float = 0.0, shared: bool = False) -> int:
        """Take the container's lock, see `hold`; give its descriptor.

        A state that a killed shim left at "running" is written down as ended: with the lock it
        would come true again. Raises: BlockingIOError (held by another), FileNotFoundError (the
        container is gone).
        """
        folder = f"{self.folder}/{container}"
        create = os.path.exists(f"{folder}/{RECORD}")  # in one that is going nobody needs a lock
        lock = hold(f"{folder}/lock", wait_s=wait_s, shared=shared, create=create)
        self._ended(container, writes=True)
        return lock

    def _document(self, container: str) -> Document | None:
        try:
            with open(f"{self.folder}/{container}/state.json", "rb") as file:
                return decode(file.read(), what="state.json")
        except (FileNotFoundError, LaminaError):
            return None

    def _lost(self, container: str) -> ContainerState | None:
        """Record the end of a container whose shim is gone: the kernel ended it with the shim.

        None when it is not so any more, as it ended or was started meanwhile.
        """
        try:
            lock = hold(f"{self.folder}/{container}/lock", shared=True, create=False)
        except BlockingIOError:
            return None
        except OSError:  # somebody else's: telling the truth needs no right to write
            return self._ended(container, writes=False)
        try:
            return self._ended(container, writes=True)
        finally:
            os.close(lock)

    def _ended(self, container: str, *, writes: bool) -> ContainerState | None:
        """Give the end of a container that has no shim; with `writes`, note it: the lock is ours.

        None when it is not said to run.
        """
        import time

        from lamina.engine.clock import rfc3339
        from lamina.stream.files import replace

        path = f"{self.folder}/{container}/state.json"
        try:
            document = self._document(container)
            if document is None or document.get("status") not in _LIVING:
                return None
            document |= {
                "status": "exited",
                "exit_code": _LOST,
                "pid": 0,
                # When it was nobody saw: by now. Who cannot write that down must say the same next time.
                "finished": rfc3339(time.time_ns() if writes else os.stat(path).st_mtime_ns),
                "error": "the container's shim was killed or the machine went down",
            }
            if writes:
                with suppress(LaminaError):
                    replace(path, encode(document))
        except FileNotFoundError:  # removed meanwhile
            return None
        return _state("exited", document)


def _state(status: str, document: Document) -> ContainerState:
    return ContainerState(
        status=status,
        pid=int(document.get("pid") or 0),
        started=str(document.get("started") or ""),
        finished=str(document.get("finished") or ""),
        exit_code=int(document.get("exit_code") or 0),
        error=str(document.get("error") or ""),
        shim=int(document.get("shim") or 0),
        network=document.get("network") or {},
        oom_killed=bool(document.get("oom_killed")),
        restarts=int(document.get("restarts") or 0),
        stopped=bool(document.get("stopped")),
        health=document.get("health") or {},
        starting=bool(document.get("starting")),
    )


def hold(path: str, *, wait_s: float = 0.0, shared: bool = False, create: bool = True) -> int:
    """Take a container's lock; give its descriptor, for the shim to inherit.

    An open file description lock: it can be asked about without being taken. Waits `wait_s` for a
    shim that is cleaning up. `shared` keeps shims out and does not count as one.
    Raises: BlockingIOError (held by another), FileNotFoundError (the folder is gone, or was removed
    while we waited; without `create` the file).
    """
    import time

    fd = os.open(path, os.O_RDWR | (os.O_CREAT if create else 0) | os.O_CLOEXEC, 0o600)
    kind = fcntl.F_RDLCK if shared else fcntl.F_WRLCK
    lock = struct.pack("@hhqqi", kind, os.SEEK_SET, 0, 0, 0)
    deadline = time.monotonic() + wait_s
    failure: OSError | None = None
    try:
        while not _is_locked(fd, lock):
            if time.monotonic() >= deadline:
                failure = BlockingIOError(errno.EAGAIN, "the container's lock is held")
                break
            time.sleep(0.005)
        else:
            if os.fstat(fd).st_nlink:
                return fd
            failure = FileNotFoundError(errno.ENOENT, "the container was removed", path)
    except BaseException:
        os.close(fd)
        raise
    os.close(fd)
    raise failure


def _is_locked(fd: int, lock: bytes) -> bool:
    try:
        fcntl.fcntl(fd, fcntl.F_OFD_SETLK, lock)
    except (BlockingIOError, PermissionError):
        return False
    return True
