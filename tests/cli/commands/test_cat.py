"""`lamina cat`: the bytes of files in an image, and nothing else."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.cli.commands.reading import shelve
from tests.commands import Lamina
from tests.consoles import Console

from lamina.engine.engine import Engine
from lamina.settings import Settings


@pytest.fixture
def cat(settings: Settings, engine: Engine) -> Console:
    return shelve(settings, engine)


def test_files_are_written_one_after_the_other(cat: Console):
    assert cat("cat", "shelf:1:/etc/conf") == "high\n"
    assert cat("cat", "shelf:1:/etc/conf", "shelf:1:/opt/harder") == "high\none file\n"


def test_symlinks_are_followed_inside_the_image(cat: Console):
    assert cat("cat", "shelf:1:/etc/link", "shelf:1:/up/conf") == "high\nhigh\n"


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("shelf:1:/etc", "shelf:1:/etc: Is a directory"),
        ("shelf:1", "shelf:1: Is a directory"),
        ("shelf:1:/etc/old", "shelf:1:/etc/old: No such file or directory"),
        ("shelf:1:/etc/dangling", "No such file or directory"),
        ("shelf:1:/etc/loop", "Too many levels of symbolic links"),
        ("nosuch:/etc/passwd", "No such image: nosuch"),
    ],
)
def test_what_cannot_be_printed_is_said_and_the_rest_printed(cat: Console, word: str, said: str):
    outcome = cat.run("cat", word, "shelf:1:/etc/conf")
    assert (outcome.code, outcome.out) == (1, "high\n")
    assert said in outcome.err


MEMORY = """
import os, resource, subprocess, sys
limit, *words = sys.argv[1:]
child = subprocess.Popen(words, stdout=subprocess.PIPE)
count = subprocess.run(["wc", "-c"], stdin=child.stdout, capture_output=True, check=True).stdout
_, status, usage = os.wait4(child.pid, 0)
print(int(count), status, usage.ru_maxrss < int(limit))
"""


def test_half_a_gigabyte_with_holes_passes_through_little_memory(
    lamina: Lamina, engine: Engine, tmp_path: Path
):
    folder = tmp_path / "tree"
    folder.mkdir()
    with (folder / "huge").open("wb") as file:
        for number in range(8):
            file.seek(number << 26)
            file.write(b"abcdefgh" * (1 << 17))
        file.truncate(1 << 29)
    with subprocess.Popen(
        ["tar", "-C", folder, "-S", "--format=posix", "-cf", "-", "."], stdout=subprocess.PIPE
    ) as packed:
        assert packed.stdout is not None
        lamina("import", "-", "huge", stdin=packed.stdout.read())
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, str(120 << 10), *lamina.argv("cat", "huge:/huge")],
        env=lamina.environ, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.split() == [str(1 << 29), "0", "True"]


def test_a_pipe_that_closes_early_is_no_failure_in_words(lamina: Lamina, cat: Console):
    assert cat("cat", "shelf:1:/etc/conf")
    command = " ".join(lamina.argv("cat", *["shelf:1:/home/big"] * 200))
    done = subprocess.run(
        ["bash", "-c", f"{command} | head -c 1; echo ${{PIPESTATUS[0]}}"],
        env={**os.environ, **lamina.environ}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == "b141\n"
    assert done.stderr == ""
