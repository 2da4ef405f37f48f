import os
import subprocess
from pathlib import Path

from tests.containers import eventually, world
from tests.images import Piece, tar

from lamina.snapshot.collector import collector


def test_a_container_that_removes_itself_takes_its_checkpoints_along(tmp_path: Path):
    with world(tmp_path) as lamina:
        snapshots = Path(lamina.settings.root) / "snapshots"
        wait = ("sh", "-c", "while [ ! -e /go ]; do sleep 0.05; done")
        lamina("run", "-d", "--rm", "--name=box", "--network=none", "tiny", *wait)
        lamina("snapshot", "box", "good")
        (fork,) = lamina("fork", "box", "1").split()
        lamina("cp", "-", "box:/", stdin=tar([Piece("go", b"")]))
        assert eventually(lambda: len(os.listdir(snapshots / "active")) == 1)
        # The fork stands on one of the two states; the other goes with its name.
        assert eventually(lambda: len(os.listdir(snapshots / "frozen")) == 1)
        assert eventually(lambda: os.listdir(snapshots / "names") == [])
        assert lamina("diff", fork) == ""
        lamina("rm", fork)
        assert os.listdir(snapshots / "frozen") == []


def test_the_program_needs_nothing_but_an_interpreter_and_leaves_an_empty_root_alone(tmp_path):
    done = subprocess.run(
        collector(str(tmp_path))["words"], capture_output=True, check=True, env={}
    )
    assert (done.stdout, done.stderr) == (b"", b"")
    assert os.listdir(tmp_path) == []
