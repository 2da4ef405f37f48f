"""Programs of system call filters that are kept: the same as compiled, and never another's."""

import os
import sys
from base64 import b64decode
from pathlib import Path

import pytest

from lamina import spec
from lamina.runtime import filters
from lamina.spec.filter_program import compile_filter
from lamina.spec.seccomp import profile

MACHINE = os.uname().machine
DEFAULT = profile(["CAP_SYS_CHROOT"], MACHINE)


@pytest.fixture(autouse=True)
def _compiler_not_yet_loaded(monkeypatch):
    monkeypatch.delitem(sys.modules, filters._COMPILER)


def kept(folder: Path) -> list[Path]:
    return list((folder / "filters").iterdir())


def again(text: bytes, folder: Path, document=DEFAULT) -> None:
    """See that a program is given without a compiler to make it."""
    assert filters._COMPILER not in sys.modules
    assert filters.program(document, str(folder)) == text
    assert filters._COMPILER not in sys.modules


def test_what_is_kept_is_what_was_compiled(tmp_path, monkeypatch):
    text = filters.program(DEFAULT, str(tmp_path))
    assert b64decode(text) == compile_filter(DEFAULT, MACHINE)
    monkeypatch.delitem(sys.modules, filters._COMPILER)
    again(text, tmp_path)
    (file,) = kept(tmp_path)
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700


def test_each_profile_has_a_program_of_its_own(tmp_path, monkeypatch):
    other = profile(["CAP_SYS_CHROOT", "CAP_SYS_ADMIN"], MACHINE)
    texts = []
    for document in (DEFAULT, other):
        texts.append(filters.program(document, str(tmp_path)))
        monkeypatch.delitem(sys.modules, filters._COMPILER)
    assert texts[0] != texts[1]
    assert len(kept(tmp_path)) == 2
    again(texts[1], tmp_path, other)
    again(texts[0], tmp_path)


def test_the_file_of_another_profile_is_not_believed(tmp_path, monkeypatch):
    monkeypatch.setattr(filters, "crc32", lambda _: 7)  # all have the same name and sum
    first = filters.program(DEFAULT, str(tmp_path))
    other = profile(["CAP_SYS_CHROOT", "CAP_SYS_ADMIN"], MACHINE)
    text = filters.program(other, str(tmp_path))
    assert text != first
    assert b64decode(text) == compile_filter(other, MACHINE)


@pytest.mark.parametrize("damage", ["cut", "changed", "empty", "link"])
def test_a_damaged_program_is_made_anew(tmp_path, monkeypatch, damage):
    text = filters.program(DEFAULT, str(tmp_path))
    monkeypatch.delitem(sys.modules, filters._COMPILER)
    (file,) = kept(tmp_path)
    whole = file.read_bytes()
    if damage == "link":
        file.rename(tmp_path / "elsewhere")
        file.symlink_to(tmp_path / "elsewhere")
    else:
        file.write_bytes({"cut": whole[:-4], "changed": whole[:-1] + b"/", "empty": b""}[damage])
        assert file.read_bytes() != whole
    assert filters.program(DEFAULT, str(tmp_path)) == text
    assert filters._COMPILER in sys.modules
    assert kept(tmp_path) == [file]
    assert file.read_bytes() == whole
    assert not file.is_symlink()


def test_a_compiler_of_another_time_makes_a_program_of_its_own(tmp_path, monkeypatch):
    filters.program(DEFAULT, str(tmp_path))
    sources = tmp_path / "spec"
    sources.mkdir()
    for name in filters._SOURCES:
        (sources / name).write_bytes((Path(spec.__path__[0]) / name).read_bytes())
    monkeypatch.setattr(spec, "__path__", [str(sources)])
    filters.program(DEFAULT, str(tmp_path))  # its code may be older than these files
    assert len(kept(tmp_path)) == 1
    made = filters._made_of(DEFAULT)
    assert made.count(b"\n") == 1
    os.utime(sources / filters._SOURCES[1], (1, 1))
    assert filters._made_of(DEFAULT) != made
    (sources / filters._SOURCES[0]).unlink()
    assert filters._made_of(DEFAULT) == b""


def test_where_nothing_can_be_kept_the_program_is_given(tmp_path):
    (tmp_path / "filters").write_text("in the way")
    text = filters.program(DEFAULT, str(tmp_path))
    assert b64decode(text) == compile_filter(DEFAULT, MACHINE)
    assert filters.program(DEFAULT, "") == text
