"""Checkpoints of a container's files: taken, returned to, and gone on from by several at once.

Of a container that does not run, what it has written becomes read-only and an empty layer lies on
it: no file is read or copied. One that runs has its directory open, so that it is paused and what
it has written is copied beside; its processes notice nothing. Volumes and memory are no part of it.
"""

import os
import secrets
from contextlib import contextmanager

from lamina.engine.clock import now_ns
from lamina.engine.records import hold
from lamina.engine.removal import ContainerInUse
from lamina.errors import Invalid
from lamina.runtime.log import timestamp
from lamina.values import dataclass, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lamina.engine.engine import Engine
    from lamina.engine.records import ContainerRecord
    from lamina.snapshot.frozen import Frozen, Named
    from lamina.spec.wire import Document

__all__ = ["ContainerSnapshot", "forget", "fork", "rollback", "snapshot", "snapshots"]

_WAIT_S = 15.0
_MOST_FORKS = 1000


@dataclass(frozen=True, slots=True)
class ContainerSnapshot:
    """A checkpoint of the container with this ID; `created` is RFC 3339."""

    container: str
    name: str
    created: str


def snapshot(engine: "Engine", record: "ContainerRecord", name: str = "") -> ContainerSnapshot:
    """Take a checkpoint; without a name the next free number is its name.

    A running container is paused while what it has written is copied.
    Raises: StateExists, Invalid, DiskFull, ContainerInUse (somebody is busy with it).
    """
    frozen = engine.snapshotter.frozen
    if name:
        _refuse_taken(frozen, record, name)
    with _state(engine, record) as state:
        chosen = name or _next_number(frozen, record)
        frozen.name(record.id, chosen, state)
    return _shown(record, frozen.one(record.id, chosen))


def snapshots(engine: "Engine", record: "ContainerRecord") -> tuple[ContainerSnapshot, ...]:
    """Give a container's checkpoints, oldest first."""
    return tuple(_shown(record, row) for row in engine.snapshotter.frozen.named(record.id))


def _shown(record: "ContainerRecord", named: "Named") -> ContainerSnapshot:
    return ContainerSnapshot(record.id, named.name, timestamp(named.created_ns))


def rollback(
    engine: "Engine", record: "ContainerRecord", name: str, *, keep: bool = True
) -> ContainerSnapshot | None:
    """Let the container's files be as they were; give the checkpoint of what they were until now.

    That is called `before-rollback`, and the next rollback replaces it; with `keep` off there is
    none. Raises: StateUnknown, ContainerInUse (it runs), DiskFull, Unsupported.
    """
    from lamina.runtime.syscalls import exchange
    from lamina.snapshot.frozen import BEFORE_ROLLBACK

    frozen = engine.snapshotter.frozen
    state = frozen.state(record.id, name)
    lock = _locked(record)
    if lock < 0:
        raise ContainerInUse(
            f"container {record.name} is running, and its processes hold its files open",
            hint=f"`lamina stop {record.name}` first, or go on from the snapshot beside it: "
            f"`lamina fork --from {name} {record.name} 1`",
        )
    try:
        path = engine.snapshotter.path(record.id)
        before = frozen.roll_back(path, state, exchange, keep=keep)
        if before:
            frozen.name(record.id, BEFORE_ROLLBACK, before, replacing=True)
    finally:
        os.close(lock)
    frozen.collect()
    if not keep:
        return None
    return _shown(record, frozen.one(record.id, BEFORE_ROLLBACK))


def forget(engine: "Engine", record: "ContainerRecord", name: str) -> None:
    """Remove a checkpoint; what the container now is does not change. Raises: StateUnknown."""
    engine.snapshotter.frozen.forget(record.id, name)


def fork(
    engine: "Engine",
    record: "ContainerRecord",
    count: int,
    *,
    names: "Sequence[str]" = (),
    start: str = "",
) -> "tuple[ContainerRecord, ...]":
    """Make `count` containers that go on from this one's files, or from its checkpoint `start`.

    Created, not started, with its settings, named as `names` says or NAME-1 and so on. They share
    what is there, but for anonymous volumes: each gets its own, as new.
    Raises: StateUnknown, NameTaken, Invalid, DiskFull, ContainerInUse.
    """
    if not 0 < count <= _MOST_FORKS:
        raise Invalid(f"invalid number of forks: {count}", hint=f"from 1 to {_MOST_FORKS}")
    if names and len(names) != count:
        raise Invalid(f"{count} forks need {count} names, not {len(names)}")
    made: list[ContainerRecord] = []
    try:
        with engine.store.lease(), _state(engine, record, start) as state:
            for name in names or _free_names(engine, record, count):
                made.append(_fork(engine, record, state, name))  # noqa: PERF401 - known even when the next one fails
    except BaseException:
        for other in made:
            engine.containers.remove(other.id, volumes=True)
        engine.snapshotter.frozen.collect()
        raise
    return tuple(made)


def _free_names(engine: "Engine", record: "ContainerRecord", count: int) -> "Iterator[str]":
    """Give `count` names that nobody has: NAME-1 and so on."""
    number = 0
    while count:
        number += 1
        name = f"{record.name}-{number}"
        if not engine.containers.register.holder(name):
            count -= 1
            yield name


