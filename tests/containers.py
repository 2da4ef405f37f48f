"""A small engine with the image `tiny`, driven by the command, for everything about containers."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.commands import Lamina
from tests.images import tiny

from lamina.runtime.runtime import find
from lamina.settings import Settings

__all__ = ["RUNTIMES", "eventually", "mounts_below", "plain_python", "world"]

_PATIENCE_S = 100
RUNTIMES = tuple(name for name in ("crun", "runc", "bwrap") if find(name))


@contextmanager
def world(folder: Path, *, runtime: str = "", driver: str = "") -> Iterator[Lamina]:
    """Give the command on a root of its own that has `tiny`; containers are removed after."""
    run_root = tempfile.mkdtemp(prefix="lamina-")
    os.chmod(run_root, 0o711)
    settings = Settings(
        root=str(folder / "root"),
        run_root=run_root,
        docker_config=str(folder / "docker"),
        runtime=runtime,
        storage_driver=driver,
    )
    lamina = Lamina(settings)
    lamina("import", "-c", 'CMD ["sh"]', "-", "tiny", stdin=tiny())
    try:
        yield lamina
    finally:
        lamina.remove_containers()
        left = mounts_below(run_root)
        shutil.rmtree(run_root, ignore_errors=True)
        assert not left, f"still mounted: {left}"


def mounts_below(folder: str) -> list[str]:
    """List the mount points below `folder`, once the shims had a moment to let go."""
    found: list[str] = []

    def none_left() -> bool:
        with open("/proc/self/mountinfo", encoding="utf-8") as table:
            found[:] = [t for line in table if (t := line.split()[4]).startswith(folder)]
        return not found

    eventually(none_left, fail=False)
    return found


def eventually(true: Callable[[], object], *, fail: bool = True) -> bool:
    """Wait, within reason, until `true()` is; machines here are busy."""
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline:
        if true():
            return True
        time.sleep(0.01)
    assert not fail, "it never came true"
    return False


def plain_python() -> str:
    """Give an interpreter that any user may run, or nothing."""
    for path in (sys.executable, "/usr/bin/python3"):
        done = subprocess.run(
            [
                "setpriv",
                "--reuid=65534",
                "--regid=65534",
                "--clear-groups",
                path,
                "-c",
                "import zlib",
            ],
            check=False,
            capture_output=True,
        )
        if done.returncode == 0:
            return path
    return ""
