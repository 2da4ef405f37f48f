"""Ways to end a command in its middle: at a chosen system call, or after a while.

`AtCall` is exact: strace kills the process as it enters the N-th call of a kind, counted in each thread.
So every window between two calls can be hit, however narrow. `AtMoment` hits what no list of calls
has, and takes the children along.
"""

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["AtCall", "AtMoment", "Failing", "Strike", "tracer"]

_PATIENCE_S = 120


@dataclass(frozen=True, slots=True)
class AtCall:
    """Kill -9 at the `number`-th of one of `calls` (strace's words: `rename,renameat2`)."""

    calls: str
    number: int

    def strike(self, argv: Sequence[str], environ: Mapping[str, str]) -> bool:
        """Run the command; tell whether it was killed."""
        inject = f"{self.calls}:signal=KILL:when={self.number}"
        done = _traced(self.calls, inject, argv, environ)
        orphaned = b"shim went away" in done.stderr  # the traced child of a `run` was hit
        assert orphaned or done.returncode in (0, -signal.SIGKILL), (self, argv, done)
        return done.returncode != 0


@dataclass(frozen=True, slots=True)
class AtMoment:
    """Kill -9 after `delay_s`: the one process, or with `group` its whole process group."""

    delay_s: float
    group: bool

    def strike(self, argv: Sequence[str], environ: Mapping[str, str]) -> bool:
        """Run the command; tell whether it was killed."""
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=dict(environ),
            start_new_session=True,
        )
        try:
            _, said = process.communicate(timeout=self.delay_s)
        except subprocess.TimeoutExpired:
            (os.killpg if self.group else os.kill)(process.pid, signal.SIGKILL)
            process.wait(_PATIENCE_S)
            assert process.stderr is not None
            process.stderr.close()
            return True
        assert process.returncode == 0, (self, argv, said)
        return False


@dataclass(frozen=True, slots=True)
class Failing:
    """Let the `number`-th of one of `calls` fail with `error` (`ENOSPC`); with `on`, all after it, too.

    The calls are listed in the file `trace`.
    """

    calls: str
    error: str
    number: int
    on: bool = False
    trace: str = os.devnull

    def run(
        self, argv: Sequence[str], environ: Mapping[str, str]
    ) -> "subprocess.CompletedProcess[bytes]":
        """Run the command; give how it ended and what it said."""
        inject = f"{self.calls}:error={self.error}:when={self.number}{'+' * self.on}"
        return _traced(self.calls, inject, argv, environ, self.trace)

    def was_made(self) -> bool:
        """Tell whether there was such a call. To be asked after `run`, where there is a `trace`."""
        return b"(INJECTED)" in Path(self.trace).read_bytes()

    def was_output(self) -> bool:
        """Tell whether it was a line for the person that could not be written."""
        rows = [row for row in Path(self.trace).read_bytes().splitlines() if b"(INJECTED)" in row]
        return any(b" write(1," in row or b" write(2," in row for row in rows)


Strike = AtCall | AtMoment


def _traced(
    calls: str,
    inject: str,
    argv: Sequence[str],
    environ: Mapping[str, str],
    trace: str = os.devnull,
) -> "subprocess.CompletedProcess[bytes]":
    words = ["-f", "-qqq", "-o", trace, "-e", f"trace={calls}"]
    return subprocess.run(
        [tracer(), *words, "-e", f"inject={inject}", *argv],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env=dict(environ),
        timeout=_PATIENCE_S,
        check=False,
    )


def tracer() -> str:
    """Give the path of strace."""
    found = shutil.which("strace")
    assert found, "strace is not installed"
    return found
