"""`lamina version`: which Lamina, on which Python and kernel."""

from __future__ import annotations

from lamina.cli.flags import Command
from lamina.cli.formats import FORMAT_DOCUMENT, JSON, show_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments

__all__ = ["COMMAND", "main"]

COMMAND = Command(
    name="version",
    usage="lamina version [OPTIONS]",
    summary="Show the Lamina version information",
    flags=(FORMAT_DOCUMENT, JSON),
    arity=(0, 0),
)
API_VERSION = "1.50"


def main(arguments: Arguments, context: Context) -> int:
    """Print versions. There is no server: what `docker version` says of one is this program."""
    import os
    import sys

    from lamina import __version__

    machine = os.uname()
    own = {
        "Version": __version__,
        "ApiVersion": API_VERSION,
        "PythonVersion": "{}.{}.{}".format(*sys.version_info[:3]),
        "Os": "linux",
        "Arch": {"x86_64": "amd64", "aarch64": "arm64"}.get(machine.machine, machine.machine),
        "KernelVersion": machine.release,
    }
    form = arguments.text("format")
    if arguments.flag("json"):
        show_json(context, own)
    elif form:
        from lamina.cli.template import Template
        from lamina.cli.template_functions import to_json

        document = {"Client": own, "Server": own}
        text = to_json(document) if form == "json" else Template(form).render(document, strict=True)
        context.print(text)
    else:
        context.print("Lamina:")
        for name, value in (
            ("Version", own["Version"]),
            ("API version", own["ApiVersion"]),
            ("Python version", own["PythonVersion"]),
            ("OS/Arch", f"{own['Os']}/{own['Arch']}"),
            ("Kernel", own["KernelVersion"]),
        ):
            context.print(f" {name + ':':<18}{value}")
    return 0
