"""One container in the hand of a Python program: what `Containers` does by name, as methods."""

import io
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress

from lamina.errors import NotFound
from lamina.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO, Self

    from lamina.engine.captured import OnCaptured
    from lamina.engine.containers import ContainerState
    from lamina.engine.engine import Engine
    from lamina.engine.requests import CreateRequest
    from lamina.engine.restarting import RestartPolicy
    from lamina.engine.snapshots import ContainerSnapshot
    from lamina.engine.stats import Sample
    from lamina.engine.streaming import RunningProcess
    from lamina.layer.diff import Change
    from lamina.runtime.attach import Attachment
    from lamina.runtime.log_reading import LogLine
    from lamina.spec.digest import Digest
    from lamina.spec.limits import Limits
    from lamina.spec.wire import Document
    from lamina.stream.codec import Compression

__all__ = ["Completed", "Container", "run"]


@dataclass(frozen=True, slots=True)
class Completed:
    """How a process in a container ended, and what it wrote."""

    exit_code: int
    stdout: bytes
    stderr: bytes

    @property
    def text(self) -> str:
        """What it wrote to stdout, decoded."""
        return self.stdout.decode(errors="replace")


class Container:
    """A container; a context manager that removes it, running or not, with its anonymous volumes.

    Cheap to make: every method asks the disk. Methods raise ContainerUnknown once it is removed.
    """

    def __init__(self, engine: "Engine", container: str) -> None:
        self._engine = engine
        self._containers = engine.containers
        self.id = self._containers.record(container).id

    def __enter__(self) -> "Self":
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(NotFound):  # `--rm`, or another command was quicker
            self.remove(force=True)

    def __repr__(self) -> str:
        return f"<Container {self.id[:12]}>"

    @property
    def name(self) -> str:
        """Its name."""
        return self._containers.record(self.id).name

    @property
    def state(self) -> "ContainerState":
        """How it is now: status, exit code, times."""
        return self._containers.state(self.id)

    @property
    def changes(self) -> "tuple[Change, ...]":
        """What it changed against its image, sorted by path."""
        return self._containers.changes(self.id)

    def start(self) -> None:
        """Start its first process. Raises: StartFailed, ContainerRunning."""
        self._containers.start(self.id).close()

    def stop(self, *, timeout_s: int | None = None) -> None:
        """Ask it to end; kill it after `timeout_s` (10, or as created)."""
        self._containers.stop(self.id, timeout_s=timeout_s)

    def kill(self, signal: str = "KILL") -> None:
        """Send a signal to its first process. Raises: ContainerNotRunning, Invalid."""
        self._containers.kill(self.id, signal)

    def restart(self, *, timeout_s: int | None = None) -> None:
        """Stop it and start it again."""
        self._containers.restart(self.id, timeout_s=timeout_s)

    def rename(self, name: str) -> None:
        """Call it `name` from now on. Raises: NameTaken, NameInvalid."""
        self._containers.rename(self.id, name)

    def inspect(self) -> "Document":
        """Give all that is known of it, as docker 28's `inspect` shapes it."""
        return self._containers.inspect(self.id)

    def stats(self, *, every_s: float = 1.0) -> "Iterator[Sample]":
        """Give what it has used until now, again and again until it does not run.

        `lamina.engine.stats.share` of two of them is the part of a processor used between.
        """
        import time

        from lamina.engine.stats import sample

        while self._containers.is_running(self.id):
            yield sample(self._engine, self._containers.record(self.id))
            time.sleep(every_s)

    @property
    def ports(self) -> "Mapping[str, Sequence[Mapping[str, str]]]":
        """Its published ports while it runs: `80/tcp` to places, each a HostIp and a HostPort."""
        from lamina.engine.network_document import ports_of

        exposed = self._containers.record(self.id).config.get("ExposedPorts") or ()
        found = ports_of(exposed, self.state)
        return {port: places for port, places in found.items() if places}

    def top(
        self, options: Sequence[str] = ()
    ) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
        """Give titles and rows of `ps` for everything inside. See `Containers.top`."""
        return self._containers.top(self.id, options)

    def attach(self, *, stdin: bool = True) -> "Attachment":
        """Attach to the first process; the caller closes. See `Containers.attach`."""
        return self._containers.attach(self.id, stdin=stdin)

    def update(self, limits: "Limits", policy: "RestartPolicy | None" = None) -> None:
        """Change limits and restart policy. See `Containers.update`."""
        self._containers.update(self.id, limits, policy)

    def pause(self) -> None:
        """Hold its processes still. Raises: ContainerNotRunning, InUse."""
        self._containers.pause(self.id)

    def unpause(self) -> None:
        """Let its processes go on. Raises: ContainerNotRunning, InUse."""
        self._containers.unpause(self.id)

    def wait(self, *, condition: str = "not-running") -> int:
        """Wait until it does not run; give its exit code.

        `next-exit` waits for the end of what runs or starts next, `removed` until it is gone.
        """
        return self._containers.wait(self.id, condition=condition)

    def remove(self, *, force: bool = False, volumes: bool = True) -> None:
        """Remove it, with its anonymous volumes unless told otherwise; `force` kills it first."""
        self._containers.remove(self.id, force=force, volumes=volumes)

    def logs(
        self, *, tail: int = -1, since: str = "", until: str = "", follow: bool = False
    ) -> "Iterator[LogLine]":
        """Give what it wrote, a line at a time; with `follow`, until it ends."""
        return self._containers.logs(self.id, tail=tail, since=since, until=until, follow=follow)

    def output(self) -> str:
        """Wait until it does not run; give all it wrote to stdout."""
        self.wait()
        return "".join(line.text for line in self.logs() if line.stream == "stdout")

    def exec(
        self,
        command: Sequence[str],
        *,
        input: bytes = b"",  # noqa: A002 - the word of subprocess
        env: Mapping[str, str] | None = None,
        workdir: str = "",
        user: str = "",
    ) -> Completed:
        """Run one more process in it to its end, with `input` to read; give what it wrote.

        Raises: StartFailed (no such program), ContainerNotRunning, InUse (paused).
        """
        from lamina.engine.requests import ExecRequest, words_of

        request = ExecRequest(
            words_of(command), _pairs(env), workdir=workdir, user=user, stdin=bool(input)
        )
        with self._containers.exec(self.id, request) as attachment:
            return _complete(attachment, input)

    def stream(
        self,
        command: Sequence[str],
        *,
        stdin: bool = False,
        terminal: bool = False,
        env: Mapping[str, str] | None = None,
        workdir: str = "",
        user: str = "",
    ) -> "RunningProcess":
        """Start one more process in it; give it, to be read while it runs.

        With `stdin` it can be written to. Raises: StartFailed, ContainerNotRunning, InUse (paused).
        """
        from lamina.engine.requests import ExecRequest, words_of
        from lamina.engine.streaming import RunningProcess

        request = ExecRequest(
            words_of(command),
            _pairs(env),
            workdir=workdir,
            user=user,
            stdin=stdin,
            terminal=terminal,
        )
        return RunningProcess(self._containers.exec(self.id, request))

    def export(self, target: "BinaryIO") -> None:
        """Write its whole file system to `target` as a tar."""
        self._containers.export(self.id, target.write)

    def put(self, path: str, stream: "BinaryIO | bytes", *, keep_owner: bool = False) -> None:
        """Unpack a tar into its folder at `path`. Raises: PathNotFound, Invalid."""
        source = io.BytesIO(stream) if isinstance(stream, bytes) else stream
        self._containers.copy_in(self.id, path, source, keep_owner=keep_owner)

    def get(self, path: str, target: "BinaryIO | None" = None) -> bytes:
        """Give the file or folder at `path` as a tar; nothing where it was written to `target`.

        Raises: PathNotFound.
        """
        parts: list[bytes] = []
        self._containers.copy_out(self.id, path, parts.append if target is None else target.write)
        return b"".join(parts)

    def read(self, path: str) -> bytes:
        """Give the content of a file, symlinks followed; what is mounted there is not seen.

        Raises: PathUnknown, Invalid (no file).
        """
        with self._containers.tree(self.id) as tree:
            return tree.read(os.fsencode(path))

    def commit(
        self,
        name: str = "",
        *,
        message: str = "",
        author: str = "",
        changes: Sequence[str] = (),
        pause: bool = True,
        compression: "Compression | None" = None,
        told: "OnCaptured | None" = None,
        strict: bool = False,
        volumes: bool = False,
        squash: bool = False,
        form: str = "oci",
    ) -> "Digest":
        """Make an image of its changes; give the image's ID. See `Engine.commit`."""
        return self._engine.commit(
            self.id,
            name,
            message=message,
            author=author,
            changes=changes,
            pause=pause,
            compression=compression,
            told=told,
            strict=strict,
            volumes=volumes,
            squash=squash,
            form=form,
        )

    def snapshot(self, name: str = "") -> "ContainerSnapshot":
        """Take a checkpoint of its files. See `Containers.snapshot`."""
        return self._containers.snapshot(self.id, name)

    def rollback(
        self, snapshot: "ContainerSnapshot | str", *, keep: bool = True
    ) -> "ContainerSnapshot | None":
        """Let its files be as at a checkpoint. See `Containers.rollback`."""
        name = snapshot if isinstance(snapshot, str) else snapshot.name
        return self._containers.rollback(self.id, name, keep=keep)

    def fork(
        self, count: int = 1, *, start: "ContainerSnapshot | str" = ""
    ) -> "tuple[Container, ...]":
        """Make containers that go on from its files, or from a checkpoint; see `Containers.fork`."""
        name = start if isinstance(start, str) else start.name
        made = self._containers.fork(self.id, count, start=name)
        return tuple(Container(self._engine, record.id) for record in made)


