"""What a command works with: settings, engine, streams, clock; each made when first asked for."""

from __future__ import annotations

import os
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import BinaryIO, TextIO

    from lamina.engine.engine import Engine
    from lamina.settings import Settings

__all__ = ["Context"]

_DEFAULT_SIZE = (80, 24)


class Context:
    """The world of one command. Tests make their own with other streams, environment and clock.

    `out` is for data and `err` for talk. Closing it closes the engine, if one was made. `expendable`
    says that the process does this command and nothing else.
    """

    def __init__(
        self,
        *,
        out: TextIO | None = None,
        err: TextIO | None = None,
        stdin: TextIO | None = None,
        environ: Mapping[str, str] | None = None,
        now: Callable[[], float] = time.time,
        expendable: bool = False,
    ) -> None:
        self.out = sys.stdout if out is None else out
        self.err = sys.stderr if err is None else err
        self.stdin = sys.stdin if stdin is None else stdin
        self.environ: Mapping[str, str] = os.environ if environ is None else environ
        self.now = now
        self.expendable = expendable
        self._settings: Settings | None = None
        self._engine: Engine | None = None

    @property
    def settings(self) -> Settings:
        """Where things live, from `environ`."""
        if self._settings is None:
            from lamina.settings import Settings

            self._settings = Settings.from_environment(self.environ)
        return self._settings

    @property
    def engine(self) -> Engine:
        """The engine, opened on first use."""
        if self._engine is None:
            from lamina.engine.engine import Engine

            self._engine = Engine(self.settings, expendable=self.expendable)
        return self._engine

    def enter_namespace(
        self, *, networks: Sequence[str] = (), containers: Sequence[str] = ()
    ) -> None:
        """Become root of a user namespace of one's own where one is no root: files get owners.

        Who starts a container names its networks, or the container: it must be in the user
        namespace of those that are up. Commands that write layers call it first, before any thread.
        Raises: NamespaceRefused.
        """
        if os.geteuid() != 0 and (networks or containers):
            from lamina.engine.network_entry import enter

            enter(self.engine, networks=networks, containers=containers)
        elif os.geteuid() != 0:
            from lamina.runtime import userns

            userns.enter()

    @property
    def is_terminal(self) -> bool:
        """Whether `out` is a terminal."""
        return self.out.isatty()

    @property
    def colour(self) -> bool:
        """Whether `out` is to be written in colours."""
        wanted = not self.environ.get("NO_COLOR") and self.environ.get("TERM", "") != "dumb"
        return wanted and self.is_terminal

    @property
    def binary_out(self) -> BinaryIO:
        """The bytes under `out`, for tars; what was printed before comes first."""
        self.out.flush()
        return self.out.buffer

    @property
    def binary_in(self) -> BinaryIO:
        """The bytes under `stdin`."""
        return self.stdin.buffer

    @property
    def unicode(self) -> bool:
        """Whether `out` can print box drawing."""
        return (self.out.encoding or "").lower().replace("-", "") == "utf8"

    def size(self) -> tuple[int, int]:
        """Give the terminal's (columns, rows) as they are now; (80, 24) where there is none."""
        try:
            columns, rows = os.get_terminal_size(self.out.fileno())
        except (OSError, ValueError):
            return _DEFAULT_SIZE
        return columns or _DEFAULT_SIZE[0], rows or _DEFAULT_SIZE[1]

    def print(self, text: str = "", *, end: str = "\n") -> None:
        """Write a line of data."""
        self.out.write(text + end)

    def say(self, text: str) -> None:
        """Write a line of talk to stderr, after all data so far."""
        from lamina.cli.errors import printable

        self.out.flush()
        self.err.write(printable(text) + "\n")
        self.err.flush()

    def confirm(self, question: str) -> bool:
        """Ask on `out`; True for an answer of y or yes. No input means no."""
        self.out.write(f"{question} [y/N] ")
        self.out.flush()
        return self.stdin.readline().strip().lower() in ("y", "yes")

    def close(self) -> None:
        """Let go of the engine; what registries warned of is said last."""
        engine, self._engine = self._engine, None
        if engine is not None:
            for line in engine.warnings():
                self.say(line)
            engine.close()
