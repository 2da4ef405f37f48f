"""The contract again, where plain users work: inside a user namespace, with one ID or with many.

The suite itself is run there, by a pytest of its own that is root of the namespace.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.conftest import PLAIN

SUITES = (
    "tests/contracts/test_snapshotter.py",
    "tests/contracts/test_oddities.py",
    "tests/contracts/test_any_changes.py",
    "tests/contracts/test_attacks.py",
    "tests/contracts/test_frozen.py",
    "tests/snapshot/test_frozen.py",
)
ENTER = """
import os, sys
from lamina.runtime import userns
userns.enter()
os.execv(sys.argv[1], sys.argv[1:])
"""
ONE_ID = ("unshare", "-Urm")
OWN_IDS = (sys.executable, "-c", ENTER)
AFTERWARDS = (
    'folder=$1; shift; "$@"; code=$?; rm -rf "$folder"; exit $code'  # others' files go, too
)
WAYS = {"one ID": ONE_ID, "subordinate IDs": OWN_IDS} if PLAIN else {"one ID": ONE_ID}


@pytest.mark.timeout(900)  # it is a suite
@pytest.mark.parametrize("way", WAYS)
def test_the_contract_holds_in_a_namespace(tmp_path, way):
    top = Path(__file__).parents[2]
    inner = tmp_path / "inner"
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    suite = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", f"--basetemp={inner}", *SUITES]  # fmt: skip
    words = ["/bin/sh", "-c", AFTERWARDS, "sh", str(inner), *suite]
    done = subprocess.run(
        [*WAYS[way], *words],
        cwd=top,
        env={**kept, "PYTHONPATH": f"{top / 'src'}:{top}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed is not None
    assert int(passed[1]) > 60
    assert not inner.exists()
