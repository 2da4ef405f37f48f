"""Servers on loopback for tests: our hub and distribution's registry, each a real process; a relay."""

import contextlib
import http.client
import os
import re
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import IO, Self

__all__ = ["Balancer", "HubServer", "RegistryServer", "Relay"]

_PATIENCE_S = 100.0


class _Server(ABC):
    """A process that says where it listens. A context manager: leaving it ends the process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.address = ""
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @abstractmethod
    def command(self) -> tuple[list[str], dict[str, str]]:
        """The words that start it, and what to add to the environment."""

    def start(self) -> None:
        """Start it and wait until it answers; `address` is `127.0.0.1:PORT` then."""
        argv, environ = self.command()
        self._process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, **environ},
        )
        assert self._process.stdout is not None
        said, port = _read_port(self._process.stdout)
        if not port:
            self._process.kill()
            self._process.communicate()
            raise AssertionError(f"{argv} did not say where it listens: {said}")
        self.address = f"127.0.0.1:{port}"
        self._log = (self.folder / "server.log").open("wb")
        # From here on the pipe only needs draining; a thread of `cat` does not share our GIL.
        self._drain = subprocess.Popen(
            ["cat"], stdin=self._process.stdout, stdout=self._log, stderr=subprocess.DEVNULL
        )
        self._process.stdout.close()
        self.wait_until_it_answers()

    def wait_until_it_answers(self) -> None:
        """Ask `/v2/` until there is any HTTP answer."""
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            try:
                self.request("GET", "/v2/")
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
            else:
                return

    def request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> tuple[int, dict[str, str], bytes]:
        """Send one request; give status, headers (lower-case names) and body."""
        with contextlib.closing(
            http.client.HTTPConnection(self.address, timeout=_PATIENCE_S)
        ) as connection:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            names = {name.lower(): value for name, value in answer.getheaders()}
            return answer.status, names, answer.read()

    def stop(self, number: int = signal.SIGTERM) -> None:
        """End the process, by SIGKILL where it must not know; nothing of it stays."""
        if self._process is None:
            return
        self._process.send_signal(number)
        try:
            self._process.wait(100)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._drain.wait(100)
        self._log.close()
        self._process = None


class HubServer(_Server):
    """`lamina hub serve` with its data below `folder`; `options` are more of its words."""

    def __init__(self, folder: Path, *options: str) -> None:
        super().__init__(folder)
        self._options = options

    def command(self) -> tuple[list[str], dict[str, str]]:
        data = str(self.folder / "data")
        serve = ["hub", "serve", "--address", "127.0.0.1:0", "--root", data, *self._options]
        return [sys.executable, "-m", "lamina", *serve], {"PYTHONUNBUFFERED": "1"}

    def register(self, name: str, password: str) -> None:
        """Make an account, as `lamina hub register` does."""
        done = subprocess.run(
            [sys.executable, "-m", "lamina", "hub", "register", "--hub", f"http://{self.address}",
             "--password-stdin", name],
            input=password.encode(), capture_output=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done


class RegistryServer(_Server):
    """`docker-registry` with its data below `folder`, everything allowed."""

    def command(self) -> tuple[list[str], dict[str, str]]:
        config = self.folder / "registry.yml"
        config.write_text(
            "version: 0.1\n"
            "log: {level: info, formatter: text}\n"
            f"storage: {{filesystem: {{rootdirectory: {self.folder}/data}}, delete: {{enabled: true}}}}\n"
            "http: {addr: '127.0.0.1:0', secret: test}\n"
        )
        return ["docker-registry", "serve", str(config)], {}


def _read_port(stream: IO[bytes]) -> tuple[str, str]:
    """Read until an address with a port is printed, or until patience or the process ends."""
    said = b""
    deadline = time.monotonic() + _PATIENCE_S
    with selectors.DefaultSelector() as selector:
        selector.register(stream, selectors.EVENT_READ)
        while time.monotonic() < deadline:
            if not selector.select(1):
                continue
            piece = os.read(stream.fileno(), 65536)
            if not piece:
                break
            said += piece
            found = re.search(rb"127\.0\.0\.1:(\d+)", said)
            if found and found[1] != b"0":
                return said.decode(errors="replace"), found[1].decode()
    return said.decode(errors="replace"), ""


class Balancer:
    """A loopback port that gives each new connection to one of `addresses` that takes it.

    `in_turn` it is the next one, else the first.
    """

    def __init__(self, addresses: list[str], *, in_turn: bool = True) -> None:
        self._targets = addresses
        self._in_turn = in_turn
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._threads: list[threading.Thread] = []
        self._sockets: list[socket.socket] = []
        self.given: list[str] = []

    def __enter__(self) -> Self:
        self._spawn(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        for one in [self._listener, *self._sockets]:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(100)
        for one in [self._listener, *self._sockets]:
            one.close()

    def _spawn(self, function: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=function, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                self._sockets.append(near)
                far = self._connect()
                if far is None:
                    near.shutdown(socket.SHUT_RDWR)
                    continue
                self._sockets.append(far)
                self._spawn(self._forward, near, far)
                self._spawn(self._forward, far, near)

    def _connect(self) -> socket.socket | None:
        for address in self._targets:
            host, _, port = address.rpartition(":")
            with contextlib.suppress(OSError):
                connected = socket.create_connection((host, int(port)))
                self.given.append(address)
                if self._in_turn:
                    self._targets = [one for one in self._targets if one != address] + [address]
                return connected
        return None

    def _forward(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while piece := source.recv(65536):
                sink.sendall(piece)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)
        with contextlib.suppress(OSError):
            while source.recv(65536):  # what goes to nobody is taken, or its sender waits for ever
                pass


class Relay:
    """A loopback port that forwards to another, until so many bytes went one way; then it waits.

    `down` counts bytes of answers, `up` bytes of requests; None lets everything through. Leaving the
    context, or `open_up()`, lets what waits go on. As a long line it holds each piece of a request
    back for `latency_s`; as a slow one each piece of an answer for `slow_s`.
    """

    def __init__(
        self,
        address: str,
        *,
        down: int | None = None,
        up: int | None = None,
        latency_s: float = 0.0,
        slow_s: float = 0.0,
    ) -> None:
        host, _, port = address.rpartition(":")
        self._target = (host, int(port))
        self._left = {"down": down, "up": up}
        self._held_s = {"down": slow_s, "up": latency_s}
        self._open = threading.Event()
        self.full = threading.Event()
        self.passed = {"down": 0, "up": 0}
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._threads: list[threading.Thread] = []
        self._sockets: list[socket.socket] = []

    def __enter__(self) -> Self:
        self._spawn(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self.open_up()
        # shutdown, not close alone: it wakes the threads that wait in accept and recv
        for one in [self._listener, *self._sockets]:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(100)
        for one in [self._listener, *self._sockets]:
            one.close()

    def open_up(self) -> None:
        """Let everything through from now on."""
        self._open.set()

    def _spawn(self, function: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=function, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(self._target)
            except OSError:  # nobody there: whoever came hears of it
                near.close()
                continue
            self._sockets += [near, far]
            self._spawn(self._forward, near, far, "up")
            self._spawn(self._forward, far, near, "down")

    def _forward(self, source: socket.socket, sink: socket.socket, way: str) -> None:
        with contextlib.suppress(OSError):
            while piece := source.recv(16384):
                with self._lock:
                    self.passed[way] += len(piece)
                    limit = self._left[way]
                    waits = limit is not None and self.passed[way] > limit
                if self._held_s[way]:
                    time.sleep(self._held_s[way])
                if waits and not self._open.is_set():
                    self.full.set()
                    self._open.wait(_PATIENCE_S)
                sink.sendall(piece)
            sink.shutdown(socket.SHUT_WR)
