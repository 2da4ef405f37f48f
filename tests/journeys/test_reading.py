"""A real image of three layers, looked into from outside, with others as the judges."""

import io
import os
import re
import stat
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.commands import Lamina
from tests.images import debian
from tests.layer.trees import erofs, overlay
from tests.trees import differences, tree_of_tar

from lamina.engine.engine import Engine
from lamina.settings import Settings


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Lamina, Engine]]:
    """Debian with python3 and a patch, sealed layer by layer under the name `real`."""
    folder = tmp_path_factory.mktemp("real")
    settings = Settings(
        root=str(folder / "root"), run_root=str(folder / "run"), docker_config=str(folder / "d")
    )
    with Engine(settings) as engine:
        make(engine, "real", [path.read_bytes() for path in debian().layers])
        yield Lamina(settings), engine


def make(engine: Engine, name: str, layers: list[bytes]) -> None:
    from tests.archives import archive

    steps: list[dict[str, object]] = [{"created": "2024-01-02T03:04:05Z"}] * len(layers)
    engine.images.load(io.BytesIO(archive(f"{name}:latest", layers=layers, steps=steps)))


def test_the_tar_of_an_image_is_the_tree_it_was_made_of(real: tuple[Lamina, Engine]):
    lamina, _ = real
    done = subprocess.run(
        lamina.argv("cp", "real:/", "-"), env=lamina.environ, stdout=subprocess.PIPE, check=True
    )
    wanted = tree_of_tar(debian().trees[2])
    found = tree_of_tar(io.BytesIO(done.stdout))
    assert differences(wanted, found) == []
    said = subprocess.run(["tar", "-t"], input=done.stdout, capture_output=True, check=True)
    assert len(said.stdout.splitlines()) == len(found)
    assert said.stderr == b""


def test_a_folder_out_of_an_image_is_the_folder_out_of_its_tree(
    real: tuple[Lamina, Engine], tmp_path: Path
):
    lamina, _ = real
    lamina("cp", "real:/opt/patch", str(tmp_path))
    wanted = tmp_path / "wanted"
    wanted.mkdir()
    subprocess.run(
        ["tar", "-xpf", debian().trees[2], "-C", wanted, "--no-same-owner", "./opt/patch"],
        check=True,
    )
    for one in (wanted / "opt" / "patch").iterdir():
        other = tmp_path / "patch" / one.name
        before, after = one.lstat(), other.lstat()
        assert before.st_mode == after.st_mode, one
        assert before.st_mtime_ns == after.st_mtime_ns, one
        assert before.st_nlink == after.st_nlink, one
        if stat.S_ISREG(before.st_mode):
            assert one.read_bytes() == other.read_bytes()
        elif stat.S_ISLNK(before.st_mode):
            assert os.readlink(one) == os.readlink(other)


@pytest.mark.root
def test_the_long_listing_says_what_ls_says_of_the_mounted_union(
    real: tuple[Lamina, Engine], tmp_path: Path
):
    lamina, engine = real
    config = engine.images.resolve("real").config
    with ExitStack() as stack:
        layers = stack.enter_context(engine.layers.opened(config.diff_ids))
        mounts = [
            stack.enter_context(erofs(layer, tmp_path / f"m{number}"))
            for number, layer in enumerate(layers)
        ]
        union = stack.enter_context(overlay(mounts, tmp_path / "union"))
        theirs = facts(
            subprocess.run(
                ["ls", "-lRAn", "--full-time", "--literal", "."],
                cwd=union, env={**os.environ, "LC_ALL": "C"}, capture_output=True, check=True,
            ).stdout
        )  # fmt: skip
    ours = facts(
        subprocess.run(
            lamina.argv("ls", "-lRAn", "--full-time", "real"),
            env=lamina.environ, capture_output=True, check=True,
        ).stdout
    )  # fmt: skip
    assert len(ours) > 5000
    assert {path: fact for path, fact in ours.items() if theirs.get(path) != fact} == {}
    assert set(theirs) == set(ours)


LINE = re.compile(rb"^(\S{10})[.+]? +\d+ +(\d+) +(\d+) +(\d+(?:, +\d+)?) +(\S+ \S+ \S+) (.*)$")


def facts(listing: bytes) -> dict[bytes, tuple[bytes, ...]]:
    """Read a long listing: path → mode, owner, group, size, time; not links, and sizes of files."""
    found: dict[bytes, tuple[bytes, ...]] = {}
    folder = b""
    for line in listing.splitlines():
        row = LINE.match(line)
        if row:
            mode, uid, gid, size, moment, name = row.groups()
            is_file = not mode.startswith(b"d")
            path = os.path.normpath(b"./" + folder + b"/" + name)
            found[path] = (mode, uid, gid, size.replace(b" ", b"") if is_file else b"", moment)
        elif line.endswith(b":"):
            folder = line[:-1]
    return found


def test_every_file_is_printed_as_it_is(real: tuple[Lamina, Engine]):
    lamina, _ = real
    wanted = subprocess.run(
        ["tar", "-xOf", debian().trees[2], "./usr/bin/openssl"], check=True, stdout=subprocess.PIPE
    ).stdout
    done = subprocess.run(
        lamina.argv("cat", "real:/bin/openssl"),  # /bin is a symlink
        env=lamina.environ, stdout=subprocess.PIPE, check=True,
    )  # fmt: skip
    assert done.stdout == wanted
    assert lamina("cat", "real:/opt/patch/link") == "Debian GNU/Linux 12, patched\n"
