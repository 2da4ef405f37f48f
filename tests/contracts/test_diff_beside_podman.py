"""`diff` beside podman's own comparison of two trees, which is Docker's: the same lists for the same acts.

With its driver vfs podman compares whole trees, as Docker does where overlayfs's marks do not tell. (Where they do, both
take a short cut that calls a folder deleted that is there: decision 2.16.)
"""

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.contracts.test_exactness import CASES, base
from tests.images import write_layout
from tests.layer.trees import tar_of

from lamina.layer.entry import Entry, Kind

pytestmark = pytest.mark.root

# A whole copy keeps links that overlayfs breaks, so other files change there, and moves anything; podman sees no
# ACL; and the path of its copy is too long for a socket.
OTHERWISE = {
    "link-broken", "link-broken-by-writing", "new-names-of-old-files", "attributes", "socket",
    "moved-from-deeper-than-a-redirect-reaches",
}  # fmt: skip
NAMES = sorted(set(CASES) - OTHERWISE)


@pytest.fixture(scope="module")
def listed() -> Iterator[list[str]]:
    """What podman lists after every act, each in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="lamina-") as name:  # its run root may have few letters
        yield list_all(Path(name))


def list_all(folder: Path) -> list[str]:
    items: list[Entry | tuple[Entry, bytes]] = [Entry(b"", Kind.DIRECTORY, 0o755)]
    for name in NAMES:
        items += base(name)
    write_layout(folder / "layout", [tar_of(items)])

    environ = {name: value for name, value in os.environ.items() if name != "DOCKER_CONFIG"}

    def podman(*words: str) -> str:
        places = ["--root", f"{folder}/r", "--runroot", f"{folder}/rr", "--storage-driver", "vfs"]
        done = subprocess.run(
            ["podman", *places, *words], capture_output=True, text=True, check=False, env=environ
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    image = podman("pull", "-q", f"oci:{folder / 'layout'}:latest")
    container = podman("create", "--network", "none", image, "sh")
    root = Path(podman("mount", container))
    for name in NAMES:
        CASES[name].act(root / name)
    found = json.loads(podman("diff", "--format", "json", container))
    podman("umount", container)
    letters = {"changed": "C", "added": "A", "deleted": "D"}
    return [f"{letters[kind]} {path}" for kind in letters for path in found.get(kind) or ()]


@pytest.mark.parametrize("name", NAMES)
def test_the_list_is_podmans(listed: list[str], name: str):
    prefix = len(f"C /{name}/")
    mine = {row[:2] + row[prefix:] for row in listed if row[2:].startswith(f"/{name}/")}
    assert mine == {
        row.encode(errors="surrogateescape").decode(errors="replace") for row in CASES[name].listed
    }