def _fork(engine: "Engine", record: "ContainerRecord", state: str, name: str) -> "ContainerRecord":
    """Make one container that goes on from `state`. All or nothing, also when killed."""
    from lamina.engine.creation import begin, take_back
    from lamina.engine.mounting import forget_volumes

    container = secrets.token_hex(32)
    folder = f"{engine.store.disk.containers}/{container}"
    lock = begin(folder)
    claimed = ""
    mounts: list[Document] = []
    try:
        claimed = engine.containers.claim(name, container)
        mounts.extend(_mount(engine, record, mount) for mount in record.mounts)
        new = replace(
            record,
            id=container,
            name=claimed,
            created=timestamp(now_ns()),
            config=_config(record, container),
            host=_host(record),
            networks={name: _endpoint(row) for name, row in record.networks.items()},
            mounts=tuple(mounts),
            folder=folder,
        )
        path = engine.snapshotter.path(record.id)
        engine.snapshotter.frozen.fork(path, state, engine.snapshotter.forked(container))
        engine.containers.files.save(new)
    except BaseException:
        forget_volumes(engine, [row for row in mounts if row not in record.mounts])
        take_back(engine, container, folder, claimed)
        raise
    finally:
        os.close(lock)
    return new


def _config(record: "ContainerRecord", container: str) -> "Document":
    """Give the settings; a name of the machine that was the container's ID is the new one's."""
    if record.config.get("Hostname") != record.id[:12]:
        return record.config
    return {**record.config, "Hostname": container[:12]}


def _host(record: "ContainerRecord") -> "Document":
    """Give the host's part; a port of the machine that the container has is another one's for a fork."""
    bindings = record.host.get("PortBindings")
    if not bindings:
        return record.host
    free = {
        port: [
            {**row, "HostPort": row["HostPort"] if "-" in row["HostPort"] else ""}
            for row in rows or ()
        ]
        for port, rows in bindings.items()
    }
    return {**record.host, "PortBindings": free}


def _endpoint(row: "Document") -> "Document":
    """Give a place on a network, without the addresses that are the container's own."""
    return {**row, "ip": "", "ip6": "", "mac": ""}


def _mount(engine: "Engine", record: "ContainerRecord", mount: "Document") -> "Document":
    """Give a mount of a fork: an anonymous volume goes with its container, so each has its own."""
    from lamina.engine.volume_shelf import ANONYMOUS
    from lamina.engine.volumes import volume_folder

    if not mount.get("Anonymous"):
        return mount
    name = secrets.token_hex(32)
    target = str(mount["Destination"])
    labels = {ANONYMOUS: ""}
    path = volume_folder(engine, name, pile=record.diff_ids, target=target, labels=labels)
    return {**mount, "Name": name, "Source": path, "Folder": os.path.dirname(path)}


@contextmanager
def _state(engine: "Engine", record: "ContainerRecord", start: str = "") -> "Iterator[str]":
    """Freeze or copy what the container is now; give the state's ID, which stays for the body.

    That of the checkpoint `start`, if it is one that is wanted.
    """
    from lamina.runtime.syscalls import exchange

    frozen = engine.snapshotter.frozen
    if start:
        with frozen.kept():
            yield frozen.state(record.id, start)
        return
    lock = _locked(record)
    if lock >= 0:
        try:
            with frozen.kept():
                yield frozen.freeze(engine.snapshotter.path(record.id), exchange)
        finally:
            os.close(lock)
        return
    with frozen.kept():
        with engine.containers.paused(record.id):
            state = frozen.copy(engine.snapshotter.path(record.id))
        yield state


def _locked(record: "ContainerRecord") -> int:
    """Take the container's lock; -1 where it runs. Raises: ContainerInUse (busy), NotFound."""
    from lamina.engine.records import Records

    records = Records(os.path.dirname(record.folder))
    path = f"{record.folder}/lock"
    try:
        return hold(path)
    except BlockingIOError:
        if records.state(record.id).is_running:
            return -1
    except FileNotFoundError as error:
        raise _gone(record) from error
    try:  # its shim is still cleaning up, or another command is busy with it
        return hold(path, wait_s=_WAIT_S)
    except BlockingIOError as error:
        if records.state(record.id).is_running:
            return -1
        raise ContainerInUse(f"container {record.name} is busy") from error
    except FileNotFoundError as error:
        raise _gone(record) from error


def _gone(record: "ContainerRecord") -> Exception:
    from lamina.engine.names import ContainerUnknown

    return ContainerUnknown(f"No such container: {record.name}")


def _refuse_taken(frozen: "Frozen", record: "ContainerRecord", name: str) -> None:
    """Refuse a bad or taken name before anything is copied."""
    from lamina.errors import NotFound
    from lamina.snapshot.frozen import StateExists

    try:
        frozen.state(record.id, name)
    except NotFound:
        return
    raise StateExists(f"the container has a snapshot {name!r} already", hint="choose another name")


def _next_number(frozen: "Frozen", record: "ContainerRecord") -> str:
    taken = [int(name) for name in frozen.names(record.id) if name.isdecimal()]
    return str(max(taken, default=0) + 1)
