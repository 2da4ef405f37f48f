import subprocess
import sys
from pathlib import Path

from lamina.runtime import supervise


def test_the_shims_program_finds_its_package_in_a_bare_interpreter():
    done = subprocess.run(
        [sys.executable, "-IS", str(Path(supervise.__file__)), "test"],
        capture_output=True,
        text=True,
        check=False,
        env={},
    )
    # Its descriptors are missing here: it got as far as reading the request.
    assert done.returncode == 1
    assert "Bad file descriptor" in done.stderr
