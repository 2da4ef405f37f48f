"""Bills of materials, judged by the libraries of those who made the forms."""

import json
from pathlib import Path

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL
from spdx_tools.spdx.parser.parse_anything import parse_file
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

from lamina.study.bom import cyclonedx, purl, spdx
from lamina.study.packages import Package

IMAGE = "sha256:" + "12ab" * 16
PACKAGES = (
    Package("deb", "libstdc++6", "1:12.2.0-14+deb12u1", "amd64", "", 1, b"var/lib/dpkg/status"),
    Package("npm", "@scope/a", "1.0.0", "", "ISC", 2, b"app/node_modules/@scope/a/package.json"),
    Package("npm", "@scope/a", "1.0.0", "", "ISC", 2, b"b/node_modules/@scope/a/package.json"),
    Package("pypi", "Typing_Extensions", "4.12", "", "PSF-2.0", 2, b"x/METADATA"),
    Package("apk", "musl", "1.2.5-r0", "x86_64", "MIT", 1, b"lib/apk/db/installed"),
)
WORDS = {"system": "debian", "created": "2026-11-27T12:00:00Z", "version": "0.1.0"}


def test_package_urls_say_what_they_were_made_of():
    urls = [PackageURL.from_string(purl(one, system="debian")) for one in PACKAGES]
    assert [(url.type, url.namespace, url.name, url.version) for url in urls] == [
        ("deb", "debian", "libstdc++6", "1:12.2.0-14+deb12u1"),
        ("npm", "@scope", "a", "1.0.0"),
        ("npm", "@scope", "a", "1.0.0"),
        ("pypi", None, "typing-extensions", "4.12"),
        ("apk", "debian", "musl", "1.2.5-r0"),
    ]
    assert urls[0].qualifiers == {"arch": "amd64"}
    assert purl(PACKAGES[0], system="").startswith("pkg:deb/libstdc%2B%2B6@")


def test_spdx_finds_its_document_whole(tmp_path: Path):
    document = spdx("it:1", IMAGE, PACKAGES, **WORDS)
    (tmp_path / "it.spdx.json").write_text(json.dumps(document))  # noqa: TID251 - for another's reader
    read = parse_file(str(tmp_path / "it.spdx.json"))
    assert [str(message) for message in validate_full_spdx_document(read)] == []
    assert [(one.name, one.version) for one in read.packages][1:] == [
        (one.name, one.version) for one in PACKAGES
    ]
    assert len({one.spdx_id for one in read.packages}) == len(PACKAGES) + 1
    assert len(read.relationships) == len(PACKAGES) + 1


def test_cyclonedx_finds_its_document_strictly_right_and_always_the_same():
    document = cyclonedx("it:1", IMAGE, PACKAGES, **WORDS)
    text = json.dumps(document)  # noqa: TID251
    assert JsonStrictValidator(SchemaVersion.V1_5).validate_str(text) is None
    assert document == cyclonedx("it:1", IMAGE, PACKAGES, **WORDS)
    assert [one["properties"][0]["value"] for one in document["components"]] == [
        "1",
        "2",
        "2",
        "2",
        "1",
    ]
