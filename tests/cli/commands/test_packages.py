"""`lamina packages` lists what package managers installed, with the layer that brought each."""

import io
import json

import pytest
from tests.archives import archive
from tests.consoles import Console, console
from tests.images import Piece, tar

from lamina.engine.engine import Engine
from lamina.settings import Settings

STATUS = b"Package: tool\nStatus: install ok installed\nVersion: %s\nArchitecture: all\n\n"
SITE = "usr/lib/python3.12/site-packages/six-1.16.dist-info"
LOW = tar([
    Piece("etc/os-release", b'NAME="x"\nID="debian"\n'), Piece("var/lib/dpkg/status", STATUS % b"1"),
    Piece("var/lib/dpkg/info/tool.list", b"/.\n/usr/bin/tool\n"), Piece("usr/bin/tool", b"1"),
])  # fmt: skip
HIGH = tar([
    Piece("var/lib/dpkg/status", STATUS % b"2"), Piece("usr/bin/tool", b"2"),
    Piece(f"{SITE}/METADATA", b"Name: six\nVersion: 1.16\nLicense: MIT\n"),
])  # fmt: skip


@pytest.fixture
def two(settings: Settings, engine: Engine) -> Console:
    """`two:latest`, whose second layer upgrades a package and brings one of Python's."""
    engine.images.load(io.BytesIO(archive("two:latest", layers=(LOW, HIGH))))
    return console(settings)


def test_each_package_with_its_layer(two: Console):
    assert two("packages", "two") == (
        "NAME      VERSION   TYPE      LAYER     CREATED BY\n"
        "tool      2         deb       2         RUN initialise\n"
        "six       1.16      pypi      2         RUN initialise\n"
    )
    assert two("packages", "-q", "--type", "deb", "two") == "pkg:deb/debian/tool@2?arch=all\n"
    row = json.loads(two("packages", "--json", "-t", "pypi", "two"))[0]
    assert (row["name"], row["license"], row["layer"]) == ("six", "MIT", 2)
    assert row["record"] == f"/{SITE}/METADATA"
    assert two("packages", "--format", "{{.Name}}={{.Version}}", "two") == "tool=2\nsix=1.16\n"


def test_bills_of_materials(two: Console):
    assert json.loads(two("packages", "--spdx", "two"))["packages"][1]["name"] == "tool"
    assert json.loads(two("packages", "--cyclonedx", "two"))["components"][1]["name"] == "six"


def test_whence_names_the_package_at_each_layer(two: Console):
    lines = [line.strip() for line in two("whence", "two", "/usr/bin/tool").splitlines()]
    assert lines[3] == "package tool 2 (deb)"
    assert lines[6] == "package tool 1 (deb)"
    events = json.loads(two("whence", "--json", "two", "/usr/bin/tool"))[0]["events"]
    assert events[0]["packages"] == [{"type": "deb", "name": "tool", "version": "1"}]


def test_what_cannot_be_is_refused(two: Console, shelf: Console):
    said = two.run("packages", "--type", "msi", "two")
    assert (said.code, "types are deb, apk, rpm, pypi, npm" in said.err) == (1, True)
    assert two.run("packages", "--spdx", "--cyclonedx", "two").code == 1
    assert two.run("packages", "nosuch").code == 1
    assert shelf("packages", "-q", "mysql") == ""
