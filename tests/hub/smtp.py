"""A mail server of the test's own: takes what it is sent and keeps it."""

import queue
import socketserver
import threading
from typing import Self

__all__ = ["MailBox"]


class _Talk(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        box = self.server.box  # type: ignore[attr-defined]
        self._say("220 here")
        for raw in self.rfile:
            verb = raw.split(b" ")[0].strip().upper()
            box.words.append(raw.decode().strip())
            if verb == b"EHLO":
                self._say("250-here", "250 AUTH PLAIN")
            elif verb == b"AUTH":
                self._say("235 welcome")
            elif verb == b"RCPT" and box.refuses:
                self._say("550 nobody here")
            elif verb == b"DATA":
                self._say("354 go on")
                lines = list(iter(self.rfile.readline, b".\r\n"))
                box.mails.put(b"".join(lines).decode())
                self._say("250 taken")
            elif verb == b"QUIT":
                self._say("221 bye")
                return
            else:
                self._say("250 yes")

    def _say(self, *lines: str) -> None:
        self.wfile.write("".join(f"{line}\r\n" for line in lines).encode())


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True


class MailBox:
    """A context manager; `words` are the client's lines, `mails` what it sent."""

    def __init__(self, *, refuses: bool = False) -> None:
        self.refuses = refuses
        self.words: list[str] = []
        self.mails: queue.Queue[str] = queue.Queue()
        self._server = _Server(("127.0.0.1", 0), _Talk)
        self._server.box = self  # type: ignore[attr-defined]

    @property
    def url(self) -> str:
        return f"smtp://hub:s%40cret@127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def next(self) -> str:
        """The next mail, waited for; soft line breaks are undone."""
        return self.mails.get(timeout=60).replace("=\r\n", "").replace("=3D", "=")
