"""Run the `lamina` command as a person does: a process with its own streams."""

import os
import subprocess
import sys
from dataclasses import dataclass

from lamina.settings import Settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    import pexpect

__all__ = ["Lamina", "Outcome", "ended"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


class Lamina:
    """The command, on one engine's folders. Calling it asserts success and gives standard output."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.environ = {
            **os.environ,
            "LAMINA_ROOT": settings.root,
            "LAMINA_RUN_ROOT": settings.run_root,
            "DOCKER_CONFIG": settings.docker_config,
        }
        if settings.storage_driver:
            self.environ["LAMINA_STORAGE_DRIVER"] = settings.storage_driver
        if settings.runtime:
            self.environ["LAMINA_RUNTIME"] = settings.runtime

    def __call__(self, *words: str, stdin: str | bytes = b"", timeout_s: float = 120) -> str:
        outcome = self.attempt(*words, stdin=stdin, timeout_s=timeout_s)
        assert outcome.code == 0, f"lamina {' '.join(words)}: {outcome}"
        return outcome.out

    def attempt(
        self, *words: str, stdin: str | bytes = b"", timeout_s: float = 120, **environ: str
    ) -> Outcome:
        """Run it whatever comes of it."""
        done = subprocess.run(
            self.argv(*words),
            input=stdin.encode() if isinstance(stdin, str) else stdin,
            capture_output=True,
            env={**self.environ, **environ},
            timeout=timeout_s,
            check=False,
        )
        return Outcome(
            done.returncode,
            done.stdout.decode(errors="replace"),
            done.stderr.decode(errors="replace"),
        )

    def start(self, *words: str) -> "subprocess.Popen[bytes]":
        """Start it in a process group of its own, streams piped; the caller ends it."""
        return subprocess.Popen(
            self.argv(*words),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self.environ,
            start_new_session=True,
        )

    def argv(self, *words: str) -> list[str]:
        """The words that start it: this interpreter, whatever is first on the PATH."""
        return [sys.executable, "-m", "lamina", *words]

    def remove_containers(self) -> None:
        """Remove every container there is, running or not."""
        if not os.path.isdir(os.path.join(self.settings.root, "containers")):
            return
        ids = self.attempt("ps", "-aq").out.split()
        if ids:
            self.attempt("rm", "-f", *ids)


def ended(child: "pexpect.spawn[str] | pexpect.spawn[bytes]") -> int | None:
    """Wait for the end of a command on a terminal; give its code. Closed before, it would get SIGHUP."""
    import pexpect

    child.expect(pexpect.EOF)
    child.wait()
    child.close()
    code: int | None = child.exitstatus
    return code