def run(engine: "Engine", request: "CreateRequest", *, pull: bool) -> Container:
    """Make a container and start it; fetch its image first if it is not here and `pull` is on.

    One that cannot be started is removed again. Raises: ImageUnknown, StartFailed, as `create`.
    """
    from lamina.engine.local import ImageUnknown

    try:
        record = engine.containers.create(request)
    except ImageUnknown:
        if not pull:
            raise
        engine.images.pull(request.image, platform=request.platform)
        record = engine.containers.create(request)
    container = Container(engine, record.id)
    try:
        container.start()
    except BaseException:
        container.remove(force=True)
        raise
    return container


def _pairs(env: Mapping[str, str] | None) -> tuple[str, ...]:
    return tuple(f"{name}={value}" for name, value in (env or {}).items())


def _complete(attachment: "Attachment", data: bytes) -> Completed:
    """Feed a process and read it, both at once, to its end."""
    from threading import Thread

    from lamina.runtime.frames import Stream
    from lamina.spec.wire import decode

    def feed() -> None:
        with suppress(OSError):  # it ended before it read everything
            for at in range(0, len(data), 1 << 15):
                attachment.send(data[at : at + (1 << 15)])
            attachment.send(b"")

    feeder = Thread(target=feed, daemon=True)
    if data:
        feeder.start()
    parts: dict[Stream, list[bytes]] = {Stream.STDOUT: [], Stream.STDERR: []}
    while True:
        stream, payload = attachment.receive()
        if stream is Stream.EXITED:
            code = int(decode(payload)["exit_code"])
            return Completed(code, *(b"".join(found) for found in parts.values()))
        if stream in parts:
            parts[stream].append(payload)
