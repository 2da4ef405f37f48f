"""`top`: what runs in a container, told by this machine's own `ps`."""

import os
from collections.abc import Sequence

from lamina.errors import Invalid, Unsupported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.engine.engine import Engine

__all__ = ["top"]

_DEFAULT = ("-ef",)


def top(
    engine: "Engine", name: str, options: Sequence[str]
) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """Give the titles and rows of `ps` with `options`, the container's processes alone.

    Process IDs are this machine's. Raises: ContainerNotRunning, Invalid (no PID column).
    """
    import shutil
    import subprocess

    pids = {str(pid) for pid in engine.containers.processes(name)}
    program = shutil.which("ps")
    if program is None:
        if options:
            raise Unsupported("`ps` is not installed", hint="`apt install procps`")
        return _by_hand(sorted(pids, key=int))
    line = [program, *(options or _DEFAULT)]
    # Chosen by number, so that `-o pid,comm` alone shows them, too; not every option goes with that.
    done = subprocess.run(
        [*line, f"-q{','.join(pids)}"], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        done = subprocess.run(line, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        why = done.stderr.strip().partition("\n")[0]
        raise Invalid(
            f"ps: {why or 'failed'}", hint=f"`lamina top {name} -o pid,comm`, for example"
        )
    lines = done.stdout.splitlines()
    titles = lines[0].split()
    if "PID" not in titles:
        raise Invalid("Couldn't find PID field in ps output", hint="keep the PID column")
    at = titles.index("PID")
    width = len(titles)
    rows = [tuple(row.split(None, width - 1)) for row in lines[1:]]
    return tuple(titles), tuple(row for row in rows if len(row) > at and row[at] in pids)


def _by_hand(pids: Sequence[str]) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    rows = []
    for pid in pids:
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                command = file.read().replace(b"\0", b" ").decode(errors="replace").strip()
            owner = os.stat(f"/proc/{pid}").st_uid
        except OSError:
            continue
        rows.append((str(owner), pid, command))
    return ("UID", "PID", "CMD"), tuple(rows)
