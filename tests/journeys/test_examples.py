"""The examples run as they stand, each in a process of its own."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.commands import Lamina
from tests.images import Piece, tar, tiny, write_layout

EXAMPLES = Path(__file__).resolve().parent.parent.parent / "examples"


def example(name: str, *words: str, environ: dict[str, str]) -> str:
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / name), *words],
        env={**environ, "PYTHONPATH": str(EXAMPLES.parent / "src")},
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def layered(lamina: Lamina, tmp_path: Path) -> str:
    """An image whose second layer replaces one file and removes another."""
    layout = tmp_path / "layout"
    second = tar([Piece("etc/os-release", b"ID=second\n"), Piece("etc/.wh.group")])
    write_layout(layout, [tiny(), second], tag="example:1")
    subprocess.run(["tar", "-C", layout, "-cf", tmp_path / "layout.tar", "."], check=True)
    lamina("load", "-i", str(tmp_path / "layout.tar"))
    return lamina("images", "-q").split()[0]


def test_whence_tells_which_layer_gave_a_path_and_which_removed_it(lamina: Lamina, layered: str):
    given = example("whence.py", layered, "/etc/os-release", environ=lamina.environ)
    assert [line.split("  ")[1] for line in given.splitlines()] == [
        "file, 10 bytes",
        "file, 27 bytes",
    ]
    assert "(ADD layer 2)" in given.splitlines()[0]
    removed = example("whence.py", layered, "etc/group", environ=lamina.environ)
    assert "removed" in removed.splitlines()[0]
    none = example("whence.py", layered, "/no/such", environ=lamina.environ)
    assert none == f"{layered} has no /no/such\n"


def test_publish_gives_one_digest_on_both_sides(tmp_path: Path):
    (tmp_path / "file").write_text("hello")
    said = example("publish.py", str(tmp_path), environ=dict(os.environ))
    assert re.fullmatch(r"sha256:[0-9a-f]{64}\n", said)


def test_setuid_lists_programs_with_their_layers(lamina: Lamina, tmp_path: Path):
    layout = tmp_path / "layout"
    first = tar([Piece("bin/su", b"#", mode=0o4755), Piece("bin/sg", b"#", mode=0o2755)])
    second = tar([Piece("bin/su", b"#!", mode=0o4755), Piece("bin/plain", b"#", mode=0o755)])
    write_layout(layout, [first, second], tag="example:2")
    subprocess.run(["tar", "-C", layout, "-cf", tmp_path / "layout.tar", "."], check=True)
    lamina("load", "-i", str(tmp_path / "layout.tar"))
    image = lamina("images", "-q").split()[0]
    given = example("setuid.py", image, environ=lamina.environ)
    assert given == "2755  layer 1  /bin/sg\n4755  layer 2  /bin/su\n"


def test_every_example_is_run_by_a_test():
    assert {path.name for path in EXAMPLES.glob("*.py")} == {"publish.py", "setuid.py", "whence.py"}
