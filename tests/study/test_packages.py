"""Packages of images, judged by dpkg itself on a real Debian, and by what was put there by hand."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.images import debian
from tests.layer.test_view import ROOT, file, folder, link
from tests.layer.trees import sealed
from tests.study.piles import Items, pile
from tests.trees import tree_of_tar

from lamina.layer.sealed import SealedLayer
from lamina.layer.view import Tree
from lamina.study.packages import Package, owners, packages

STATUS = (
    b"Package: one\nStatus: install ok installed\nArchitecture: all\nVersion: %s\n"
    b"Description: x\n more\n .\n and more: text\n\n"
    b"Package: gone\nStatus: deinstall ok config-files\nVersion: 9\n\n"
)


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[SealedLayer]]:
    """Debian's three layers: a base, python3-minimal, and openssl with a patch."""
    place = tmp_path_factory.mktemp("real")
    layers: list[SealedLayer] = []
    for number, path in enumerate(debian().layers):
        layers.append(sealed(place / str(number), path.read_bytes(), layers))
    yield layers
    for layer in layers:
        layer.close()


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What dpkg in the image wrote, unpacked by tar for this machine's dpkg-query."""
    place = tmp_path_factory.mktemp("dpkg")
    subprocess.run(["tar", "-xf", debian().trees[2], "-C", place, "./var/lib/dpkg"], check=True)
    return str(place / "var/lib/dpkg")


