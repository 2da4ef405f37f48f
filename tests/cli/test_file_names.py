"""Names on a terminal, with GNU ls as the judge."""

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamina.cli.file_names import columns, quoted, width

NAMES = [
    b"plain", b"a b", b"latin\xe9", b"\xe9x", b"a\nb", b"it's", b"it's $x", b"{", b"{a}", b"~x",
    b"x~", b"#a", b"a#b", b"tab\there", b"\x1b[31mred", "café".encode(), "漢字".encode(), b"a=b",
    b"a,b", b"a+b@c:d%e", b"[x]", b"q?", b"bs\\", b"-dash", b"'", b'"', b"a\x7fb", b"\xc2\x85nel",
    b"a'b\"c", b"two\xe9\xe8z", b"^x", b"a!b", b"it's!", b"\xe9\xe8",
]  # fmt: skip


@pytest.mark.parametrize("locale", ["C.UTF-8", "C"])
def test_names_are_quoted_as_gnu_ls_quotes_them(tmp_path: Path, locale: str):
    for name in NAMES:
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).touch()
    said = subprocess.run(
        ["ls", "-1", "--quoting-style=shell-escape", tmp_path],
        env={**os.environ, "LC_ALL": locale}, capture_output=True, check=True,
    ).stdout  # fmt: skip
    mine = {quoted(name, unicode=locale != "C") for name in NAMES}
    assert mine == set(said.decode().splitlines())


@given(st.binary(min_size=1).filter(lambda name: b"\0" not in name and b"/" not in name))
def test_a_quoted_name_is_harmless_and_means_the_same_to_a_shell(name: bytes):
    for unicode in (True, False):
        text = quoted(name, unicode=unicode)
        assert text.isprintable()
        assert unicode or text.isascii()
    said = subprocess.run(
        ["bash", "-c", f"printf %s {quoted(name, unicode=False)}" if name[:1] != b"-" else "true"],
        capture_output=True, check=True,
    ).stdout  # fmt: skip
    assert name[:1] == b"-" or said == name


def test_wide_and_combining_letters_take_their_columns():
    assert width("plain") == 5
    assert width("漢字") == 4
    assert width("e\u0301") == 1


def test_columns_fill_downwards_and_fit_the_room():
    names = ["a", "bb", "ccc", "dddd", "e"]
    assert columns(names, 80) == ["a  bb  ccc  dddd  e"]
    assert columns(names, 11) == ["a   ccc   e", "bb  dddd"]
    assert columns(names, 1) == names
    assert columns([], 80) == []


@given(st.lists(st.text("ab", min_size=1, max_size=30), max_size=60), st.integers(1, 100))
def test_columns_lose_no_name(names: list[str], room: int):
    lines = columns(names, room)
    assert sorted(" ".join(lines).split()) == sorted(names)
    assert len(lines) == len(names) or all(width(line) <= room for line in lines)
