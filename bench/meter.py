"""Measure commands: wall time, and CPU time of everything they started.

CPU comes from a control group of its own where the kernel offers one (daemons and shims that outlive the
command count too), else from the kernel's account of the process and the children it waited for.
"""

import os
import statistics
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Figure", "group", "measure", "median"]

_ACCOUNTS = Path("/sys/fs/cgroup/cpuacct")


@dataclass(frozen=True, slots=True)
class Figure:
    """Seconds of one run, or of the median of several."""

    wall_s: float
    cpu_s: float


@contextmanager
def group() -> Iterator[Path | None]:
    """Make a control group that counts CPU time, while the context lasts; None where there is none."""
    folder = _ACCOUNTS / f"lamina-bench-{os.getpid()}"
    try:
        folder.mkdir()
    except OSError:
        yield None
        return
    try:
        yield folder
    finally:
        for _ in range(50):
            for inner in sorted(folder.glob("**/"), reverse=True):
                try:
                    inner.rmdir()
                except OSError:
                    time.sleep(0.1)
            if not folder.exists():
                break


def measure(
    argv: Sequence[str],
    environ: Mapping[str, str],
    account: Path | None,
    *,
    stdin: str = os.devnull,
) -> Figure:
    """Run one command to its end. Raises: RuntimeError (it failed; its words are in the message)."""
    before = _usage_s(account)
    join = None if account is None else str(account / "cgroup.procs")
    script = 'echo $$ > "$0"; exec "$@"' if join else 'exec "$@"'
    with open(stdin, "rb") as source:
        started = time.perf_counter()
        process = subprocess.Popen(
            ["sh", "-c", script, join or "sh", *argv], env=dict(environ), stdin=source,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        assert process.stdout is not None
        said = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        wall_s = time.perf_counter() - started
        process.stdout.close()
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(argv)}: {said.decode(errors='replace')[-2000:]}")
    own_s = usage.ru_utime + usage.ru_stime
    return Figure(wall_s, own_s if account is None else _usage_s(account) - before)


def _usage_s(account: Path | None) -> float:
    return 0.0 if account is None else int((account / "cpuacct.usage").read_text()) / 1e9


def median(figures: Sequence[Figure]) -> Figure:
    """Give the median of each column."""
    return Figure(
        statistics.median(one.wall_s for one in figures),
        statistics.median(one.cpu_s for one in figures),
    )