def asked(database: str, *words: str) -> str:
    done = subprocess.run(
        ["dpkg-query", f"--admindir={database}", *words],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout


def test_dpkg_lists_the_same_packages_of_a_real_debian(real: list[SealedLayer], database: str):
    form = "${binary:Package}|${Package}|${Version}|${Architecture}|${db:Status-Status}\n"
    rows = [line.split("|") for line in asked(database, "-W", "-f", form).splitlines()]
    wanted = {tuple(row[1:4]) for row in rows if row[4] == "installed"}
    found = packages(real)
    assert len(wanted) > 80
    assert {
        (one.name, one.version, one.architecture) for one in found if one.kind == "deb"
    } == wanted


def test_the_layer_of_each_is_the_one_it_was_installed_in(real: list[SealedLayer]):
    layer = {one.name: one.number for one in packages(real)}
    assert (layer["libc6"], layer["python3-minimal"], layer["openssl"]) == (1, 2, 3)


def test_dpkg_names_the_same_owner_of_files(real: list[SealedLayer], database: str):
    tree = Tree.of(real)
    paths = sorted(
        path for path, fact in tree_of_tar(debian().trees[2]).items() if fact.kind == "file"
    )
    judged = 0
    for path in paths[:: len(paths) // 40]:
        found = {one.name for one in owners(tree, path) if one.kind == "deb"}
        said = asked(database, "-S", "/" + path.decode())
        if not said and path.startswith(b"usr/"):
            said = asked(database, "-S", "/" + path.decode().removeprefix("usr/"))
        wanted = {
            name.partition(":")[0]
            for line in said.splitlines()
            if not line.startswith("diversion")
            for name in line.partition(": ")[0].split(", ")
        }
        assert found == wanted, path
        judged += bool(wanted)
    assert judged > 10


def told(found: tuple[Package, ...]) -> list[tuple[str, str, str, int]]:
    return [(one.kind, one.name, one.version, one.number) for one in found]


def dpkg(version: bytes) -> Items:
    return [
        ROOT, folder(b"var"), folder(b"var/lib"), folder(b"var/lib/dpkg"), folder(b"var/lib/dpkg/info"),
        file(b"var/lib/dpkg/status", STATUS % version), folder(b"usr"), folder(b"usr/bin"),
        file(b"var/lib/dpkg/info/one.list", b"/.\n/bin\n/bin/tool\n"), file(b"usr/bin/tool", version),
        link(b"bin", b"usr/bin"),
    ]  # fmt: skip


def test_an_upgrade_is_brought_by_its_own_layer_and_a_rewrite_by_none(tmp_path: Path):
    again: Items = [ROOT, folder(b"var"), folder(b"var/lib"), folder(b"var/lib/dpkg"),
                    file(b"var/lib/dpkg/status", STATUS % b"2" + b"\n")]  # fmt: skip
    with pile(tmp_path, dpkg(b"1"), dpkg(b"2"), again) as layers:
        assert told(packages(layers)) == [("deb", "one", "2", 2)]
        assert [one.version for one in owners(Tree.of(layers), b"usr/bin/tool")] == ["2"]
        assert [one.version for one in owners(Tree.of(layers[:1]), b"usr/bin/tool")] == ["1"]
        assert owners(Tree.of(layers), b"usr/bin/other") == ()


def test_distroless_images_have_a_file_for_each_package(tmp_path: Path):
    low: Items = [
        ROOT, folder(b"var"), folder(b"var/lib"), folder(b"var/lib/dpkg"), folder(b"var/lib/dpkg/status.d"),
        file(b"var/lib/dpkg/status.d/tzdata", b"Package: tzdata\nVersion: 2024a\nArchitecture: all\n"),
        file(b"var/lib/dpkg/status.d/tzdata.md5sums", b"d41d8cd9  usr/share/zoneinfo/UTC\n"),
    ]  # fmt: skip
    with pile(tmp_path, low) as layers:
        assert told(packages(layers)) == [("deb", "tzdata", "2024a", 1)]
        assert [one.name for one in owners(Tree.of(layers), b"usr/share/zoneinfo/UTC")] == [
            "tzdata"
        ]


def test_apk_python_and_npm_each_with_its_layer(tmp_path: Path):
    installed = (
        b"C:Q1=\nP:musl\nV:1.2.5-r0\nA:x86_64\nL:MIT\nF:lib\nR:ld-musl.so\nF:usr/bin\nR:ldd\n\n"
        b"P:other\nV:1\nF:usr/lib\nR:ldd\n\n"
    )
    site = b"usr/lib/python3.12/site-packages"
    low: Items = [
        ROOT, folder(b"lib"), folder(b"lib/apk"), folder(b"lib/apk/db"), file(b"lib/apk/db/installed", installed),
    ]  # fmt: skip
    high: Items = [
        ROOT, folder(b"usr"), folder(b"usr/lib"), folder(b"usr/lib/python3.12"), folder(site),
        folder(site + b"/requests-2.32.dist-info"), folder(b"usr/bin"), file(b"usr/bin/requests", b"#!"),
        file(site + b"/requests-2.32.dist-info/METADATA",
             b"Metadata-Version: 2.4\nName: requests\nVersion: 2.32\nLicense-Expression: Apache-2.0\n\nName: no\n"),
        file(site + b"/requests-2.32.dist-info/RECORD",
             b'requests/api.py,sha256=x,1\n"requests/odd,name.py",,\n../../../bin/requests,,\n'),
        folder(site + b"/old.egg-info"), file(site + b"/old.egg-info/PKG-INFO", b"Name: old\nVersion: 0.1\n"),
        folder(b"app"), folder(b"app/node_modules"), folder(b"app/node_modules/@scope"),
        folder(b"app/node_modules/@scope/a"), folder(b"app/node_modules/.bin"),
        file(b"app/node_modules/@scope/a/package.json",
             json.dumps({"name": "@scope/a", "version": "1.0.0", "license": "ISC"}).encode()),  # noqa: TID251
        folder(b"app/node_modules/b"), file(b"app/node_modules/b/package.json", b"{broken"),
    ]  # fmt: skip
    with pile(tmp_path, low, high) as layers:
        assert told(packages(layers)) == [
            ("apk", "musl", "1.2.5-r0", 1), ("apk", "other", "1", 1), ("npm", "@scope/a", "1.0.0", 2),
            ("pypi", "old", "0.1", 2), ("pypi", "requests", "2.32", 2),
        ]  # fmt: skip
        assert {one.name: one.licence for one in packages(layers)}["requests"] == "Apache-2.0"
        tree = Tree.of(layers)
        paths = (
            b"usr/bin/ldd", b"usr/lib/ldd", b"lib/ldd", site + b"/requests/api.py",
            site + b"/requests/odd,name.py", b"usr/bin/requests", b"app/node_modules/@scope/a/lib/x.js",
        )  # fmt: skip
        assert [[one.name for one in owners(tree, path)] for path in paths] == [
            ["musl"], ["other"], [], ["requests"], ["requests"], ["requests"], ["@scope/a"],
        ]  # fmt: skip


def test_without_numbers_the_packages_are_the_same(real: list[SealedLayer]):
    numbered = packages(real)
    assert len(numbered) > 80
    assert [one.number for one in packages(real, numbered=False)] == [0] * len(numbered)
    assert [
        (one.kind, one.name, one.version, one.record) for one in packages(real, numbered=False)
    ] == [(one.kind, one.name, one.version, one.record) for one in numbered]
