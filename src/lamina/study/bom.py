"""Bills of materials: an image's packages as SPDX and as CycloneDX. Spec: SPDX 2.3, CycloneDX 1.5, purl."""

import hashlib
from urllib.parse import quote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lamina.spec.wire import Document
    from lamina.study.packages import Package

__all__ = ["cyclonedx", "purl", "spdx"]

_TOOL = "lamina"
_NOTHING = "NOASSERTION"
_ANY_SYSTEM = ("pypi", "npm")


def purl(package: "Package", *, system: str) -> str:
    """Give the package URL; `system` is the distribution's ID as /etc/os-release has it.

    >>> purl(Package("deb", "libc6", "2.36-9", "amd64", "", 1, b""), system="debian")
    'pkg:deb/debian/libc6@2.36-9?arch=amd64'
    """
    name = package.name
    if package.kind == "pypi":
        name = name.lower().replace("_", "-")
    namespace = "" if package.kind in _ANY_SYSTEM or not system else f"{quote(system, safe='')}/"
    scope, slash, rest = name.rpartition("/")
    shown = f"{quote(scope, safe='')}{slash}{quote(rest, safe='')}"
    version = f"@{quote(package.version, safe=':~')}" if package.version else ""
    arch = f"?arch={quote(package.architecture, safe='')}" if package.architecture else ""
    return f"pkg:{package.kind}/{namespace}{shown}{version}{arch}"


def spdx(
    name: str,
    image_id: str,
    packages: "Sequence[Package]",
    *,
    system: str,
    created: str,
    version: str,
) -> "Document":
    """Give an SPDX 2.3 document. `created` is RFC 3339 in whole seconds, `version` lamina's."""
    rows: list[Document] = [
        {
            "SPDXID": "SPDXRef-Image",
            "name": name,
            "versionInfo": image_id,
            "downloadLocation": _NOTHING,
            "filesAnalyzed": False,
            "licenseConcluded": _NOTHING,
            "licenseDeclared": _NOTHING,
            "copyrightText": _NOTHING,
            "primaryPackagePurpose": "CONTAINER",
        }
    ]
    relations: list[Document] = [_relation("SPDXRef-DOCUMENT", "DESCRIBES", "SPDXRef-Image")]
    for key, package in _keyed(packages):
        rows.append(
            {
                "SPDXID": f"SPDXRef-Package-{key}",
                "name": package.name,
                "versionInfo": package.version,
                "downloadLocation": _NOTHING,
                "filesAnalyzed": False,
                "licenseConcluded": _NOTHING,
                "licenseDeclared": _NOTHING,
                "copyrightText": _NOTHING,
                "comment": f"layer {package.number}",
                "externalRefs": [
                    {
                        "referenceCategory": "PACKAGE-MANAGER",
                        "referenceType": "purl",
                        "referenceLocator": purl(package, system=system),
                    }
                ],
            }
        )
        if package.licence:  # as the manager spells it: seldom an expression of SPDX's
            rows[-1]["licenseComments"] = package.licence
        relations.append(_relation("SPDXRef-Image", "CONTAINS", f"SPDXRef-Package-{key}"))
    return {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": name,
        "documentNamespace": f"https://spdx.org/spdxdocs/{_TOOL}-{image_id.rpartition(':')[2]}",
        "creationInfo": {"created": created, "creators": [f"Tool: {_TOOL}-{version}"]},
        "packages": rows,
        "relationships": relations,
    }


def cyclonedx(
    name: str,
    image_id: str,
    packages: "Sequence[Package]",
    *,
    system: str,
    created: str,
    version: str,
) -> "Document":
    """Give a CycloneDX 1.5 document. Its serial number is made of the image's ID: it is always the same."""
    digest = hashlib.sha256(image_id.encode()).hexdigest()
    serial = f"{digest[:8]}-{digest[8:12]}-5{digest[13:16]}-8{digest[17:20]}-{digest[20:32]}"
    components: list[Document] = []
    for key, package in _keyed(packages):
        component: Document = {
            "type": "library",
            "bom-ref": key,
            "name": package.name,
            "version": package.version,
            "purl": purl(package, system=system),
            "properties": [{"name": "lamina:layer", "value": str(package.number)}],
        }
        if package.licence:
            component["licenses"] = [{"license": {"name": package.licence}}]
        components.append(component)
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": f"urn:uuid:{serial}",
        "version": 1,
        "metadata": {
            "timestamp": created,
            "tools": {"components": [{"type": "application", "name": _TOOL, "version": version}]},
            "component": {
                "type": "container",
                "bom-ref": "image",
                "name": name,
                "version": image_id,
            },
        },
        "components": components,
    }


def _relation(one: str, kind: str, other: str) -> "Document":
    return {
        "spdxElementId": one,
        "relationshipType": kind,
        "relatedSpdxElement": other,
    }


def _keyed(packages: "Iterable[Package]") -> "Iterable[tuple[str, Package]]":
    """Give each package a name of its own that is the same each time."""
    for package in packages:
        fields = (package.kind, package.name, package.version, package.architecture)
        raw = "\0".join(fields).encode() + b"\0" + package.record
        yield hashlib.sha256(raw).hexdigest()[:16], package
