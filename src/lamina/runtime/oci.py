"""The installed OCI runtimes, crun and runc, driven by their command line. Spec: runtime-spec."""

import os
from contextlib import suppress

from lamina.errors import Unsupported
from lamina.runtime import frames, hierarchies, syscalls
from lamina.runtime.executable import check
from lamina.runtime.process import (
    FEW_PROCESSES,
    Launch,
    Started,
    StartFailed,
    Stdio,
    last_error,
    receive_console,
    score,
    spawn,
)
from lamina.spec.bundle import KEEPING
from lamina.spec.wire import Document, encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket

__all__ = ["OciRuntime"]


class OciRuntime:
    """crun or runc at `path`. Its state lives in the container's run folder and goes with it."""

    def __init__(self, name: str, path: str, run_root: str = "") -> None:
        """`run_root` may keep what containers share; without it nothing is kept."""
        self.name = name
        self.path = path
        self._run_root = run_root

    def start(self, launch: Launch) -> Started:
        """Create and start the container's first process. Raises: StartFailed."""
        config = launch.config
        check(config["root"]["path"], config["process"], config["mounts"])
        if self.name == "runc" and KEEPING in config.get("annotations", {}):
            raise StartFailed(
                "the '--group-add keep-groups' option is not supported with runc",
                hint="install crun, or say LAMINA_RUNTIME=bwrap",
            )
        if self.name == "crun" and (compiled := _compiled(config, self._run_root)):
            config = {**config, "annotations": {**config.get("annotations", {}), **compiled}}
        _write(f"{launch.folder}/config.json", encode(config))
        made = launch.made
        arguments = ["create"] if made else ["run", "--detach"]
        arguments += ["--bundle", launch.folder]
        if not syscalls.has_keyrings():  # we are in a container: the new one cannot use them either
            arguments.append("--no-new-keyring")
        started = self._run(launch, arguments, launch.config["process"]["args"], "init")
        if made:
            made(started.pid)
            self._begin(launch)
        return started

    def _begin(self, launch: Launch) -> None:
        """Let a process that was made become its program. Raises: StartFailed."""
        folder = launch.folder
        arguments = [self.path, *self._options(folder), "start", launch.container]
        _, status = os.waitpid(spawn(arguments, Stdio()), 0)
        if status != 0:
            said = last_error(f"{folder}/runtime.log") or f"{self.name} ended with status {status}"
            raise StartFailed.explain(said, launch.config["process"]["args"])

    def execute(self, launch: Launch) -> Started:
        """Start one more process in the running container. Raises: StartFailed."""
        with open(f"{launch.folder.partition('/exec/')[0]}/init.pid", encoding="utf-8") as file:
            check(f"/proc/{file.read()}/root", launch.config)
        path = f"{launch.folder}/process.json"
        _write(path, encode(launch.config))
        arguments = ["exec", "--detach", "--process", path]
        with_score = launch._replace(enter=lambda: _enter_exec(launch))
        return self._run(with_score, arguments, launch.config["args"], "exec")

    def delete(self, container: str, folder: str) -> None:
        """Forget the container. crun has nothing but its folder; runc also made cgroups."""
        if self.name == "crun":
            return
        arguments = [self.path, *self._options(folder), "delete", "--force", container]
        with suppress(StartFailed):
            os.waitpid(spawn(arguments, Stdio()), 0)

    def _options(self, folder: str) -> list[str]:
        options = ["--root", f"{folder.partition('/exec/')[0]}/state"]
        options += ["--log", f"{folder}/runtime.log", "--log-format", "json"]
        return [*options, "--cgroup-manager=disabled"] if self.name == "crun" else options

    def _run(self, launch: Launch, verb: list[str], args: list[str], kind: str) -> Started:
        folder = launch.folder
        pid_file = f"{folder}/{kind}.pid"
        arguments = [self.path, *self._options(folder), *verb, "--pid-file", pid_file]
        listener: socket.socket | None = None
        keep = []
        if launch.terminal:
            here = syscalls.private_folder()
            keep.append(here)
            listener = frames.listen(f"/proc/self/fd/{here}/console")
            arguments += ["--console-socket", f"/proc/self/fd/{here}/console"]
        console = -1

        def before() -> None:
            launch.enter()
            if self.name == "crun" and hierarchies.layout() == "hybrid":
                # crun 1.x ends at the sight of the hybrid layout, even told to leave cgroups alone.
                syscalls.unshare(syscalls.CLONE_NEWNS)
                syscalls.mount("none", "/sys/fs/cgroup/unified", "tmpfs")

        try:
            child = spawn([*arguments, launch.container], launch.stdio, keep=keep, before=before)
            if listener is not None:
                console = receive_console(listener, child)
            pid = self._pid_of(child, folder, pid_file, args)
        except BaseException:
            if console >= 0:
                os.close(console)
            raise
        finally:
            for fd in keep:
                os.close(fd)
            if listener is not None:
                listener.close()
        return Started(pid, pid, console)

    def _pid_of(self, child: int, folder: str, pid_file: str, args: list[str]) -> int:
        """Wait for the runtime's program; give the pid of the process that it started."""
        _, status = os.waitpid(child, 0)
        if status != 0:
            said = last_error(f"{folder}/runtime.log")
            raise StartFailed.explain(said or f"{self.name} ended with status {status}", args)
        try:
            with open(pid_file, encoding="utf-8") as file:
                return int(file.read())
        except (FileNotFoundError, ValueError) as error:  # crun says nothing where it cannot fork
            said = last_error(f"{folder}/runtime.log")
            raise StartFailed(
                f"{self.name} ended without starting the process" + (f": {said}" if said else ""),
                hint=FEW_PROCESSES,
            ) from error


def _compiled(config: Document, run_root: str) -> Document:
    """Give crun the filter as a program, which costs it 14 ms of CPU less than the list.

    A profile with flags is left to libseccomp, and so is a machine that is unknown here: the list stays
    in the document.
    """
    seccomp = config["linux"].get("seccomp")
    if not seccomp or seccomp.get("flags"):
        return {}
    from lamina.runtime.filters import program

    try:
        return {"run.oci.seccomp_bpf_data": program(seccomp, run_root).decode()}
    except Unsupported:
        return {}


def _enter_exec(launch: Launch) -> None:
    """Enter the container's groups, with its score: neither runtime gives an exec that."""
    launch.enter()
    score(launch.config)


def _write(path: str, data: bytes) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with open(fd, "wb") as file:  # all of it: one write ends early at a full disk or a limit
        file.write(data)
