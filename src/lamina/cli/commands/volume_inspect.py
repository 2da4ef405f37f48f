"""`lamina volume inspect`: all there is to know about volumes."""

from __future__ import annotations

from lamina.cli.flags import Command
from lamina.cli.formats import FORMAT_DOCUMENT
from lamina.cli.inspecting import inspect_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments

__all__ = ["COMMAND", "main"]

COMMAND = Command(
    name="volume inspect",
    usage="lamina volume inspect [OPTIONS] VOLUME [VOLUME...]",
    summary="Display detailed information on one or more volumes",
    flags=(FORMAT_DOCUMENT,),
    arity=(1, None),
)


def main(arguments: Arguments, context: Context) -> int:
    """Print a JSON array of the volumes, or a template's line for each."""
    volumes = context.engine.volumes
    return inspect_all(
        context,
        arguments.positional,
        lambda name: volumes.get(name).to_json(),
        form=arguments.text("format"),
    )
