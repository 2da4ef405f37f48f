"""`lamina packages`: what package managers installed into an image, and in which layer."""

from __future__ import annotations

from lamina.cli.flags import BOOL, Command, Flag
from lamina.cli.formats import FORMAT, JSON, Listing, Row, show
from lamina.cli.studying import REMOTE, looked_into
from lamina.errors import Invalid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments
    from lamina.engine.study import Study
    from lamina.study.packages import Package

__all__ = ["COMMAND", "main"]

COMMAND = Command(
    name="packages",
    usage="lamina packages [OPTIONS] IMAGE|CONTAINER",
    summary="List the packages in an image, with the layer that brought each",
    description=(
        "List the packages in an image, with the layer that brought each: Debian's, Alpine's and\n"
        "RPM's, Python's and npm's. What a container wrote is its topmost layer."
    ),
    flags=(
        Flag("cyclonedx", kind=BOOL, help="Print a CycloneDX 1.5 document"),
        FORMAT,
        JSON,
        REMOTE[0],
        Flag("quiet", "q", kind=BOOL, help="Only show package URLs"),
        REMOTE[1],
        Flag("spdx", kind=BOOL, help="Print an SPDX 2.3 document"),
        Flag("type", "t", help="Only packages of this type: deb, apk, rpm, pypi or npm"),
    ),
    arity=(1, 1),
)
_LISTING = Listing(
    {
        "Name": "NAME",
        "Version": "VERSION",
        "Type": "TYPE",
        "Architecture": "ARCHITECTURE",
        "License": "LICENSE",
        "Layer": "LAYER",
        "CreatedBy": "CREATED BY",
        "PURL": "PURL",
    },
    ("Name", "Version", "Type", "Layer", "CreatedBy"),
    quiet="PURL",
)
_TYPES = ("deb", "apk", "rpm", "pypi", "npm")


def main(arguments: Arguments, context: Context) -> int:
    """List them, or write a bill of materials."""
    kind = arguments.text("type")
    if kind and kind not in _TYPES:
        raise Invalid(f"no packages are of type {kind!r}", hint=f"types are {', '.join(_TYPES)}")
    forms = [name for name in ("spdx", "cyclonedx") if arguments.flag(name)]
    if len(forms) > 1:
        raise Invalid("--spdx and --cyclonedx are two documents", hint="ask for one at a time")
    with looked_into(context, arguments, arguments.positional[0]) as (study, code):
        found = [one for one in study.packages() if kind in ("", one.kind)]
        if forms:
            _bill(study, found, forms[0], context)
            return code
        system = study.system()
        rows = [_row(study, one, system) for one in found]
    show(context, _LISTING, rows, arguments)
    return code


def _row(study: Study, package: Package, system: str) -> Row:
    from lamina.cli.stack_drawing import instruction
    from lamina.cli.units import shorten
    from lamina.study.bom import purl

    made = study.made[package.number - 1]
    facts = {
        "Name": package.name,
        "Version": package.version,
        "Type": package.kind,
        "Architecture": package.architecture,
        "License": package.licence,
        "Layer": str(package.number),
        "CreatedBy": shorten(instruction(made.created_by) or made.comment, 45),
        "PURL": purl(package, system=system),
    }
    return Row(
        facts,
        {
            "name": package.name,
            "version": package.version,
            "type": package.kind,
            "architecture": package.architecture or None,
            "license": package.licence or None,
            "layer": package.number,
            "diff_id": made.diff_id or None,
            "created_by": made.created_by,
            "record": "/" + package.record.decode("utf-8", "replace"),
            "purl": facts["PURL"],
        },
    )


def _bill(study: Study, packages: list[Package], form: str, context: Context) -> None:
    import time

    from lamina import __version__
    from lamina.cli.formats import show_json
    from lamina.study.bom import cyclonedx, spdx

    created = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(context.now()))
    write = spdx if form == "spdx" else cyclonedx
    document = write(
        study.name, str(study.image.id), packages,
        system=study.system(), created=created, version=__version__,
    )  # fmt: skip
    show_json(context, document)
