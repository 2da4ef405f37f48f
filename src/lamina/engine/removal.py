"""Removing containers, those included whose making or removal was cut short.

A container is there when its container.json is: written last, removed first. A folder without one,
whose lock nobody holds, was left by a process that was killed; `sweep` puts it away.
"""

import os
from contextlib import contextmanager, suppress

from lamina.engine.names import unknown
from lamina.engine.records import RECORD, hold
from lamina.errors import InUse, LaminaError
from lamina.spec.mount import SHARED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from lamina.engine.engine import Engine
    from lamina.engine.records import ContainerRecord

__all__ = ["ContainerInUse", "present", "remove", "remove_over", "sweep", "torn"]

_REMOVE_WAIT_S = 15.0


class ContainerInUse(InUse):
    """The container runs, and what was asked wants it stopped."""


def remove(engine: "Engine", record: "ContainerRecord", *, volumes: bool) -> None:
    """Remove a container that does not run; `volumes`: its anonymous ones too.

    Raises: ContainerInUse (somebody is busy with it).
    """
    from lamina.engine.journal import note_container, note_volume
    from lamina.stream.files import remove_tree

    containers = engine.containers
    try:
        lock = containers.files.take(record.id, wait_s=_REMOVE_WAIT_S)
    except FileNotFoundError:  # `--rm` was quicker
        return
    except BlockingIOError as error:
        raise ContainerInUse(f"container {record.name} is busy") from error
    try:
        for mount in record.mounts if volumes else ():  # while the record tells of them
            if mount.get("Anonymous") and not os.path.exists(f"{mount['Folder']}/{SHARED}"):
                remove_tree(mount["Folder"])
        # Under the lock of names: a renaming that goes on meanwhile would write the record again.
        with suppress(FileNotFoundError), containers.register.renaming():
            os.unlink(f"{record.folder}/{RECORD}")
        _put_away(engine, record.id)
        note_container(engine, record, "destroy")
        for mount in record.mounts if volumes else ():
            if mount.get("Anonymous"):
                note_volume(engine, mount["Name"], "destroy")
    finally:
        os.close(lock)


@contextmanager
def present(engine: "Engine", record: "ContainerRecord", name: str = "") -> "Iterator[None]":
    """Make sure that a container was there for all of the body, which reads or writes its files.

    Its record goes before its files do. `name` is what people called it.
    Raises: ContainerUnknown (it was removed meanwhile, so what was read may be half of it).
    """
    try:
        yield
    except (LaminaError, OSError) as error:
        if engine.containers.files.load(record.id) is None:
            raise unknown(name or record.name) from error
        raise
    if engine.containers.files.load(record.id) is None:
        raise unknown(name or record.name)


def torn(engine: "Engine") -> "Iterator[str]":
    """Give the ID of every container that was never finished, or whose removal was not."""
    containers = engine.containers
    for container in containers.register.ids():
        if not _is_whole(engine, container) and not containers.files.is_held(container):
            yield container


def remove_over(engine: "Engine") -> tuple[str, ...]:
    """Remove the `--rm` containers that ended with their shim or with the machine; give their IDs.

    With their anonymous volumes, as their shims would have. One that somebody is busy with is left.
    """
    containers = engine.containers
    removed = []
    for record in containers.records():
        if not record.host.get("AutoRemove"):
            continue
        state = containers.state(record.id)
        ended = state.status == "exited" or state.starting
        if ended and not containers.files.is_held(record.id):
            with suppress(ContainerInUse):
                remove(engine, record, volumes=True)
                removed.append(record.id)
    return tuple(removed)


def sweep(engine: "Engine") -> tuple[str, ...]:
    """Put away what killed processes left of containers; give the IDs. Running ones are untouched."""
    swept = list(remove_over(engine))
    for container in torn(engine):
        try:
            lock = hold(f"{engine.containers.register.folder}/{container}/lock")
        except (FileNotFoundError, BlockingIOError):
            continue
        try:
            if not _is_whole(engine, container):
                _put_away(engine, container)
                swept.append(container)
        finally:
            os.close(lock)
    if os.path.isdir(f"{engine.settings.root}/snapshots/frozen"):  # of `--rm` containers, too
        engine.snapshotter.frozen.collect()
    if os.path.isdir(networks := f"{engine.settings.run_root}/n"):
        from lamina.runtime.net.keeper import sweep as sweep_networks

        sweep_networks(networks)
    engine.containers.register.free_stale(lambda container: _name_of(engine, container))
    return tuple(swept)


def _name_of(engine: "Engine", container: str) -> str:
    record = engine.containers.files.load(container)
    return record.name if record else ""


def _is_whole(engine: "Engine", container: str) -> bool:
    """Tell whether there is a record; a power cut may leave an empty one of a `--rm` container."""
    try:
        return os.stat(f"{engine.containers.register.folder}/{container}/{RECORD}").st_size > 0
    except (FileNotFoundError, NotADirectoryError):
        return False


def _put_away(engine: "Engine", container: str) -> None:
    """Remove all that is kept of a container without a record; its lock is held."""
    from lamina.engine.execution import order_folder
    from lamina.engine.room import unmount_unused
    from lamina.runtime.cgroups import discard
    from lamina.stream.files import remove_tree

    engine.snapshotter.remove(container)
    run_folder = order_folder(engine.settings.run_root, container)
    if os.path.isdir(run_folder):  # left by a shim that was killed
        discard(container, run_folder)
        remove_tree(run_folder)
        unmount_unused(engine)
    remove_tree(f"{engine.containers.register.folder}/{container}")
    engine.containers.register.free_all(container)
