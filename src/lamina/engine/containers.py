"""Containers on this machine: everything done with them, one method per deed.

The deeds live next door: creation, execution, listing, archive. Methods take a name, an ID or the
start of an ID. What touches writable layers needs root or enters a user namespace first.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property

from lamina.engine import execution, removal
from lamina.engine.names import NameTaken, Register, unknown
from lamina.engine.records import ContainerRecord, ContainerState, Records
from lamina.engine.removal import ContainerInUse
from lamina.errors import NotFound

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO

    from lamina.engine.archive import PathStat
    from lamina.engine.container import Container
    from lamina.engine.disk_use import ContainerUse
    from lamina.engine.engine import Engine
    from lamina.engine.listing import ContainerSummary
    from lamina.engine.requests import CreateRequest, ExecRequest, VolumeMount
    from lamina.engine.restarting import RestartPolicy
    from lamina.engine.snapshots import ContainerSnapshot
    from lamina.layer.diff import Change
    from lamina.layer.node import CountedLayer
    from lamina.layer.view import Tree
    from lamina.runtime.attach import Attachment
    from lamina.runtime.log_reading import LogLine
    from lamina.runtime.runtime import Choice
    from lamina.spec.limits import Limits
    from lamina.spec.wire import Document

__all__ = ["ContainerInUse", "ContainerRecord", "ContainerState", "Containers"]


class Containers:
    """The containers of one engine."""

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine
        folder = os.path.join(engine.settings.root, "containers")
        self.register = Register(folder)
        self.files = Records(folder)

    @cached_property
    def runtime(self) -> "Choice":
        """What runs containers here, and why that. Raises: RuntimeMissing, Invalid."""
        from lamina.runtime.runtime import choose

        return choose(self._engine.settings.runtime)

    @property
    def rootless(self) -> bool:
        """Whether a plain user works here, in a user namespace or about to be."""
        from lamina.runtime.userns import rootless_uid

        return rootless_uid() is not None or os.geteuid() != 0

    def _note(self, record: ContainerRecord, action: str) -> None:
        from lamina.engine.journal import note_container

        note_container(self._engine, record, action)

    def _privilege(self) -> None:
        """Be root, if only of a user namespace. Raises: NamespaceRefused."""
        from lamina.runtime.userns import enter

        enter()

    def create(self, request: "CreateRequest") -> ContainerRecord:
        """Make a container from a local image. See `engine.creation`."""
        from lamina.engine.creation import create

        self._privilege()
        return create(self._engine, request)

    def run(
        self,
        image: "str | CreateRequest",
        command: Sequence[str] = (),
        *,
        name: str = "",
        env: Mapping[str, str] | None = None,
        workdir: str = "",
        user: str = "",
        network: str = "default",
        mounts: "Sequence[VolumeMount]" = (),
        pull: bool = True,
    ) -> "Container":
        """Make a container and start it; give it, a context manager that removes it again.

        Whoever wants more than the options here gives a CreateRequest instead of the image's name.
        An image that is not here is fetched unless `pull` is off.
        Raises: ImageUnknown, NameTaken, CommandMissing, Invalid, StartFailed.
        """
        from lamina.engine.container import run
        from lamina.engine.requests import CreateRequest, words_of

        request = (
            image
            if isinstance(image, CreateRequest)
            else CreateRequest(
                image,
                words_of(command),
                name=name,
                env=tuple(f"{key}={value}" for key, value in (env or {}).items()),
                workdir=workdir,
                user=user,
                network=network,
                mounts=tuple(mounts),
            )
        )
        return run(self._engine, request, pull=pull)

    def get(self, name: str) -> "Container":
        """Give the container of that name or ID, to work with. Raises: ContainerUnknown."""
        from lamina.engine.container import Container

        return Container(self._engine, name)

    def start(self, name: str, *, stdin: bool = False) -> "Attachment":
        """Start the first process; give a connection to it, which the caller closes.

        Output is on it from the first byte; with `stdin` so is the input. Raises: StartFailed (with Docker's exit code), ContainerRunning, ContainerUnknown.
        """
        from lamina.engine.isolation import runtime_of
        from lamina.engine.network_entry import enter

        enter(self._engine, containers=(name,))
        try:
            record = self.record(name)
            return execution.start(
                self._engine, record, runtime_of(self._engine, record), stdin=stdin
            )
        finally:
            if "networks" in self._engine.__dict__:  # or none was held
                self._engine.networks.release()

    def update(self, name: str, limits: "Limits", policy: "RestartPolicy | None" = None) -> None:
        """Change the limits that `limits` names, and the restart policy. See `engine.updating`."""
        from lamina.engine.updating import update

        update(self._engine, self.record(name), limits, policy)

    def wanted(self) -> tuple[str, ...]:
        """Give the IDs of those that do not run and whose restart policy wants them up.

        While a shim lives it keeps the policy; after the machine came up again nobody does until
        `lamina start --all-restart` starts these.
        """
        from lamina.engine.restarting import wants_start

        return tuple(
            record.id
            for record in self.records()
            if wants_start(record, state := self.state(record.id))
            and not (state.starting and self.files.is_held(record.id))  # just now
        )

    def stop(self, name: str, *, timeout_s: int | None = None, signal: str = "") -> None:
        """Ask it to end, kill it after `timeout_s` (10, or as created; -1 waits for ever)."""
        from lamina.engine import ending

        record = self.record(name)
        if ending.stop(self._engine, record, timeout_s, signal):
            self._note(record, "stop")

    def restart(self, name: str, *, timeout_s: int | None = None, signal: str = "") -> None:
        """Stop and start again."""
        record = self.record(name)
        self.stop(name, timeout_s=timeout_s, signal=signal)
        self.start(name).close()
        self._note(record, "restart")

    def kill(self, name: str, signal: str = "KILL") -> None:
        """Send a signal to the first process. Raises: ContainerNotRunning, Invalid."""
        execution.kill(self._engine, self.record(name), signal)

    def wait(self, name: str, *, condition: str = "not-running") -> int:
        """Wait until it does not run, or for `next-exit` or `removed`; give its exit code.

        See `engine.waiting`.
        """
        from lamina.engine.waiting import wait_for

        return wait_for(self._engine, self.record(name), condition)

    def attach(self, name: str, *, stdin: bool = True) -> "Attachment":
        """Connect to the first process's streams. Raises: ContainerNotRunning, InUse (paused)."""
        record = self.record(name)
        if self.state(record.id).status == "paused":
            raise ContainerInUse(
                "You cannot attach to a paused container, unpause it first",
                hint=f"`lamina unpause {name}`",
            )
        attachment = execution.attach(self._engine, record, stdin=stdin)
        self._note(record, "attach")
        return attachment

    def exec(self, name: str, request: "ExecRequest") -> "Attachment":
        """Start one more process; give a connection to it. Raises: StartFailed."""
        return execution.execute(self._engine, self.record(name), request)

    def resize(self, name: str, *, rows: int, columns: int) -> None:
        """Set the size of the first process's terminal."""
        execution.send(self._engine, self.record(name), "resize", rows=rows, columns=columns)

    def pause(self, name: str) -> None:
        """Hold all its processes still. Raises: ContainerNotRunning, InUse (already)."""
        execution.freeze(self._engine, self.record(name), frozen=True)

    def unpause(self, name: str) -> None:
        """Let its processes go on. Raises: ContainerNotRunning, InUse (not paused)."""
        execution.freeze(self._engine, self.record(name), frozen=False)

    def paused(self, name: str) -> AbstractContextManager[None]:
        """Hold it still for the body; nothing happens to one that does not run."""
        record = self.record(name)
        if not self.is_running(record.id):
            return nullcontext()

        return execution.paused(self._engine, record)

    def processes(self, name: str) -> tuple[int, ...]:
        """Give the process IDs, as the machine knows them, of everything inside."""
        answer = execution.send(self._engine, self.record(name), "processes")
        return tuple(sorted(int(pid) for pid in answer["pids"]))

    def top(
        self, name: str, options: Sequence[str] = ()
    ) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
        """Give titles and rows of `ps` for everything inside. See `engine.processes`."""
        from lamina.engine.processes import top

        record = self.record(name)
        found = top(self._engine, name, options)
        self._note(record, "top")
        return found

    def logs(
        self, name: str, *, tail: int = -1, since: str = "", until: str = "", follow: bool = False
    ) -> "Iterator[LogLine]":
        """Give what it wrote, oldest first. With `follow`, go on until it ends.

        Raises: Unsupported (created with the log driver `none`).
        """
        from lamina.errors import Unsupported
        from lamina.runtime.log_reading import read_log

        record = self.record(name)
        if record.host["LogConfig"]["Type"] == "none":
            raise Unsupported("configured logging driver does not support reading")
        going = (lambda: self.is_running(record.id)) if follow else None
        return read_log(f"{record.folder}/log", tail=tail, since=since, until=until, follow=going)

    def claim(self, name: str, container: str) -> str:
        """Take a name for a container, also from one that was never finished. Raises: NameTaken."""
        try:
            return self.register.claim(name, container)
        except NameTaken:
            removal.sweep(self._engine)
        return self.register.claim(name, container)

    def rename(self, name: str, new: str) -> None:
        """Give it another name. Raises: NameTaken, NameInvalid."""
        from lamina.engine.renaming import rename

        rename(self._engine, name, new)

    def remove(self, name: str, *, force: bool = False, volumes: bool = False) -> ContainerRecord:
        """Remove it with its writable layer; `force` kills it first; `volumes`: anonymous ones too.

        Raises: ContainerInUse (it runs), ContainerUnknown.
        """
        from lamina.engine.ending import end
        from lamina.engine.room import tidy

        record = self.record(name)
        state = self.state(record.id)
        if force:
            end(self._engine, record)
        elif state.is_running:
            raise ContainerInUse(
                f'cannot remove container "/{record.name}": container is {state.status}: '
                "stop the container before removing or force remove",
                hint=f"Stop the container before attempting removal or force remove: lamina rm -f {record.name}",
            )
        self._privilege()
        removal.remove(self._engine, record, volumes=volumes)
        tidy(self._engine)
        return record

    def remove_over(self) -> tuple[str, ...]:
        """Remove `--rm` containers whose shim was killed, or whose machine went down; give their IDs."""
        self._privilege()
        return removal.remove_over(self._engine)

    def prune(
        self, accepts: Callable[[ContainerRecord], bool] = lambda _: True
    ) -> tuple[tuple[str, ...], int]:
        """Remove every container that does not run and that `accepts` takes.

        Give their IDs and the bytes freed. One that is started or removed meanwhile is left. What killed processes left of others goes, too.
        """
        from lamina.engine.journal import note_prune

        self._privilege()
        removal.sweep(self._engine)
        removed = []
        freed = 0
        for record in self.records():
            if self.is_running(record.id) or not accepts(record):
                continue
            try:
                size = self._engine.snapshotter.usage(record.id)[0]
                self.remove(record.id)
            except (ContainerInUse, NotFound):
                continue
            removed.append(record.id)
            freed += size
        note_prune(self._engine, "container", freed)
        return tuple(removed), freed

    def list(
        self,
        *,
        all: bool = False,  # noqa: A002 - Docker's word
        filters: "Mapping[str, Sequence[str]] | None" = None,
        latest: int = 0,
        size: bool = False,
    ) -> "tuple[ContainerSummary, ...]":
        """Give the containers, newest first. See `engine.listing`."""
        from lamina.engine.listing import summaries

        if size:
            self._privilege()
        return summaries(self._engine, all=all, filters=filters, latest=latest, size=size)

    def record(self, name: str) -> ContainerRecord:
        """Give what the container was created as. Raises: ContainerUnknown."""
        found = self.files.load(self.register.resolve(name))
        if found is None:
            raise unknown(name)
        return found

    def records(self) -> tuple[ContainerRecord, ...]:
        """Give every record, newest first; takes no locks and asks no shim."""
        return tuple(self.files.all(self.register.ids()))

    def state(self, container: str) -> ContainerState:
        """Tell how the container with this whole ID is."""
        return self.files.state(container)

    def is_running(self, container: str) -> bool:
        """Tell whether the container with this whole ID runs, paused or not."""
        return self.state(container).is_running

    def inspect(self, name: str) -> "Document":
        """Give the container as docker 28's `inspect` shapes it."""
        from lamina.engine.container_document import container_document

        record = self.record(name)
        return container_document(self._engine, record, self.state(record.id))

    def excluded_paths(self, record: ContainerRecord) -> frozenset[bytes]:
        """Give what the runtime may have made in the writable layer to mount on.

        Those paths are no part of a commit or diff, unless something of the container's own lies
        under them.
        """
        from lamina.engine.points import excluded_paths

        return excluded_paths(self._engine, record)

    def changes(self, name: str) -> "tuple[Change, ...]":
        """Give what the container changed against its image, sorted by path."""
        from lamina.engine.points import changes

        self._privilege()
        return changes(self._engine, self.record(name))

    def disk_use(self) -> "Iterator[ContainerUse]":
        """Give what each container's writable layer takes."""
        from lamina.engine.disk_use import ContainerUse

        if not self.records():  # nothing whose owners a plain user could not read
            return
        self._privilege()
        for summary in self.list(all=True, size=True):
            outline = summary.outline
            yield ContainerUse(
                id=outline.id,
                name=outline.name,
                image=outline.image_name,
                command=outline.command,
                created=outline.created,
                status=summary.state.status,
                size=summary.size,
                running=summary.state.is_running,
            )

    def tree(
        self, name: str, given: "Sequence[CountedLayer] | None" = None
    ) -> "AbstractContextManager[Tree]":
        """Give, for the body, the container's files as they are now. See `engine.reading`."""
        from lamina.engine.reading import container_tree

        self._privilege()
        return container_tree(self._engine, self.record(name), given)

    def snapshot(self, name: str, label: str = "") -> "ContainerSnapshot":
        """Take a checkpoint of its files, named `label` or with a number. See `engine.snapshots`.

        Costs nothing but a few new folders where it does not run, else a copy of what it has
        written. Raises: StateExists, Invalid, DiskFull, ContainerInUse.
        """
        from lamina.engine.snapshots import snapshot

        self._privilege()
        return snapshot(self._engine, self.record(name), label)

    def snapshots(self, name: str) -> "tuple[ContainerSnapshot, ...]":
        """Give its checkpoints, oldest first."""
        from lamina.engine.snapshots import snapshots

        self._privilege()
        return snapshots(self._engine, self.record(name))

    def rollback(self, name: str, label: str, *, keep: bool = True) -> "ContainerSnapshot | None":
        """Let its files be as they were at a checkpoint; give that of what they were until now.

        Raises: StateUnknown, ContainerInUse (it runs), DiskFull.
        """
        from lamina.engine.snapshots import rollback

        self._privilege()
        return rollback(self._engine, self.record(name), label, keep=keep)

    def forget(self, name: str, label: str) -> None:
        """Remove one of its checkpoints. Raises: StateUnknown."""
        from lamina.engine.snapshots import forget

        self._privilege()
        forget(self._engine, self.record(name), label)

    def fork(
        self, name: str, count: int, *, names: Sequence[str] = (), start: str = ""
    ) -> tuple[ContainerRecord, ...]:
        """Make `count` containers that go on from its files, or from its checkpoint `start`.

        Raises: StateUnknown, NameTaken, Invalid, DiskFull, ContainerInUse.
        """
        from lamina.engine.snapshots import fork

        self._privilege()
        return fork(self._engine, self.record(name), count, names=names, start=start)

    def path_stat(self, name: str, path: str) -> "PathStat":
        """Look at one path inside. Raises: PathNotFound."""
        from lamina.engine.archive import path_stat

        self._privilege()
        return path_stat(self._engine, self.record(name), path)

    def copy_out(self, name: str, path: str, write: Callable[[bytes], object]) -> "PathStat":
        """Write the file or folder at `path` as a tar. See `engine.archive`."""
        from lamina.engine.archive import copy_out

        self._privilege()
        record = self.record(name)
        found = copy_out(self._engine, record, path, write)
        self._note(record, "archive-path")
        return found

    def copy_in(
        self, name: str, path: str, stream: "BinaryIO", *, keep_owner: bool = False
    ) -> None:
        """Unpack a tar into the folder at `path`. See `engine.archive`."""
        from lamina.engine.archive import copy_in

        self._privilege()
        record = self.record(name)
        copy_in(self._engine, record, path, stream, keep_owner=keep_owner)
        self._note(record, "extract-to-dir")

    def export(self, name: str, write: Callable[[bytes], object]) -> None:
        """Write the container's whole file system as a tar."""
        from lamina.engine.archive import export

        self._privilege()
        record = self.record(name)
        export(self._engine, record, write)
        self._note(record, "export")
