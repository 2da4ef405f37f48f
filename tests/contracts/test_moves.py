"""Changed owners and moved folders in containers that run: no content is copied, none is lost."""

import io
from pathlib import Path

import pytest
from tests.containers import world

from lamina.layer.entry import Entry
from lamina.layer.tar import read_entries

pytestmark = pytest.mark.root

BASE = """
mkdir -p /data/sub /other; cd /data
echo one > f; echo two > sub/g; ln f second; ln -s f link; chmod 4711 sub/g; touch -d @5 f sub/g
seq 50000 > big; echo three > /other/h
"""
WORK = """
chown -R 5:6 /bin/busybox /data; chmod 600 /data/big
mv /data /moved && mkdir /data && echo new > /data/f
mv /moved/big /other/big && ln /other/big /other/again
mkdir /fresh && mv /moved/sub /fresh/sub && rm /other/h
"""
BIG = "".join(f"{number}\n" for number in range(1, 50001))
CHANGES = [
    "C /bin", "C /bin/busybox", "C /data", "D /data/big", "C /data/f", "D /data/link",
    "D /data/second", "D /data/sub", "A /fresh", "A /fresh/sub", "A /fresh/sub/g", "A /moved",
    "A /moved/f", "A /moved/link", "A /moved/second", "C /other", "A /other/again", "A /other/big",
    "D /other/h",
]  # fmt: skip


def entries(path: Path) -> dict[bytes, Entry]:
    """Read a tar; times of folders in which the engine itself made something do not count."""
    with path.open("rb") as file:
        found = {entry.path: entry._replace(offset=0) for entry in read_entries(file)}
    return found | {name: found[name]._replace(mtime_ns=0) for name in (b"", b"etc")}


@pytest.mark.parametrize("driver", ["sealed", "copied"])
def test_what_was_changed_and_moved_is_whole_for_every_command(tmp_path: Path, driver: str):
    with world(tmp_path, driver=driver) as lamina:
        run = ("run", "--network", "none")
        lamina(*run, "--name", "base", "tiny", "sh", "-c", BASE)
        lamina("commit", "base", "data")
        lamina(*run, "--name", "box", "data", "sh", "-c", WORK)
        assert lamina("diff", "box").splitlines() == CHANGES
        if driver != "copied":  # of all the files only one has content of its own, and a link
            assert lamina("ps", "-as", "-f", "name=box", "--format", "{{.Size}}").split()[0] == "5B"
        assert lamina("cat", "box:/other/again") == BIG
        copy = lamina("cp", "box:/other", "-").encode()
        names = [entry.path for entry in read_entries(io.BytesIO(copy))]
        assert names == [b"other", b"other/again", b"other/big"]
        assert BIG.encode() in copy
        lamina("commit", "box", "again")
        lamina("create", "--name", "fresh", "again", "sh")
        for name in ("box", "fresh"):
            lamina("export", "-o", str(tmp_path / name), name)
        assert entries(tmp_path / "box") == entries(tmp_path / "fresh")
