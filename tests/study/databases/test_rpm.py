"""RPM's databases: SQLite's as rpm writes it, a hash by Berkeley DB's own loader, NDB by its layout.

Debian's rpm is built without NDB, so a file of that form is laid out here, of headers that rpm wrote.
"""

import sqlite3
import struct
import subprocess
import zlib
from pathlib import Path

import pytest
from tests.layer.test_view import ROOT, file, folder
from tests.study.piles import Items, pile

from lamina.errors import Invalid
from lamina.layer.view import Tree
from lamina.study.databases.rpm import Rpm
from lamina.study.packages import owners, packages

NAMES = ("rpmdb.sqlite", "Packages.db", "Packages")
SPEC = """\
Name: first
Version: 1.5
Release: 2
Summary: made for a test
License: MIT and Zlib
BuildArch: noarch
%description
Made for a test.
%package -n second
Epoch: 3
Summary: another
%description -n second
Another.
%install
for name in first second; do
  mkdir -p %{buildroot}/opt/$name/deep %{buildroot}/usr/share/$name
  touch %{buildroot}/opt/$name/deep/file
  (cd %{buildroot}/usr/share/$name && seq -f a-file-with-a-long-name-%g 300 | xargs touch)
done
%files
/opt/first
/usr/share/first
%files -n second
/opt/second
/usr/share/second
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Two small packages, made by rpmbuild."""
    top = tmp_path_factory.mktemp("rpm")
    (top / "both.spec").write_text(SPEC)
    run("rpmbuild", "-bb", "--quiet", "--define", f"_topdir {top}", str(top / "both.spec"))
    names = [(name, "1.5-2") for name in ("first", "second")]
    return [str(top / f"RPMS/noarch/{name}-{version}.noarch.rpm") for name, version in names]


def run(*words: str, data: str = "") -> str:
    done = subprocess.run(words, input=data, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def installed(place: Path, built: list[str]) -> str:
    """Let rpm write down that it installed the packages; give what it lists."""
    common = ("rpm", "--dbpath", str(place), "--define", "_db_backend sqlite")
    run(*common, "--initdb")
    run(*common, "--justdb", "--nodeps", "--nosignature", "-i", *built)
    form = "%{NAME} %|EPOCH?{%{EPOCH}:}:{}|%{VERSION}-%{RELEASE} %{ARCH} %{LICENSE}\n"
    return run(*common, "-qa", "--queryformat", form)


def headers(place: Path, built: list[str]) -> list[tuple[int, bytes]]:
    """Give the headers that rpm wrote, with their numbers."""
    installed(place, built)
    database = sqlite3.connect(place / "rpmdb.sqlite")
    rows = database.execute("SELECT hnum, blob FROM Packages").fetchall()
    database.close()
    return rows


def ndb(place: Path, built: list[str], target: Path) -> None:
    """Lay the headers out as rpm's NDB has them: a page of slots, then blobs in blocks of 16 bytes."""
    slots, blobs = [struct.pack("<4sIIII12x", b"RpmP", 0, 1, 1, 9)], b""
    for number, blob in headers(place, built):
        entry = struct.pack("<4sIII", b"BlbS", number, 1, len(blob)) + blob
        entry += bytes(-(len(entry) + 12) % 16)
        entry += struct.pack("<II4s", zlib.adler32(entry), len(blob), b"BlbE")
        at = (4096 + len(blobs)) // 16
        slots.append(struct.pack("<4sIII", b"Slot", number, at, len(entry) // 16))
        blobs += entry
    empty = struct.pack("<4sIII", b"Slot", 0, 0, 0)
    page = b"".join(slots)
    target.write_bytes(page + empty * ((4096 - len(page)) // 16) + blobs)


def berkeley(place: Path, built: list[str], target: Path) -> None:
    """Write the headers of the SQLite form as rpm wrote its hashes of Berkeley DB."""
    rows = headers(place, built)
    lines = ["VERSION=3", "format=bytevalue", "type=hash", "HEADER=END"]
    for number, blob in [(0, (3).to_bytes(4, "little")), *rows]:
        lines += [" " + number.to_bytes(4, "little").hex(), " " + blob.hex()]
    run("db5.3_load", "-t", "hash", str(target), data="\n".join([*lines, "DATA=END", ""]))


def made(name: str, place: Path, built: list[str]) -> bytes:
    """Give a database of that form."""
    place.mkdir()
    if name == "rpmdb.sqlite":
        installed(place, built)
    elif name == "Packages":
        berkeley(place, built, place / name)
    else:
        ndb(place, built, place / name)
    return (place / name).read_bytes()


@pytest.mark.parametrize("name", NAMES)
def test_each_form_gives_what_rpm_lists_and_who_owns_a_file(
    name: str, built: list[str], tmp_path: Path
):
    (tmp_path / "judge").mkdir()
    listed = installed(tmp_path / "judge", built).replace(" 0:", " ")
    layer: Items = [
        ROOT, folder(b"var"), folder(b"var/lib"), folder(b"var/lib/rpm"),
        file(b"var/lib/rpm/" + name.encode(), made(name, tmp_path / "db", built)),
    ]  # fmt: skip
    with pile(tmp_path / "pile", layer) as layers:
        found = packages(layers)
        lines = [f"{one.name} {one.version} {one.architecture} {one.licence}" for one in found]
        assert sorted(lines) == sorted(listed.splitlines())
        assert len(lines) == 2
        tree = Tree.of(layers)
        for path, owner in (
            (b"opt/first/deep/file", ["first"]),
            (b"usr/share/second/a-file-with-a-long-name-300", ["second"]),
            (b"usr/share/second/deep/file", []),
        ):
            assert [one.name for one in owners(tree, path)] == owner


@pytest.mark.parametrize("name", NAMES)
def test_a_damaged_database_is_refused_or_gives_what_is_whole(
    name: str, built: list[str], tmp_path: Path
):
    whole = made(name, tmp_path / "db", built)
    record = b"var/lib/rpm/" + name.encode()
    wanted = set(Rpm().packages(record, whole))
    assert len(wanted) == 2
    for at in range(0, len(whole), max(1, len(whole) // 61)):
        for data in (whole[:at], whole[:at] + b"\xff" * 40 + whole[at + 40 :]):
            try:
                found = set(Rpm().packages(record, data))
            except Invalid:
                continue
            assert len(found) <= len(wanted)
    layer: Items = [
        ROOT,
        folder(b"var"),
        folder(b"var/lib"),
        folder(b"var/lib/rpm"),
        file(record, b"junk"),
    ]
    with pile(tmp_path / "pile", layer) as layers:
        assert packages(layers) == ()
        assert owners(Tree.of(layers), b"opt/first/deep/file") == ()
