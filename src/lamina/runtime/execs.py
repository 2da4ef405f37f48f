"""One exec: a child of the shim starts a further process, serves it, and tells its end."""

import os
from contextlib import suppress

from lamina.errors import LaminaError
from lamina.runtime import frames, syscalls
from lamina.runtime.deputies import note_process
from lamina.runtime.frames import Stream, frame
from lamina.runtime.process import OURS, Launch, Started, StartFailed, reap
from lamina.runtime.relay import Answer, Client, Pipes, Relay
from lamina.runtime.strays import end_children
from lamina.spec.bundle import ProcessSettings
from lamina.spec.wire import Document, encode
from lamina.stream.files import remove_tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket

    from lamina.runtime.shim import Shim

__all__ = ["serve_exec"]


def serve_exec(shim: "Shim", request: Document, client: Client) -> None:
    """Start the process that `request` describes and serve `client`, in a child of the shim."""
    syscalls.become_subreaper()
    syscalls.name_process("lamina-exec")
    own = os.dup(client.sock.fileno())
    shim.detach_relay()
    import socket

    client = Client(socket.socket(fileno=own))
    folder = f"{shim.run_folder}/exec/{request['id']}"
    served = _Exec(shim, request, folder)
    words = " ".join(served.settings.args)
    shim.diary.note(f"exec_create: {words}", execID=request["id"])
    shim.diary.note(f"exec_start: {words}", execID=request["id"])
    try:
        started, pipes, listener = served.start()
    except (LaminaError, OSError) as error:
        end_children()
        failed = getattr(error, "exit_code", OURS)
        shim.diary.note("exec_die", execID=request["id"], exitCode=str(failed))
        _refuse(client, error)
        remove_tree(folder)
        return
    relay = Relay(listener, served.operate, log=None, stdin_once=True)
    served.relay = relay
    client.attach(frozenset(Stream))
    relay.add(client)
    client.send(frame(Stream.STARTED, encode({"pid": shim.host_pid(started.pid)})))
    relay.run(pipes, started)
    code = reap(started.watched)
    shim.diary.note("exec_die", execID=request["id"], exitCode=str(code))
    relay.listener.close()
    with suppress(OSError, LaminaError):  # it goes with the run folder
        remove_tree(folder)
    relay.finish(frame(Stream.EXITED, encode({"exit_code": code})))


def _refuse(client: Client, error: Exception) -> None:
    failure = error if isinstance(error, LaminaError) else StartFailed(str(error))
    document = {
        "error": failure.message,
        "hint": failure.hint,
        "exit_code": getattr(failure, "exit_code", OURS),
    }
    client.sock.settimeout(None)
    client.send(frame(Stream.FAILED, encode(document)))


class _Exec:
    def __init__(self, shim: "Shim", request: Document, folder: str) -> None:
        self.shim = shim
        self.request = request
        self.folder = folder
        self.settings = ProcessSettings.from_json(request["process"])
        self.relay: Relay | None = None
        self.started: Started | None = None

    def start(self) -> "tuple[Started, Pipes, socket.socket]":
        """Make the folder, the streams and the process. Raises: StartFailed, UserUnknown."""
        os.makedirs(self.folder, mode=0o700, exist_ok=True)
        process = self.shim.exec_process(self.settings)
        stdin = bool(self.request["stdin"])
        pipes = Pipes(terminal=self.settings.terminal, stdin=stdin)
        listener = frames.listen(f"{self.folder}/s")
        launch = Launch(
            self.shim.id,
            self.folder,
            process,
            pipes.theirs,
            self.shim.enter,
            self.settings.terminal,
        )
        self.started = self.shim.runtime.execute(launch)
        note_process(self.folder, self.started.watched)
        pipes.started(self.started, stdin=stdin)
        return self.started, pipes, listener

    def operate(self, request: Document, client: Client) -> Answer:
        """Serve `resize` and `wait` for this exec alone."""
        from lamina.errors import Invalid
        from lamina.runtime import console

        if request.get("op") == "resize" and self.relay and self.relay.terminal >= 0:
            console.resize(self.relay.terminal, int(request["rows"]), int(request["columns"]))
        elif request.get("op") == "wait":
            client.attach(frozenset({Stream.EXITED}))
        elif request.get("op") != "resize":
            raise Invalid(f"unknown operation {request.get('op')!r}")
        return {}, ()
